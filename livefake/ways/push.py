"""The output that pushes a session to another machine: RTMP, RTMPS or SRT."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar, cast

from livefake.clock import Clock, milliseconds
from livefake.media.encode.coder import Format
from livefake.media.encode.feed import Encoded, Feed
from livefake.media.push.address import Address, parse_address
from livefake.media.push.link import Link
from livefake.media.push.sender import Sender, make_link
from livefake.media.sound.bus import Chunk, SoundTap
from livefake.outputs import MakeOutput, Output, Reading, Taps

__all__ = ["Push", "push_to"]

T = TypeVar("T")

_FAREWELL: Final = 2.0


class Push:
    """One run of a push. All that may wait happens on a thread of its own, one picture at a time.

    The feed is the only queue: while a picture is being sent, the next ones wait there, and a server that is too slow
    loses whole runs up to a key frame.

    Args:
        taps: where pictures and sound come from.
        address: where they go.
        clock: the service's monotonic clock.
        links: makes connections.
    """

    def __init__(
        self, taps: Taps, address: Address, *, clock: Clock, links: Callable[[Address], Link] = make_link
    ) -> None:
        self._taps = taps
        self._address = address
        self._clock = clock
        self._links = links
        # The first one is made here, so that a wrong option is told to whoever asked for the output.
        self._link = links(address)
        self._thread = ThreadPoolExecutor(1, "push")
        self._over = asyncio.Event()
        self._over.set()
        self._feed: Feed | None = None
        self._closed = False
        self._frames = self._bytes = self._lost = 0
        self._delay = 0.0
        self._running = False

    @property
    def place(self) -> str:
        """Scheme, host and port; the rest of the address is secret."""
        return self._address.place

    def read(self) -> Reading:
        """What it counted."""
        dropped = self._lost + (0 if self._feed is None else self._feed.dropped)
        return Reading(self._frames, dropped, self._bytes, self._delay, self._running)

    async def run(self) -> None:
        """Push until the session ends, or ``close`` is called.

        Raises:
            LivefakeError: nobody takes the stream, or no longer.
        """
        self._over.clear()
        try:
            while not self._closed and await self._connection():
                self._link = self._links(self._address)
        finally:
            self._over.set()
            self._thread.shutdown(wait=False)

    async def close(self) -> None:
        """End the stream in good order, or else within two seconds. Safe to call twice."""
        self._closed = True
        if self._feed is not None:
            self._feed.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._over.wait()
        self._link.cut()

    async def _connection(self) -> bool:
        """One connection; whether another one is wanted, because the pictures have got another size."""
        try:
            await self._waiting(self._link.open)
            # Taken once somebody listens: until then nothing need be encoded.
            feed = self._feed = self._taps.broadcast.feed(Format.H264, "push")
            sound = self._taps.sound.tap("push")
            try:
                return await self._stream(feed, sound)
            finally:
                feed.close()
                sound.close()
                self._feed = None
                self._lost += feed.dropped
        finally:
            self._running = False
            self._link.cut()

    async def _stream(self, feed: Feed, sound: SoundTap) -> bool:
        picture = await feed.take()
        if picture is None:
            return False
        size = picture.width, picture.height
        sender = Sender(self._address.scheme, self._link, size)
        end: Callable[[], None] | None = sender.drop
        try:
            while picture is not None and (picture.width, picture.height) == size:
                self._bytes += await self._waiting(partial(sender.send, picture, _due(sound, picture)))
                self._frames += 1
                self._delay = milliseconds(self._clock() - picture.arrived)
                self._running = True
                picture = await feed.take()
            await self._waiting(sender.finish)
            end = None
            return picture is not None
        finally:
            if end is not None:
                # Cut first: what is being sent ends at once, and the container is free.
                self._link.cut()
                self._thread.submit(end)

    async def _waiting(self, call: Callable[[], T]) -> T:
        """Let the own thread do something that may wait."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)


def _due(sound: SoundTap, picture: Encoded) -> list[Chunk]:
    """The sound that belongs to what was shown until this picture."""
    chunks = []
    while (chunk := sound.peek()) is not None and chunk.arrived <= picture.instant:
        chunks.append(cast(Chunk, sound.take_now()))
    return chunks


def push_to(clock: Clock) -> MakeOutput:
    """What makes pushes.

    Args:
        clock: the service's monotonic clock.
    """

    def make(taps: Taps, target: str) -> Output:
        return Push(taps, parse_address(target), clock=clock)

    return make
