from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from livefake.clock import monotonic
from livefake.flow.budget import Budget
from livefake.flow.timing import Timings
from livefake.frame import Frame
from livefake.media.holdcard import CardPainter
from livefake.media.reel import Reel, Screen
from livefake.rig import Outfit, Rig
from livefake.session import Others, Session, State
from livefake.studio import Studio
from livefake.swap.base import Swapper
from livefake.tally import Rate, Tally
from livefake.trust.seal import Sealed
from tests.footage import face_difference, footage

pytestmark = pytest.mark.models

PERSONA = "mara"


def session(studio: Studio, source: Reel, *, sabotage: Callable[[Rig], None] = lambda rig: None) -> Session:
    tally, timings = Tally(), Timings()
    rig = studio.rig(
        PERSONA,
        session=5,
        others=Others.BLUR,
        # How fast this machine is says nothing here: no step of quality is given up.
        budget=Budget(patience=50, learning=False),
        refine=False,
        clock=monotonic,
        cpu_clock=monotonic,
        observers=(tally, timings),
    )
    sabotage(rig)
    return Session(
        source,
        rig,
        number=5,
        persona=PERSONA,
        others=Others.BLUR,
        outfit=studio.outfit,
        painter=CardPainter(),
        tally=tally,
        timings=timings,
        clock=monotonic,
    )


def stamped(frames: Iterable[Frame]) -> Iterable[Frame]:
    """Frames that arrive when they are taken."""
    for index, frame in enumerate(frames):
        yield Frame(frame.i420.copy(), pts=index * 3000, arrived=monotonic())


def empty_room(frame: Frame) -> Frame:
    return Frame(np.full_like(frame.i420, 128), frame.pts, frame.arrived)


def raw_pictures(shown: Iterable[Sealed], originals: list[Frame]) -> int:
    """How many pictures show the camera's face unchanged."""
    count = 0
    for sealed in shown:
        if not sealed.card:
            count += face_difference(sealed.frame, originals[sealed.frame.pts // 3000]) < 4
    return count


async def play(studio: Studio, frames: list[Frame], **options: Callable[[Rig], None]) -> tuple[Session, Screen]:
    screen = Screen()
    running = session(studio, Reel(stamped(frames), gap=0.05), **options)
    running.add(screen)
    await running.run()
    return running, screen


async def test_faces_that_vanish_and_return_never_show_the_camera(studio: Studio) -> None:
    clip = footage(60)
    frames = [empty_room(frame) if 15 <= index < 45 else frame for index, frame in enumerate(clip)]
    running, screen = await play(studio, frames)
    swapped = [sealed.frame.pts // 3000 for sealed in screen.pictures if not sealed.card]
    assert raw_pictures(screen.pictures, frames) == 0
    assert any(index < 15 for index in swapped)
    assert any(index >= 45 for index in swapped)
    assert not any(15 <= index < 45 for index in swapped)
    assert any(sealed.card for sealed in screen.pictures)
    report = running.report()
    assert report.state is State.ENDED
    assert report.frames["arrived"] == 60
    assert report.frames["held"] > 0
    assert report.queue_depth <= 1


class Exploding:
    """A swapper that breaks on some frames, in front of the real one."""

    name = "exploding"

    def __init__(self, real: Swapper) -> None:
        self._real = real
        self._calls = 0

    def __call__(self, frame: Frame, face: object) -> object:
        self._calls += 1
        if 10 <= self._calls < 20:
            raise RuntimeError("out of memory")
        return self._real(frame, face)  # type: ignore[arg-type]


async def test_a_stage_that_raises_never_shows_the_camera(studio: Studio, caplog: pytest.LogCaptureFixture) -> None:
    frames = footage(40)
    exploding = Exploding(studio.outfit(PERSONA).swapper)
    running, screen = await play(studio, frames, sabotage=lambda rig: rig.wear(Outfit(exploding)))  # type: ignore[arg-type]
    assert raw_pictures(screen.pictures, frames) == 0
    counts = running.report().frames
    assert counts["failed"] == 10
    assert counts["swapped"] >= 15
    assert "out of memory" in caplog.text


async def test_a_source_that_stalls_brings_the_card(studio: Studio) -> None:
    class Stalling(Reel):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            async for frame in super().__aiter__():
                yield frame
            await asyncio.sleep(2.0)

    screen = Screen()
    running = session(studio, Stalling(stamped(footage(8)), gap=0.05))
    running.add(screen)
    await running.run()
    assert screen.pictures[-1].card
    assert screen.closed


async def test_a_sink_that_fails_does_not_take_the_others_with_it(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Screen):
        def show(self, sealed: Sealed) -> None:
            raise OSError("the disk is full")

    broken, good = Broken(), Screen()
    running = session(studio, Reel(stamped(footage(6)), gap=0.05))
    running.add(broken)
    running.add(good)
    await running.run()
    assert good.pictures
    assert "the disk is full" in caplog.text


async def test_the_persona_changes_between_two_frames(studio: Studio) -> None:
    other = next(card.id for card in studio.personas if card.id != PERSONA)
    screen = Screen()
    running = session(studio, Reel(stamped(footage(20)), gap=0.08))
    running.add(screen)
    task = asyncio.create_task(running.run())
    await asyncio.sleep(0.8)
    running.wear(other)
    await task
    assert running.report().persona == other
    first = next(index for index, sealed in enumerate(screen.pictures) if not sealed.card)
    assert not any(sealed.card for sealed in screen.pictures[first:])


async def test_a_session_that_is_cancelled_lets_go_of_everything(studio: Studio) -> None:
    screen, reel = Screen(), Reel(stamped(footage(200)), gap=0.05)
    running = session(studio, reel)
    running.add(screen)
    task = asyncio.create_task(running.run())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert screen.closed
    assert running.report().state is State.ENDED


def test_a_rate_counts_over_its_window_only() -> None:
    rate = Rate(window=1_000_000_000)
    for index in range(90):
        rate.add(index * 33_333_333)
    assert rate.read(90 * 33_333_333) == pytest.approx(30, abs=0.1)
    assert rate.read(20_000_000_000) == 0


async def test_a_picture_too_small_for_the_label_shows_nothing_but_a_larger_card(studio: Studio) -> None:
    tiny = [Frame(np.full((48, 48), 128, np.uint8), index * 3000, 0) for index in range(8)]
    screen = Screen()
    running = session(studio, Reel(stamped(tiny), gap=0.1))
    running.add(screen)
    await running.run()
    assert screen.pictures
    assert all(sealed.card for sealed in screen.pictures)
    assert running.report().quality == "mesh warp alone"
