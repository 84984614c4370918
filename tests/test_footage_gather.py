from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from livefake.clock import FakeClock
from livefake.engine.factory import engines
from livefake.engine.weights import Weights
from livefake.errors import BadInput, ConsentError
from livefake.faces.detect import Detector
from livefake.faces.landmarks import LandmarkNet
from livefake.frame import Bytes, Floats
from livefake.resources import models_folder
from livefake.settings import read_settings
from livefake.training.footage.extract import Eyes
from livefake.training.footage.gather import Gathered, Told, gather
from livefake.training.footage.sources import FASTEST, fingerprint, list_footage, read_frames
from livefake.training.footage.takes import Takes
from tests.footage import footage

PERSON = np.eye(1, 128, dtype=np.float32)[0]
SOMEBODY_ELSE = np.eye(1, 128, 7, dtype=np.float32)[0]


def write_clip(path: Path, pictures: Sequence[Bytes], *, rate: int = 30) -> Path:
    with av.open(str(path), "w") as writer:
        out = writer.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "20"})
        out.height, out.width = pictures[0].shape[:2]
        for picture in pictures:
            writer.mux(out.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        writer.mux(out.encode(None))
    return path


def demo(count: int) -> list[Bytes]:
    return [np.asarray(cv2.resize(frame.bgr(), (640, 360)), np.uint8) for frame in footage(count)]


class Described:
    """Stands for the identity network: everybody is one person, until it is told otherwise; counts the faces."""

    def __init__(self) -> None:
        self.faces = 0
        self.person = PERSON

    def __call__(self, faces: Sequence[tuple[Bytes, Floats]]) -> Floats:
        self.faces += len(faces)
        return np.tile(self.person, (len(faces), 1))


@pytest.fixture
def described() -> Described:
    return Described()


@pytest.fixture(scope="module")
def networks() -> tuple[Detector, LandmarkNet]:
    chosen = read_settings(os.environ)
    weights = Weights(models_folder() / "manifest.toml", chosen.cache / "weights")
    weights.fetch(print)
    found, read = (engines(None, exact=True).load(weights.path(name)) for name in ("face-detector", "face-mesh"))
    return Detector(found), LandmarkNet(read)


@pytest.fixture
def eyes(networks: tuple[Detector, LandmarkNet], described: Described) -> Eyes:
    return Eyes(*networks, described)


def run(eyes: Eyes, work: Path, *places: Path, told: list[Told] | None = None) -> Gathered:
    tell = (lambda _: None) if told is None else told.append
    return gather(places, work, eyes, PERSON, clock=FakeClock(), tell=tell)


@pytest.mark.models
def test_a_clip_becomes_takes_and_every_face_in_it_was_described(
    eyes: Eyes, described: Described, tmp_path: Path
) -> None:
    told: list[Told] = []
    clip = write_clip(tmp_path / "clip.mp4", demo(20))
    found = run(eyes, tmp_path / "work", clip, told=told)
    assert (found.looked_at, found.seen, described.faces) == (20, 20, 20)
    assert found.median == 0
    takes = Takes(found.folder)
    assert 1 <= len(takes) == len(found.measures)
    assert {take.file for take in takes} == {"clip.mp4"}
    face = takes[0].points[:, :2]
    # Two thirds of the crop, in its middle.
    assert np.abs((face.min(0) + face.max(0)) / 2 - 192).max() < 12
    assert np.ptp(face, axis=0).max() == pytest.approx(256, abs=8)
    assert [one.frames for one in told] == list(range(1, 21))
    assert told[-1] == Told("clip.mp4", 1, 1, 20, 20)


@pytest.mark.models
def test_a_second_run_reads_nothing_again_and_finds_the_same(eyes: Eyes, described: Described, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", demo(10))
    first = run(eyes, tmp_path / "work", clip)
    described.faces = 0
    second = run(eyes, tmp_path / "work", clip.rename(tmp_path / "again.mp4"))
    assert described.faces == 0
    assert second.measures == first.measures


@pytest.mark.models
def test_a_run_that_was_stopped_goes_on_where_it_was(eyes: Eyes, described: Described, tmp_path: Path) -> None:
    one, two = write_clip(tmp_path / "1.mp4", demo(6)), write_clip(tmp_path / "2.mp4", demo(9))

    def stop(now: Told) -> None:
        if (now.number, now.frames) == (2, 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gather([one, two], tmp_path / "work", eyes, PERSON, clock=FakeClock(), tell=stop)
    described.faces = 0
    assert run(eyes, tmp_path / "work", one, two).seen == 15
    assert described.faces == 9


@pytest.mark.models
def test_a_broken_file_is_one_sentence_and_the_others_go_on(eyes: Eyes, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 200, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "still.png"), demo(1)[0])
    found = run(eyes, tmp_path / "work", tmp_path)
    assert len(found.problems) == 3
    assert [any(name in one for one in found.problems) for name in ("broken.mp4", "broken.jpg", "wall.png")] == [
        True
    ] * 3
    assert len(Takes(found.folder)) == 1


@pytest.mark.models
def test_footage_without_a_usable_face_says_what_was_expected(eyes: Eyes, tmp_path: Path) -> None:
    small = np.full((360, 640, 3), 120, np.uint8)
    small[100:190, 200:360] = cv2.resize(demo(1)[0], (160, 90))
    cv2.imwrite(str(tmp_path / "small.png"), small)
    with pytest.raises(BadInput, match="one clear, well lit face of 100 pixels or more was expected"):
        run(eyes, tmp_path / "work", tmp_path)


@pytest.mark.models
def test_somebody_else_refuses_the_run_and_nothing_of_them_is_kept(
    eyes: Eyes, described: Described, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mp4", demo(8))
    described.person = SOMEBODY_ELSE
    with pytest.raises(ConsentError, match=r"Somebody else is in clip\.mp4 at 0:00"):
        run(eyes, tmp_path / "work", clip)
    assert not list((tmp_path / "work").rglob("*.npz"))


@pytest.mark.models
def test_what_was_kept_is_judged_again_by_another_grant(eyes: Eyes, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", demo(8))
    run(eyes, tmp_path / "work", clip)
    with pytest.raises(ConsentError, match="Somebody else"):
        gather([clip], tmp_path / "work", eyes, SOMEBODY_ELSE, clock=FakeClock(), tell=lambda _: None)


@pytest.mark.models
def test_two_people_in_a_frame_refuse_the_run(eyes: Eyes, tmp_path: Path) -> None:
    half = demo(1)[0][:, 140:500]
    cv2.imwrite(str(tmp_path / "both.png"), np.hstack([half, half]))
    with pytest.raises(ConsentError, match=r"Two faces are in both\.png"):
        run(eyes, tmp_path / "work", tmp_path / "both.png")


def test_folders_are_searched_and_other_files_passed_over(tmp_path: Path) -> None:
    for name in ("b.MP4", "a/c.jpg", "notes.txt", ".hidden/d.mp4", "a/.e.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = list_footage([tmp_path, tmp_path / "b.MP4"])
    assert [path.name for path in found] == ["c.jpg", "b.MP4"]
    with pytest.raises(BadInput, match="does not exist"):
        list_footage([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="none are there"):
        list_footage([tmp_path / "empty"])


def test_a_fast_camera_is_thinned(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "fast.mp4", [np.full((64, 64, 3), 100, np.uint8)] * 60, rate=60)
    times = [seconds for seconds, _ in read_frames(clip, clock=FakeClock())]
    assert len(times) == FASTEST
    assert min(np.diff(times)) == pytest.approx(1 / FASTEST, abs=2e-3)


def test_a_fingerprint_follows_the_bytes_not_the_name(tmp_path: Path) -> None:
    one, two, three = (tmp_path / name for name in ("1", "2", "3"))
    one.write_bytes(b"a" * 3_000_000)
    two.write_bytes(b"a" * 3_000_000)
    three.write_bytes(b"a" * 2_999_999 + b"b")
    assert fingerprint(one) == fingerprint(two) != fingerprint(three)
