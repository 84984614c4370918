from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from livefake.clock import FakeClock
from livefake.errors import BadInput, BadMedia
from livefake.frame import Frame
from livefake.media.local import LocalPerformer
from livefake.media.player import play
from livefake.media.sound.bus import Chunk
from tests.album import grey_frame
from tests.footage import CLIP, cut

FRAMES = 16
START = 5_000_000_000


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut(CLIP, tmp_path_factory.mktemp("clip") / "short.mp4", (FRAMES - 1) / 30)


class Time:
    """A clock that the player's sleeping moves on."""

    def __init__(self) -> None:
        self.clock = FakeClock(START)
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds * 1000)

    def play(self, path: Path, *, again: bool = False) -> Generator[Frame | Chunk]:
        return play(path, again=again, clock=self.clock, sleep=self.sleep)


def test_pictures_come_out_when_they_are_due(clip: Path) -> None:
    time = Time()
    frames = [item for item in time.play(clip) if isinstance(item, Frame)]
    assert len(frames) == FRAMES
    gaps = np.diff([frame.arrived for frame in frames]) / 1e6
    assert gaps == pytest.approx(33.3, abs=0.1)
    assert frames[0].arrived == START


def test_sound_comes_out_with_the_picture_that_it_belongs_to(clip: Path) -> None:
    items = list(Time().play(clip))
    chunks = [item for item in items if isinstance(item, Chunk)]
    seconds = sum(len(chunk.samples) for chunk in chunks) / 48_000
    assert FRAMES / 30 - 0.1 < seconds <= FRAMES / 30 + 0.05
    shown = START
    for item in items:
        if isinstance(item, Frame):
            shown = item.arrived
        else:
            assert item.arrived <= shown + 34_000_000
            assert item.samples.dtype == np.int16


def test_a_file_begins_anew_without_a_jump(clip: Path) -> None:
    items = (item for item in Time().play(clip, again=True) if isinstance(item, Frame))
    frames = list(islice(items, 3 * FRAMES))
    assert np.diff([frame.instant for frame in frames]) / 1e6 == pytest.approx(33.3, abs=1)
    assert np.diff([frame.arrived for frame in frames]) / 1e6 == pytest.approx(33.3, abs=1)


def test_a_player_that_was_held_up_goes_on_from_now(clip: Path) -> None:
    time = Time()
    items = (item for item in time.play(clip) if isinstance(item, Frame))
    next(items)
    time.clock.advance(10_000)
    time.slept.clear()
    assert len(list(items)) == FRAMES - 1
    assert sum(time.slept) == pytest.approx((FRAMES - 2) / 30, abs=0.01)


@pytest.mark.parametrize("content", [b"", b"no video"])
def test_what_is_no_video_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(content)
    with pytest.raises(BadMedia):
        list(Time().play(path))


# On a thread


def chunk() -> Chunk:
    return Chunk(np.zeros((480, 2), np.int16), 0)


async def test_frames_and_sound_reach_the_event_loop() -> None:
    heard: list[Chunk] = []

    def items() -> Generator[Frame | Chunk]:
        yield chunk()
        yield grey_frame()

    performer = LocalPerformer(lambda: closing(items()))
    performer.hear(heard.append)
    assert await performer.accept("") == ""
    assert len([frame async for frame in performer.source]) <= 1, "the end may overtake a picture, never the reverse"
    await performer.wait_closed()
    await performer.close()
    assert len(heard) == 1
    assert performer.problem is None


async def test_what_ends_the_reading_is_told_to_who_iterates() -> None:
    def items() -> Generator[Frame | Chunk]:
        yield grey_frame()
        raise BadMedia("The cable was pulled.")

    performer = LocalPerformer(lambda: closing(items()))
    await performer.accept("")
    with pytest.raises(BadMedia, match="cable"):
        [frame async for frame in performer.source]
    assert str(performer.problem) == "The cable was pulled."
    await performer.close()


async def test_a_slow_loop_gets_the_newest_and_nothing_piles_up() -> None:
    heard: list[Chunk] = []
    all_out, may_end = threading.Event(), threading.Event()

    def items() -> Generator[Frame | Chunk]:
        for number in range(300):
            frame = grey_frame()
            frame.pts = number
            yield frame
            yield chunk()
        all_out.set()
        may_end.wait(10)

    performer = LocalPerformer(lambda: closing(items()))
    performer.hear(heard.append)
    await performer.accept("")
    # The loop stands still meanwhile.
    all_out.wait(10)
    frame = await anext(performer.source)
    assert frame.pts == 299
    assert len(heard) == 100
    may_end.set()
    await performer.close()


async def test_closing_releases_the_camera_and_it_takes_no_candidates() -> None:
    left: list[str] = []

    def items() -> Generator[Frame | Chunk]:
        try:
            while True:
                yield grey_frame()
        finally:
            left.append("released")

    performer = LocalPerformer(lambda: closing(items()))
    await performer.accept("")
    await anext(performer.source)
    with pytest.raises(BadInput):
        await performer.trickle("")
    await performer.close()
    await performer.close()
    assert left == ["released"]
    assert [frame async for frame in performer.source] == []
