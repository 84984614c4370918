from __future__ import annotations

from pathlib import Path

import av
import pytest

from livefake.clock import monotonic
from livefake.errors import BadMedia, LivefakeError
from livefake.flow.timing import Timings
from livefake.media.holdcard import CardPainter
from livefake.media.picture import to_frame
from livefake.offline import FileReport, patient_budget, swap_file
from livefake.resources import models_folder
from livefake.session import Others
from livefake.studio import Studio
from livefake.trust.provenance import Provenancer, State, read_provenance
from livefake.trust.watermark.detect import Detector
from tests.footage import CLIP, cut, face_difference, footage

pytestmark = pytest.mark.models


def keys(target: Path) -> Path:
    """A data folder beside the test's own, where nothing that is left behind could hide."""
    return Path(f"{target.parent}-keys")


def run(studio: Studio, source: Path, target: Path) -> FileReport:
    rig = studio.rig(
        "mara",
        session=77,
        others=Others.BLUR,
        budget=patient_budget(),
        clock=monotonic,
        cpu_clock=monotonic,
        observers=(Timings(),),
    )
    provenancer = Provenancer(keys(target))
    return swap_file(
        source,
        target,
        rig,
        CardPainter(),
        sign=lambda half, whole: provenancer.sign(half, whole, session=77, payload=rig.payload, grant=None),
        clock=monotonic,
        progress=lambda done, total: None,
    )


def test_a_file_is_swapped_frame_by_frame_with_its_sound(studio: Studio, tmp_path: Path) -> None:
    source, target = cut(CLIP, tmp_path / "in.mp4", 1.5), tmp_path / "out.mp4"
    report = run(studio, source, target)
    assert report.swapped == report.frames >= 44
    with av.open(str(source)) as before, av.open(str(target)) as after:
        sounds = [
            [bytes(packet) for packet in container.demux(audio=0) if packet.size] for container in (before, after)
        ]
        assert sounds[0] == sounds[1]
    detector = Detector()
    with av.open(str(target)) as container:
        assert "AI" in container.metadata["comment"]
        for index, (picture, original) in enumerate(zip(container.decode(video=0), footage(40), strict=False)):
            frame = to_frame(picture, 0)
            assert face_difference(frame, original) > 4, f"frame {index} shows the camera's face"
            detector.add(frame.y)
    reading = detector.read()
    assert reading.present
    assert reading.payload is not None
    assert reading.payload.session == 77
    assert reading.payload.issuer == 0x123456
    found = read_provenance(target, trusted=Provenancer(keys(target)).trusted)
    assert (found.state, found.payload) == (State.VALID, reading.payload)


@pytest.mark.parametrize("name", ["out.jpg", "out.PNG"])
def test_a_picture_is_swapped_into_a_signed_picture(name: str, studio: Studio, tmp_path: Path) -> None:
    source, target = models_folder() / "demo" / "still.jpg", tmp_path / name
    report = run(studio, source, target)
    assert (report.frames, report.swapped) == (1, 1)
    found = read_provenance(target, trusted=Provenancer(keys(target)).trusted)
    assert (found.state, found.session) == (State.VALID, 77)
    frames = []
    for path in (source, target):
        with av.open(str(path)) as container:
            frames += [to_frame(picture, 0) for picture in container.decode(video=0)]
    assert face_difference(frames[1], frames[0]) > 4
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_film_does_not_become_a_picture(studio: Studio, tmp_path: Path) -> None:
    source = cut(CLIP, tmp_path / "in.mp4", 0.3)
    with pytest.raises(BadMedia, match="can hold one picture"):
        run(studio, source, tmp_path / "out.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_what_cannot_be_signed_is_not_written(studio: Studio, tmp_path: Path) -> None:
    source, target = cut(CLIP, tmp_path / "in.mp4", 0.3), tmp_path / "out.mp4"
    damaged = keys(target) / "provenance" / "signer.pem"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("damaged")
    with pytest.raises(LivefakeError, match="is damaged"):
        run(studio, source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_frames_without_a_face_are_held_and_then_carded(studio: Studio, tmp_path: Path) -> None:
    source = cut(CLIP, tmp_path / "in.mp4", 3.5, blank=(0.5, 3.0))
    report = run(studio, source, tmp_path / "out.mp4")
    assert report.held > 20
    assert report.carded > 20
    assert report.swapped + report.held + report.carded == report.frames
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        times = [[float(picture.time) for picture in container.decode(video=0)] for container in (before, after)]
        assert times[0] == pytest.approx(times[1], abs=0.002)


def test_what_cannot_be_read_is_one_sentence_and_leaves_nothing_behind(studio: Studio, tmp_path: Path) -> None:
    bad, target = tmp_path / "bad.mp4", tmp_path / "out.mp4"
    bad.write_bytes(b"this is not a video" * 100)
    with pytest.raises(BadMedia, match=r"bad\.mp4 cannot be read as a video"):
        run(studio, bad, target)
    with pytest.raises(BadMedia, match=r"nothing\.mp4 cannot be read"):
        run(studio, tmp_path / "nothing.mp4", target)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.mp4"]


def test_a_place_that_cannot_be_written_is_told(studio: Studio, tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match="cannot be written"):
        run(studio, CLIP, tmp_path / "no such folder" / "out.mp4")


def test_the_input_is_never_overwritten(studio: Studio, tmp_path: Path) -> None:
    source = cut(CLIP, tmp_path / "in.mp4", 0.3)
    before = source.read_bytes()
    with pytest.raises(BadMedia, match="is the input itself"):
        run(studio, source, source)
    assert source.read_bytes() == before
