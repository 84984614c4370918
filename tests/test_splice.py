from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from livefake.clock import Nanos
from livefake.frame import RTP_CLOCK, Frame
from livefake.media.ports import Source
from livefake.media.splice import FORGIVEN, Splice

MS = 1_000_000
STEP = 33_333_333
GREY = np.full((6, 4), 128, np.uint8)


def frame(pts: int, arrived_ms: float, time_base: Fraction = RTP_CLOCK) -> Frame:
    return Frame(GREY, pts, round(arrived_ms * MS), time_base)


class Pipe:
    """A source that the test feeds."""

    def __init__(self, *frames: Frame | None) -> None:
        self._frames: asyncio.Queue[Frame | None] = asyncio.Queue()
        self.closed = 0
        for each in frames:
            self.put(each)

    def put(self, each: Frame | None) -> None:
        self._frames.put_nowait(each)

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        each = await self._frames.get()
        if each is None:
            self.put(None)
            raise StopAsyncIteration
        return each

    async def close(self) -> None:
        self.closed += 1
        self.put(None)


async def across(gap_ms: float, *, base: int = 2**31, time_base: Fraction = RTP_CLOCK) -> Nanos:
    """How much later than the last frame before a change the first one after it counts as taken."""
    splice = Splice(Pipe(frame(9000, 100), frame(12000, 133)))
    for _ in range(2):
        last = await anext(splice)
    await splice.follow(Pipe(frame(base, 133 + gap_ms, time_base)))
    first = await anext(splice)
    await splice.close()
    return first.instant - last.instant


async def test_frames_of_one_source_pass_as_they_are() -> None:
    splice: Source = Splice(Pipe(frame(9000, 100), frame(12000, 133)))
    assert [(await anext(aiter(splice))).pts for _ in range(2)] == [9000, 12000]


async def test_the_stream_waits_for_the_next_source_when_one_ends() -> None:
    first, second = Pipe(frame(9000, 100), None), Pipe()
    splice = Splice(first)
    await anext(splice)
    waiting = asyncio.ensure_future(anext(splice))
    await asyncio.sleep(0)
    assert not waiting.done()
    await splice.follow(second)
    assert first.closed
    second.put(frame(7, 200))
    assert (await waiting).arrived == 200 * MS


async def test_what_comes_late_from_the_source_before_is_left_out() -> None:
    first, second = Pipe(), Pipe()
    splice = Splice(first)
    waiting = asyncio.ensure_future(anext(splice))
    await asyncio.sleep(0)
    first.put(frame(1, 10))
    await splice.follow(second)
    second.put(frame(2, 20))
    assert (await waiting).arrived == 20 * MS


async def test_closing_ends_the_stream_and_the_source_wherever_it_stands() -> None:
    for source in (Pipe(frame(1, 1)), Pipe(frame(1, 1), None)):
        splice = Splice(source)
        await anext(splice)
        rest = asyncio.create_task(all_of(splice))
        await asyncio.sleep(0)
        await splice.close()
        assert await rest == []
        assert source.closed
        late = Pipe()
        await splice.follow(late)
        assert late.closed
        await splice.close()


async def all_of(source: Source) -> list[Frame]:
    return [each async for each in source]


async def test_a_short_gap_counts_as_it_was_one_of_a_reconnection_as_one_frame_a_long_one_in_full() -> None:
    assert abs(await across(500) - 500 * MS) < MS
    assert abs(await across(3000) - STEP) < MS
    assert abs(await across(FORGIVEN / MS + 1) - FORGIVEN) < 2 * MS
    assert abs(await across(20_000) - 20_000 * MS) < MS
    assert abs(await across(500, time_base=Fraction(1, 1000)) - 500 * MS) <= MS


@given(st.floats(0, 60_000), st.integers(0, 2**32 - 1))
def test_time_only_rises_across_a_change(gap_ms: float, base: int) -> None:
    assert asyncio.run(across(gap_ms, base=base)) >= STEP - MS
