"""One stream of frames out of several that follow each other, because a performer's connection may be made anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from livefake.clock import Nanos
from livefake.frame import Frame
from livefake.media.ports import Source

__all__ = ["FORGIVEN", "Splice"]

FORGIVEN: Final[Nanos] = 5_000_000_000
"""A gap up to this long does not count as the performer's absence: it is the time a connection takes to come back."""

_NOTICED: Final[Nanos] = 1_500_000_000
"""A gap up to this long needs no forgiving: whoever waits for the performer has more patience than that."""

_STEP: Final[Nanos] = 33_333_333


class Splice:
    """A source that goes on with another one when the one it takes its frames from has ended.

    The times of its frames only rise. Across a change they follow the instants at which the frames arrived, except
    that a gap of 1.5 to 5 s counts as one frame: during it nobody could be seen, and the same page is at the other
    end. After a longer one it counts in full, so that a person has to say that it is still the same performer.

    For one event loop.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._changed = asyncio.Event()
        self._closed = False
        self._fresh = False
        self._last: tuple[Nanos, Nanos] | None = None
        self._shift: Nanos = 0

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        """The next frame of whichever source is followed.

        Raises:
            BadMedia: see that source.
        """
        while not self._closed:
            source = self._source
            try:
                frame = await anext(aiter(source))
            except StopAsyncIteration:
                await self._next(source)
                continue
            if source is self._source and not self._closed:
                return self._placed(frame)
        raise StopAsyncIteration

    async def follow(self, source: Source) -> None:
        """Take the frames of another source from now on, and close the one before."""
        before, self._source = self._source, source
        self._fresh = True
        self._changed.set()
        await before.close()
        if self._closed:
            await source.close()

    async def close(self) -> None:
        """End the stream, and the source that is followed. Safe to call twice."""
        self._closed = True
        self._changed.set()
        await self._source.close()

    async def _next(self, ended: Source) -> None:
        while self._source is ended and not self._closed:
            self._changed.clear()
            await self._changed.wait()

    def _placed(self, frame: Frame) -> Frame:
        own = frame.instant
        if self._fresh and self._last is not None:
            instant, arrived = self._last
            gap = max(frame.arrived - arrived, _STEP)
            self._shift = instant + (_STEP if _NOTICED < gap <= FORGIVEN else gap) - own
        self._fresh = False
        if self._shift:
            frame.pts += round(self._shift / 1_000_000_000 / frame.time_base)
        self._last = own + self._shift, frame.arrived
        return frame
