"""Outputs of a session: started, counted, started again after a failure, ended in good order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from livefake.clock import FakeClock
from livefake.errors import BadRequest, Busy, LivefakeError, NotFound
from livefake.media.encode.hub import Broadcast
from livefake.media.ports import Sink
from livefake.media.sound.bus import SoundBus
from livefake.media.webrtc.bitrate import Bitrate
from livefake.outputs import Output, OutputKind, Outputs, OutputState, Reading, Taps
from livefake.trust.consent import Output as Shown


class Way:
    """A way out that the test steers."""

    def __init__(self, target: str = "") -> None:
        self.place = target or "somewhere"
        self.reading = Reading(running=True)
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed = 0

    def read(self) -> Reading:
        return self.reading

    async def run(self) -> None:
        await self.ended

    async def close(self) -> None:
        self.closed += 1


class Stage:
    """Outputs of a session whose ways out, clock and pauses belong to the test."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ways: list[Way] = []
        self.pauses: list[float] = []
        self.refusals: list[LivefakeError] = []
        self.outputs = Outputs(
            Taps(self, Broadcast(bitrate=Bitrate(), clock=self.clock), SoundBus(), 7),
            {OutputKind.PUSH: self.make},
            clock=self.clock,
            sleep=self.sleep,
        )

    def make(self, taps: Taps, target: str) -> Output:
        assert taps.number == 7
        if self.refusals:
            raise self.refusals.pop()
        self.ways.append(Way(target))
        return self.ways[-1]

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def add(self, sink: Sink) -> None:
        raise AssertionError("nothing here takes raw pictures")

    async def remove(self, sink: Sink) -> None:
        raise AssertionError("nothing here takes raw pictures")

    def allow(self, output: Shown) -> None:
        raise AssertionError("nothing here needs a grant")

    def disallow(self, output: Shown) -> None:
        raise AssertionError("nothing here needs a grant")

    async def made(self, count: int) -> None:
        await self.until(lambda: len(self.ways) >= count)

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not reached():  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    made = Stage()
    yield made
    await made.outputs.close()


async def test_an_output_runs_and_tells_what_it_does(stage: Stage) -> None:
    report = stage.outputs.add(OutputKind.PUSH, "rtmp://there")
    assert (report.kind, report.place, report.state) == (OutputKind.PUSH, "rtmp://there", OutputState.RUNNING)
    stage.clock.advance(2000)
    stage.ways[0].reading = Reading(frames=60, dropped=3, bytes=50_000, delay_ms=70.0, running=True)
    (report,) = stage.outputs.reports()
    assert (report.frames, report.dropped, report.fps, report.bitrate) == (60, 3, 30.0, 200_000)
    assert (report.delay_ms, report.restarts, report.problem) == (70.0, 0, "")
    await stage.outputs.remove(report.id)
    assert stage.ways[0].closed
    assert stage.outputs.reports() == ()


async def test_a_failure_starts_it_again_after_longer_and_longer_pauses(stage: Stage) -> None:
    stage.outputs.add(OutputKind.PUSH)
    for index in range(7):
        await stage.made(index + 1)
        stage.ways[index].reading = Reading(frames=10, running=True)
        stage.ways[index].ended.set_exception(LivefakeError("The other end hung up."))
    await stage.until(lambda: len(stage.ways) == 8)
    assert stage.pauses == [1, 2, 4, 8, 16, 30, 30]
    assert all(way.closed for way in stage.ways[:7])
    (report,) = stage.outputs.reports()
    assert (report.restarts, report.frames) == (7, 70)


async def test_while_it_waits_the_reason_is_told(stage: Stage) -> None:
    stage.outputs.add(OutputKind.PUSH)
    stage.refusals = [LivefakeError("Nobody listens there.")] * 3
    stage.ways[0].ended.set_exception(LivefakeError("The other end hung up."))
    await stage.until(lambda: len(stage.pauses) == 2)
    (report,) = stage.outputs.reports()
    assert (report.state, report.problem) == (OutputState.WAITING, "Nobody listens there.")
    await stage.until(lambda: len(stage.ways) == 2)
    (report,) = stage.outputs.reports()
    assert (report.state, report.problem) == (OutputState.RUNNING, "")
    assert stage.pauses == [1, 2, 4, 8]


async def test_one_that_ran_for_long_starts_again_at_once(stage: Stage) -> None:
    stage.outputs.add(OutputKind.PUSH)
    for index in range(3):
        await stage.made(index + 1)
        await asyncio.sleep(0)
        stage.clock.advance(31_000)
        stage.ways[index].ended.set_exception(LivefakeError("The other end hung up."))
    await stage.until(lambda: len(stage.ways) == 4)
    assert stage.pauses == [1, 1, 1]


async def test_a_mistake_of_ours_is_logged_and_tried_again(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.outputs.add(OutputKind.PUSH)
    stage.ways[0].ended.set_exception(ZeroDivisionError())
    await stage.until(lambda: len(stage.ways) == 2)
    assert "ZeroDivisionError" in caplog.text


async def test_one_that_ends_by_itself_stays_ended(stage: Stage) -> None:
    stage.outputs.add(OutputKind.PUSH)
    stage.ways[0].ended.set_result(None)
    await stage.until(lambda: stage.outputs.reports()[0].state is OutputState.STOPPED)
    assert stage.pauses == []


async def test_what_cannot_be_had_is_told_at_once(stage: Stage) -> None:
    stage.refusals = [LivefakeError("There is no such device.")]
    with pytest.raises(LivefakeError, match="no such device"):
        stage.outputs.add(OutputKind.PUSH)
    with pytest.raises(BadRequest, match="no output virtual-camera"):
        stage.outputs.add(OutputKind.VIRTUAL_CAMERA)
    with pytest.raises(NotFound):
        await stage.outputs.remove("unknown")
    assert stage.outputs.reports() == ()


async def test_there_are_not_more_than_eight(stage: Stage) -> None:
    for _ in range(8):
        stage.outputs.add(OutputKind.PUSH)
    with pytest.raises(Busy, match="at most 8"):
        stage.outputs.add(OutputKind.PUSH)
    await stage.outputs.close()
    assert all(way.closed for way in stage.ways)
