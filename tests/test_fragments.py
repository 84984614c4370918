from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import BadMedia
from livefake.frame import Bytes, Frame
from livefake.media.encode.coder import Format, make_coder
from livefake.media.fragments import FragmentedWriter, boxes, plain_copy, whole_length
from livefake.media.letterbox import fit
from livefake.media.packet import TICKS, Packet
from tests.footage import CLIP


def planes(number: int, width: int = 96, height: int = 64) -> Bytes:
    steps = np.add.outer(np.arange(height * 3 // 2), np.arange(width)) * 2 + number * 3
    return np.asarray(steps % 200 + 20, np.uint8)


def packets(times: list[int]) -> list[Packet]:
    """Pictures at those times; one that stands on its own about each second."""
    coder, found, keyed = make_coder(Format.H264, 96, 64, 500_000), list[Packet](), -TICKS
    for number, at in enumerate(times):
        picture = av.VideoFrame.from_ndarray(planes(number), format="yuv420p")
        picture.pts, picture.time_base = at, Fraction(1, TICKS)
        data, key = coder.encode(picture, key=at - keyed >= TICKS)
        keyed = at if key else keyed
        found.append(Packet(data, at, key))
    return found


def film(times: list[int]) -> bytes:
    encoded, file = packets(times), io.BytesIO()
    writer = FragmentedWriter(file, encoded[0], notes={"comment": "a note", "description": "{}"})
    for packet in encoded:
        writer.write(packet)
    writer.close()
    return file.getvalue()


def shown(content: bytes) -> list[int]:
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        scale = stream.time_base * TICKS
        return [round((picture.pts or 0) * scale) for picture in container.decode(stream)]


UNEVEN = [0, 3000, 7500, 9000, 30_000, 89_000, 91_000, 95_000, 180_000, 181_000, 300_000]


def test_packets_keep_their_uneven_times_and_a_key_picture_comes_each_second() -> None:
    found = packets(UNEVEN)
    assert [packet.pts for packet in found] == UNEVEN
    assert [packet.pts for packet in found if packet.key] == [0, 91_000, 181_000, 300_000]


def test_a_film_in_fragments_keeps_times_and_notes() -> None:
    content = film(UNEVEN)
    assert shown(content) == UNEVEN
    kinds = [kind for kind, _, _ in boxes(io.BytesIO(content))]
    assert kinds == [b"ftyp", b"moov", *[b"moof", b"mdat"] * 4]
    with av.open(io.BytesIO(content), "r") as container:
        assert container.metadata["comment"] == "a note"
        assert container.metadata["description"] == "{}"


def test_a_fragment_reaches_the_file_with_the_next_key_picture() -> None:
    encoded, file = packets([number * 3000 for number in range(75)]), io.BytesIO()
    writer = FragmentedWriter(file, encoded[0])
    behind = []
    for packet in encoded:
        writer.write(packet)
        content = file.getvalue()
        content = content[: whole_length(io.BytesIO(content))]
        last = max(shown(content)) if content else 0
        behind.append(packet.pts - last)
    writer.close()
    assert max(behind) <= 1.1 * TICKS


@given(st.data())
def test_a_film_broken_off_anywhere_plays_up_to_its_last_whole_fragment(data: st.DataObject) -> None:
    content = _FILM[: data.draw(st.integers(0, len(_FILM)))]
    end = whole_length(io.BytesIO(content))
    ends = [until for kind, _, until in boxes(io.BytesIO(_FILM)) if kind == b"mdat"]
    assert end == max([0, *(until for until in ends if until <= len(content))])
    if end:
        times = shown(content[:end])
        assert times == UNEVEN[: len(times)]


_FILM = film(UNEVEN)


@given(st.binary(max_size=200) | st.lists(st.tuples(st.integers(0, 2**32 - 1), st.binary(min_size=4, max_size=40))))
def test_any_bytes_have_a_whole_length(content: bytes | list[tuple[int, bytes]]) -> None:
    if isinstance(content, list):
        content = b"".join(struct.pack(">I", size) + body for size, body in content)
    assert whole_length(io.BytesIO(content)) <= len(content)
    ends = [(first, until) for _, first, until in boxes(io.BytesIO(content))]
    assert all(first < until <= len(content) for first, until in ends)


def test_large_boxes_are_measured_by_their_long_length() -> None:
    content = struct.pack(">I4sQ", 1, b"mdat", 20) + b"1234" + struct.pack(">I4s", 8, b"free")
    assert list(boxes(io.BytesIO(content))) == [(b"mdat", 0, 20), (b"free", 20, 28)]
    assert list(boxes(io.BytesIO(struct.pack(">I4sQ", 1, b"mdat", 5)))) == []


def test_a_plain_copy_shows_the_same_and_has_its_index_in_front(tmp_path: Path) -> None:
    source, target = tmp_path / "a.part.mp4", tmp_path / "a.mp4"
    source.write_bytes(_FILM)
    plain_copy(source, target, {"comment": "another note"})
    content = target.read_bytes()
    assert shown(content) == UNEVEN
    kinds = [kind for kind, _, _ in boxes(io.BytesIO(content))]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert b"moof" not in kinds
    with av.open(str(target)) as container:
        assert container.metadata["comment"] == "another note"
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(UNEVEN[-1] / TICKS, abs=0.2)
    source.write_bytes(b"no film")
    with pytest.raises(BadMedia, match="cannot be finished"):
        plain_copy(source, target, {})


def test_a_film_may_have_sound(tmp_path: Path) -> None:
    encoded, path = packets(UNEVEN), tmp_path / "a.part.mp4"
    with av.open(str(CLIP)) as clip, path.open("wb", buffering=0) as file:
        sound = clip.streams.audio[0]
        scale = Fraction(sound.time_base or 1) * TICKS
        writer = FragmentedWriter(file, encoded[0], sound=sound)
        heard = [packet for packet in clip.demux(sound) if packet.dts is not None][:40]
        # An encoder's first sound lies before 0; a recording begins there.
        pieces = [
            Packet(bytes(packet), round(((packet.dts or 0) - (heard[0].dts or 0)) * scale), True, "audio")
            for packet in heard
        ]
        for packet in sorted([*encoded, *pieces], key=lambda one: one.pts):
            writer.write(packet)
        writer.close()
    plain_copy(path, tmp_path / "a.mp4", {})
    for one in (path, tmp_path / "a.mp4"):
        with av.open(str(one)) as container:
            assert len(list(container.decode(audio=0))) >= 38
        assert shown(one.read_bytes()) == UNEVEN


@pytest.mark.parametrize(("width", "height"), [(320, 180), (1280, 720), (360, 640), (2, 500), (641 & ~1, 358)])
def test_a_picture_of_another_size_gets_bars(width: int, height: int) -> None:
    frame = Frame(np.full((height * 3 // 2, width), 200, np.uint8), 0, 0)
    canvas = Frame(fit(frame, 640, 360), 0, 0)
    assert (canvas.width, canvas.height) == (640, 360)
    bright = canvas.y > 190
    assert set(np.unique(canvas.y[~bright])) <= {16}
    rows, columns = (np.flatnonzero(bright.any(axis)) for axis in (1, 0))
    scale = min(640 / width, 360 / height)
    assert len(rows) == pytest.approx(height * scale, abs=2)
    assert len(columns) == pytest.approx(width * scale, abs=2)
    assert abs(rows[0] - (359 - rows[-1])) <= 2
    assert abs(columns[0] - (639 - columns[-1])) <= 2
    # Colour ends where brightness does.
    assert np.array_equal(canvas.u > 190, bright[::2, ::2])


def test_a_picture_of_the_right_size_is_not_copied() -> None:
    frame = Frame(planes(1), 0, 0)
    assert fit(frame, 96, 64) is frame.i420
