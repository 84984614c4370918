"""Files of strangers: what is refused before decoding, and that a decoder with its limits does no harm."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livefake.clock import monotonic
from livefake.errors import BadMedia, TooLarge
from livefake.frame import Bytes
from livefake.media import decoding
from livefake.media.decoding import HEADER, Fault, Order, Tag, places
from livefake.media.sandbox import Limits, Sandbox, Sight
from livefake.media.sniff import HEAD, claimed_size, sniff
from livefake.resources import models_folder

DEMO = models_folder() / "demo" / "performer.mp4"
SMALL = Limits(pixels=1 << 20, seconds=60, cpu=10)
ORDER = Order(demuxer="mov", still=False, looks=3, pixels=1 << 20, seconds=60, memory=1 << 29, cpu=10)

MAGIC = {
    "JPEG": b"\xff\xd8\xff\xe0",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "WebP": b"RIFF\0\0\0\0WEBP",
    "GIF": b"GIF89a",
    "MP4": b"\0\0\0\x18ftypisom",
    "Matroska or WebM": b"\x1a\x45\xdf\xa3",
    "AVI": b"RIFF\0\0\0\0AVI ",
    "Ogg": b"OggS",
    "MPEG-TS": (b"G" + bytes(187)) * 4,
}


def look(path: Path, *, looks: int = 3, limits: Limits = SMALL) -> list[Sight]:
    with Sandbox(path, clock=monotonic, looks=looks, limits=limits) as file:
        return list(file)


def picture(width: int = 64, height: int = 48) -> Bytes:
    across = np.linspace(20, 220, width, dtype=np.float32)
    return np.repeat(np.tile(across, (height, 1))[:, :, None], 3, 2).astype(np.uint8)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, content: bytes, *between: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(between) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def clip(
    path: Path,
    pictures: int,
    *,
    format: str = "mp4",
    codec: str = "mpeg4",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w", format=format) as sink:
        stream = sink.add_stream(codec, rate=25, options=options or {})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for index in range(pictures):
            shade = np.full((72, 64), 40 + index % 150, np.uint8)
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(shade, "yuv420p").reformat(format=pixels)))
        sink.mux(stream.encode(None))
    return path


# Before decoding


@pytest.mark.parametrize("name", MAGIC)
def test_a_file_is_known_by_its_first_bytes(name: str) -> None:
    kind = sniff(MAGIC[name])
    assert kind is not None
    assert kind.name == name


@given(st.binary(max_size=64))
def test_other_bytes_are_nothing_that_is_looked_at(data: bytes) -> None:
    kind = sniff(b"#" + data)
    assert kind is None or kind.name == "MP4"


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(MAGIC)), st.binary(max_size=400))
def test_no_header_is_too_strange_to_be_measured(name: str, data: bytes) -> None:
    content = MAGIC[name] + data
    kind = sniff(content[:HEAD])
    assert kind is not None
    size = claimed_size(kind, io.BytesIO(content))
    assert size is None or all(0 <= side < 1 << 32 for side in size)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
def test_a_picture_is_measured_without_decoding(ending: str) -> None:
    _, coded = cv2.imencode(ending, picture(120, 70))
    content = coded.tobytes()
    kind = sniff(content)
    assert kind is not None
    assert kind.suffix == ending
    assert claimed_size(kind, io.BytesIO(content)) == (120, 70)


def test_a_jpeg_is_measured_behind_long_segments() -> None:
    _, coded = cv2.imencode(".jpg", picture(120, 70))
    content = coded.tobytes()
    profile = b"\xff\xe2\xff\xff" + bytes(65533)
    long = content[:2] + profile * 20 + b"\xff" + content[2:]
    kind = sniff(long)
    assert kind is not None
    assert claimed_size(kind, io.BytesIO(long)) == (120, 70)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"Dear reader", "by its content is none of them"),
        (b"<svg xmlns='...'/>", "by its content is none of them"),
        (b"#EXTM3U\n/etc/passwd\n", "by its content is none of them"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "by its content is none of them"),
        (png(60_000, 60_000, b""), "60000 x 60000"),
        (b"GIF89a" + struct.pack("<HH", 65535, 65535) + bytes(20), "65535 x 65535"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, sentence: str
) -> None:
    # Nothing could be started.
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    path = tmp_path / "holiday.jpg"
    path.write_bytes(content)
    with pytest.raises(BadMedia, match=sentence) as caught:
        look(path)
    assert str(tmp_path) not in str(caught.value)


def test_folders_devices_and_missing_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BadMedia, match="is no file"):
            look(path)
    with pytest.raises(BadMedia, match="no such file"):
        look(tmp_path / "missing.mp4")


def test_a_long_file_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.write(MAGIC["MP4"])
        file.truncate(3 << 20)
    with pytest.raises(TooLarge, match=r"long\.mp4 has 3 MiB, and a file may have 1"):
        look(path, limits=Limits(size=1 << 20))


# Where it looks


@given(st.floats(0, 1e5), st.integers(1, 60))
def test_places_lie_in_the_clip_and_apart(seconds: float, looks: int) -> None:
    found = places(seconds, looks)
    assert 1 <= len(found) <= looks
    assert found[0] == 0
    assert all(later - earlier >= 0.99 for earlier, later in pairwise(found))
    assert seconds == 0 or found[-1] <= seconds


def test_a_clip_is_looked_at_in_its_beginning_middle_and_end() -> None:
    sights = look(DEMO)
    by_place = {place: [s.seconds for s in sights if s.place == place] for place in range(3)}
    assert [len(found) for found in by_place.values()] == [30, 30, 30]
    assert by_place[0][0] == 0
    assert 0.9 < by_place[0][-1] < by_place[1][0] < 4
    assert by_place[2][-1] > 6
    assert all(sight.luma.shape == (720, 1280) for sight in sights)


@pytest.mark.parametrize("options", [{}, {"g": "600"}])
def test_a_clip_with_one_key_picture_is_looked_at_everywhere(tmp_path: Path, options: dict[str, str]) -> None:
    sights = look(clip(tmp_path / "clip.mp4", 250, options=options))
    firsts = [min(s.seconds for s in sights if s.place == place) for place in range(3)]
    assert firsts[0] == 0
    assert 3 < firsts[1] < 5
    assert 5.5 < firsts[2] < 9.5


def test_a_clip_that_does_not_say_how_long_it_is_is_looked_at_from_its_beginning(tmp_path: Path) -> None:
    path = clip(tmp_path / "live.ts", 250, format="mpegts")
    with path.open("rb") as file, Sandbox(path, clock=monotonic) as opened:
        assert file
        assert len({sight.place for sight in opened}) == 3


@pytest.mark.parametrize(
    ("format", "codec", "pixels"),
    [
        ("mov", "libx264", "yuv420p10le"),
        ("webm", "libvpx", "yuv420p"),
        ("matroska", "mpeg4", "yuv420p"),
        ("avi", "mpeg4", "yuv420p"),
        ("ogg", "libtheora", "yuv420p"),
        ("mpegts", "libx264", "yuv444p"),
        ("gif", "gif", "rgb8"),
    ],
)
def test_every_kind_of_clip_is_read(tmp_path: Path, format: str, codec: str, pixels: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    sights = look(clip(tmp_path / "clip", 50, format=format, codec=codec, pixels=pixels))
    assert len(sights) > 20
    assert 35 < float(sights[0].luma.mean()) < 45 or format == "gif"


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
def test_a_still_is_one_sight(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"still{ending}"
    cv2.imwrite(str(path), picture())
    [sight] = look(path)
    assert sight.luma.shape == (48, 64)
    assert np.abs(sight.luma.astype(int) - picture()[:, :, 0]).max() <= 24


def test_a_phones_clip_is_turned_upright(tmp_path: Path) -> None:
    path = tmp_path / "turned.mp4"
    content = clip(tmp_path / "clip.mp4", 10).read_bytes()
    upright = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    quarter = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    at = content.rindex(upright)
    path.write_bytes(content[:at] + quarter + content[at + len(quarter) :])
    assert {sight.luma.shape for sight in look(path)} == {(64, 48)}


# What goes wrong


def test_an_endless_gif_ends(tmp_path: Path) -> None:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 16, 16, 0) + b"\x02\x02\x4c\x01\x00"
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    header = b"GIF89a" + struct.pack("<HHBBB", 16, 16, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    path = tmp_path / "endless.gif"
    path.write_bytes(header + loop + frame * 20_000)
    assert 1 <= len(look(path)) <= 90


def test_a_bomb_in_a_pictures_text_is_defused(tmp_path: Path) -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 26), 9))
    path = tmp_path / "bomb.png"
    path.write_bytes(png(16, 16, zlib.compress(bytes(16 * 17)), text))
    # The text does not fit into the decoder's memory, and nobody needs it.
    assert len(look(path, limits=Limits(memory=1 << 25))) == 1


def test_a_truncated_clip_shows_what_is_left(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(DEMO.read_bytes()[:300_000])
    assert {sight.place for sight in look(path)} == {0}


def test_a_clip_without_its_index_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(clip(tmp_path / "clip.mp4", 100).read_bytes()[:2000])
    with pytest.raises(BadMedia, match="damaged or cut off"):
        look(path)


def test_sound_alone_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w", format="mp4") as sink:
        stream = sink.add_stream("aac", rate=48_000)
        assert isinstance(stream, AudioStream)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 48_000
        sink.mux(stream.encode(silence))
        sink.mux(stream.encode(None))
    with pytest.raises(BadMedia, match=r"song\.mp4 has no picture in it"):
        look(path)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        (Limits(seconds=5), "says it lasts longer"),
        (Limits(pixels=100_000), "more pixels, and a picture may have 0 million"),
        (Limits(memory=1 << 20), "MiB to decode|cannot be read|its decoder down"),
        (Limits(wall=0.05), "took longer than 0 seconds"),
    ],
)
def test_a_clip_beyond_its_limits_is_refused(limits: Limits, sentence: str) -> None:
    with pytest.raises(BadMedia, match=sentence):
        look(DEMO, limits=limits)


@pytest.mark.parametrize("name", MAGIC)
def test_junk_behind_a_good_beginning_is_told_in_one_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / "junk"
    path.write_bytes(MAGIC[name] + np.random.default_rng(1).bytes(5000))
    with pytest.raises(BadMedia) as caught:
        look(path)
    assert caught.value.problem.startswith("junk")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(MAGIC)), st.binary(max_size=3000))
def test_the_decoder_answers_whatever_it_is_given(name: str, data: bytes) -> None:
    content = MAGIC[name] + data
    kind = sniff(content[:HEAD])
    assert kind is not None
    out = io.BytesIO()
    order = Order(demuxer=kind.demuxer, still=kind.still, looks=3, pixels=1 << 20, seconds=60, memory=0, cpu=0)
    decoding._decode(order, io.BytesIO(content), out)
    records = out.getvalue()
    tags = []
    while records:
        tag, _, _, _, _, length = HEADER.unpack(records[: HEADER.size])
        records = records[HEADER.size + length :]
        tags.append(Tag(tag))
    assert tags[-1] in {Tag.END, Tag.FAULT}


Program = Callable[[bytes], None]


@pytest.fixture
def decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a decoder in place that says what it is told to, as one would that a crafted file has taken over."""

    def say(words: bytes) -> None:
        (tmp_path / "words").write_bytes(words)
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\ncat '{tmp_path}/words'\nexec sleep 30\n")
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    return say


GOOD = HEADER.pack(Tag.CLIP, 0, 4, 2, 1.0, 0)


@pytest.mark.parametrize(
    "words",
    [
        HEADER.pack(Tag.PICTURE, 0, 4, 2, 0.0, 8) + bytes(8),
        HEADER.pack(99, 0, 4, 2, 0.0, 0),
        HEADER.pack(Tag.FAULT, 99, 0, 0, 0.0, 0),
        HEADER.pack(Tag.CLIP, 0, 4, 2, float("nan"), 0),
        GOOD + HEADER.pack(Tag.PICTURE, 0, 1 << 31, 1 << 31, 0.0, 0),
        GOOD + HEADER.pack(Tag.PICTURE, 0, 1 << 15, 1 << 15, 0.0, 1 << 30),
        GOOD + HEADER.pack(Tag.PICTURE, 0, 4, 2, 0.0, 9) + bytes(9),
        GOOD + HEADER.pack(Tag.PICTURE, 0, 0, 0, 0.0, 0),
        GOOD + (HEADER.pack(Tag.PICTURE, 0, 4, 2, 0.0, 8) + bytes(8)) * 91,
        GOOD + HEADER.pack(Tag.PICTURE, 7, 4, 2, 0.0, 8) + bytes(8),
        GOOD + HEADER.pack(Tag.PICTURE, 0, 4, 2, float("inf"), 8) + bytes(8),
    ],
)
def test_a_decoder_that_lies_is_not_believed(decoder: Program, words: bytes) -> None:
    decoder(words)
    with pytest.raises(BadMedia, match="makes no sense"):
        look(DEMO)


def test_a_decoder_that_hangs_is_ended(decoder: Program) -> None:
    decoder(GOOD)
    with pytest.raises(BadMedia, match="longer than 1 seconds"):
        look(DEMO, limits=Limits(wall=1))


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        ("kill -SEGV $$", "brought its decoder down"),
        ("kill -XCPU $$", "20 seconds of processor time"),
        ("exit 1", "brought its decoder down"),
    ],
)
def test_a_decoder_that_crashes_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, sentence: str
) -> None:
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{end}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(BadMedia, match=sentence):
        look(DEMO, limits=Limits())


def test_leaving_early_ends_the_decoder() -> None:
    with Sandbox(DEMO, clock=monotonic) as file:
        next(iter(file))
        decoder = file._decoder
        assert decoder is not None
        assert decoder.running
    assert not decoder.running


ATTEMPTS = {
    "file": "open('/etc/hostname')",
    "socket": "import _socket; _socket.socket()",
    "writing": "import os; os.write(os.dup2(1, 1), b''); open('/tmp/x', 'w')",
    "raising the limit": "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); open('/etc/hostname')",
    "memory": "bytearray(1 << 30)",
    "pipe": "import os; os.pipe()",
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_decoder_can_reach_nothing(attempt: str) -> None:
    code = (
        "import sys, os, resource, _socket\n"
        "from livefake.media import confine, decoding\n"
        f"order = decoding.Order(**{asdict(ORDER)!r})\n"
        "decoding._load(); confine.confine(memory=order.memory, cpu=order.cpu)\n"
        "try:\n"
        f"    {ATTEMPTS[attempt]}\n"
        "except (OSError, MemoryError, ValueError) as error:\n"
        "    sys.exit(7)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=120, capture_output=True)
    assert ended.returncode == 7, ended.stderr.decode()


def test_the_decoder_is_told_no_secret(decoder: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEFAKE_TOKEN", "secret-of-the-service")
    decoder(b"")
    program = Path(sys.executable)
    program.write_text(f"#!/bin/sh\nenv > '{tmp_path}/told'\n")
    with pytest.raises(BadMedia, match="brought its decoder down"):
        look(DEMO)
    told = (tmp_path / "told").read_text()
    assert "PYTHONPATH" in told
    assert "secret" not in told


def test_every_fault_has_a_sentence_of_its_own(decoder: Program) -> None:
    sentences = set()
    for fault in Fault:
        decoder(HEADER.pack(Tag.FAULT, fault, 0, 0, 0.0, 0))
        with pytest.raises(BadMedia) as caught:
            look(DEMO)
        sentences.add(caught.value.problem)
    assert len(sentences) == len(Fault)
    assert not any("makes no sense" in sentence for sentence in sentences)
