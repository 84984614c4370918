from __future__ import annotations

import math
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livefake.clock import FakeClock
from livefake.media.file import FileReader
from livefake.training.footage.sightings import Sightings, joined
from livefake.training.footage.sources import PIECE, pieces_of, read_frames


def a_clip(path: Path, count: int, *, rate: int = 10, every_key: int = 12) -> Path:
    """A clip whose frames get brighter, with few places to search for."""
    with av.open(str(path), "w") as writer:
        options = {"preset": "ultrafast", "g": str(every_key), "sc_threshold": "0"}
        video = writer.add_stream("libx264", rate=rate, options=options)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for number in range(count):
            picture = np.full((32, 32, 3), 20 + number, np.uint8)
            writer.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        writer.mux(video.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 200)


def test_pieces_that_meet_give_every_frame_once(clip: Path) -> None:
    whole = [at for at, _ in read_frames(clip, clock=FakeClock())]
    pieces = pieces_of(clip, clock=FakeClock())
    assert len(whole) == 200
    assert [begin for begin, _ in pieces] == [0.0, PIECE]
    assert pieces[-1][1] == math.inf
    found = [at for begin, end in pieces for at, _ in read_frames(clip, clock=FakeClock(), begin=begin, end=end)]
    assert found == pytest.approx(whole)


@settings(deadline=None, max_examples=12)
@given(cut=st.floats(0.0, 20.0))
def test_a_cut_anywhere_loses_no_frame_and_doubles_none(clip: Path, cut: float) -> None:
    first = [at for at, _ in read_frames(clip, clock=FakeClock(), end=cut)]
    second = [at for at, _ in read_frames(clip, clock=FakeClock(), begin=cut)]
    assert len(first) + len(second) == 200
    assert sorted({*first, *second}) == first + second


def test_a_piece_shows_the_pictures_of_its_own_time(clip: Path) -> None:
    at, frame = next(read_frames(clip, clock=FakeClock(), begin=PIECE))
    assert at == pytest.approx(PIECE)
    assert abs(float(frame.bgr().mean()) - (20 + 10 * PIECE)) < 4


def test_a_picture_is_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "one.png"
    cv2.imwrite(str(path), np.full((64, 64, 3), 90, np.uint8))
    assert pieces_of(path, clock=FakeClock()) == ((0.0, math.inf),)


def test_a_file_says_how_long_it_is_and_when_it_starts(clip: Path) -> None:
    with FileReader(clip, clock=FakeClock()) as reader:
        assert reader.seconds == pytest.approx(20, abs=0.2)
        assert reader.start == pytest.approx(0, abs=0.2)


def some_sightings(count: int, tracks: list[int], begin: float) -> Sightings:
    return Sightings(
        seconds=(begin + np.arange(count) / 10).astype(np.float32),
        faces=np.ones(count, np.int32),
        tracks=np.array(tracks, np.int32),
        turns=np.zeros((count, 2), np.float32),
        embeddings=np.zeros((count, 128), np.float32),
        looked_at=count + 1,
    )


def test_joined_pieces_are_one_file_and_no_track_runs_over_an_edge() -> None:
    whole = joined([some_sightings(3, [1, 1, 2], 0), some_sightings(0, [], 8), some_sightings(2, [1, 1], 16)])
    assert whole.tracks.tolist() == [1, 1, 2, 3, 3]
    assert whole.looked_at == 8
    assert (np.diff(whole.seconds) > 0).all()
