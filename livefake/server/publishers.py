"""Programs that publish a camera with a stream key, and the sessions that they opened."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from livefake.clock import Clock
from livefake.errors import Busy, ConsentError, LivefakeError, NotFound
from livefake.server.ports import PerformerPort
from livefake.server.room import Room
from livefake.server.rooms import Rooms
from livefake.server.streamkeys import USUAL_MINUTES, StreamKey, StreamKeys, Target
from livefake.sessions import Order

__all__ = ["Publishers", "Stream"]

_CHECK: Final = 0.5
"""Seconds between two looks at whether a session's key still holds."""

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """What one program publishes.

    Attributes:
        id: last part of its address; unguessable, but not enough without the key.
        room: its session with everybody in it.
        problems: what was wrong with outputs that the session should have begun with.
    """

    id: str
    room: Room
    problems: tuple[str, ...] = field(default=(), repr=False)


class Publishers:
    """Makes stream keys and lets programs publish with them; used on the event loop only.

    Args:
        rooms: where sessions are opened.
        connect: makes an unconnected peer for a publisher.
        clock: the service's monotonic clock, by which keys run out.
    """

    def __init__(self, rooms: Rooms, *, connect: Callable[[], PerformerPort], clock: Clock) -> None:
        self._rooms = rooms
        self._connect = connect
        self._clock = clock
        self._keys = StreamKeys()
        self._streams: dict[str, Stream] = {}
        self._watching: set[asyncio.Task[None]] = set()

    def make(self, order: Order, targets: Sequence[Target] = (), minutes: int = USUAL_MINUTES) -> tuple[StreamKey, str]:
        """Make a key; see ``StreamKeys.make``."""
        return self._keys.make(order, targets, now=self._clock(), minutes=minutes)

    def all(self) -> list[tuple[StreamKey, Stream | None]]:
        """The keys that hold, each with what is published with it now."""
        return [(key, self._streams.get(key.id)) for key in self._keys.all(self._clock())]

    def find(self, secret: str) -> StreamKey | None:
        """The key with that secret, if it holds."""
        return self._keys.find(secret, self._clock())

    def stream(self, key: StreamKey, id: str) -> Stream:
        """What is published with a key at that address.

        Raises:
            NotFound: it has ended, or there never was such a one.
        """
        stream = self._streams.get(key.id)
        if stream is None or stream.id != id:
            raise NotFound("Nothing is published at this address any more.", "Publish anew.")
        return stream

    async def publish(self, key: StreamKey, offer: str) -> tuple[Stream, str]:
        """Connect a program and start its session. One that already publishes with the key makes way: after a
        crash or a lost network the same program comes back before its old connection is given up.

        Returns:
            The stream and the SDP answer.

        Raises:
            Busy: every place is taken, or another program was quicker with the same key.
            BadRequest: the offer cannot be answered.
            NotFound: the persona is gone.
            ConsentError: the key was revoked meanwhile, or the persona may not be worn.
        """
        await self._end(key.id)
        room, answer = await self._rooms.host(self._connect, offer, key.order)
        if not self._keys.holds(key.id, self._clock()) or key.id in self._streams:
            await self._rooms.end(room)
            if key.id in self._streams:
                raise Busy("Another program publishes with this key.", "Make a key for each program.")
            raise ConsentError("The stream key was revoked.", "Make a new one on the page of livefake.")
        stream = Stream(secrets.token_urlsafe(12), room, tuple(_begin(room, key.targets)))
        self._streams[key.id] = stream
        watching = asyncio.create_task(self._watch(key, stream))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        _LOG.info("Session %d is published with a stream key.", room.entry.session.number)
        return stream, answer

    async def leave(self, key: StreamKey, id: str) -> None:
        """End what a program publishes; what has ended already is what was wanted."""
        with suppress(NotFound):
            await self._rooms.end(self.stream(key, id).room)

    async def revoke(self, id: str) -> None:
        """Take a key back, and disconnect whoever publishes with it and everybody who watches.

        Raises:
            NotFound: there is no such key.
        """
        self._keys.revoke(id)
        await self._end(id)

    async def close(self) -> None:
        """Return when nothing is published any more; the rooms are closed meanwhile."""
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def _end(self, id: str) -> None:
        stream = self._streams.pop(id, None)
        if stream is not None:
            await self._rooms.end(stream.room)

    async def _watch(self, key: StreamKey, stream: Stream) -> None:
        """End the session with its key, and forget it when it ends by itself."""
        try:
            while self._keys.holds(key.id, self._clock()):
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CHECK):
                        await stream.room.empty.wait()
                    return
            await self._rooms.end(stream.room)
        finally:
            if self._streams.get(key.id) is stream:
                del self._streams[key.id]


def _begin(room: Room, targets: Sequence[Target]) -> list[str]:
    """Start outputs; one that cannot be had is told on the page and does not end the session."""
    problems = []
    for each in targets:
        try:
            room.entry.outputs.add(each.kind, each.target)
        except LivefakeError as error:
            problems.append(str(error))
            _LOG.warning("Session %d goes on without %s: %s", room.entry.session.number, each.kind, error)
    return problems
