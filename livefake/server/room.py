"""One session with everybody who is connected to it, and what happens when its performer's connection is lost."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Final

from livefake.errors import Busy, NotFound
from livefake.media.encode.hub import Broadcast
from livefake.media.sound.bus import SoundBus
from livefake.media.splice import Splice
from livefake.server.ports import OpenSession, PerformerPort, ViewerPort

__all__ = ["KEPT", "VIEWERS", "YIELDS", "Room", "quietly"]

VIEWERS: Final = 32
"""Viewers that one session may have at once: each costs little, as they share one encode, but not nothing."""

KEPT: Final = 30.0
"""Seconds that a session whose performer's connection was lost is kept, for that performer to come back."""

YIELDS: Final = 5.0
"""Seconds after which such a session gives its place to somebody who wants to begin and finds none."""

_LOG: Final = logging.getLogger(__name__)


class Room:
    """One session with its performer's connection and its viewers'.

    Attributes:
        entry: the session.
        empty: set when it has ended and everybody is disconnected.
        yields: whether it gives its place to somebody who finds none, because its performer was lost a while ago.

    Args:
        entry: the session.
        performer: the connection that it was opened with.
        pictures: the session's source; takes what the performer's connection brings.
    """

    def __init__(self, entry: OpenSession, performer: PerformerPort, pictures: Splice) -> None:
        self.entry = entry
        self.empty = asyncio.Event()
        self.yields = False
        self._performer = performer
        self._pictures = pictures
        self._connecting = asyncio.Lock()
        self._back = asyncio.Event()
        self._over = False
        self._viewers: dict[str, ViewerPort] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    @property
    def encodes(self) -> int:
        """How often each picture is encoded now: for the performer, and once for all others of one format."""
        return (self._performer.sink is not None) + len(self.entry.broadcast.hubs)

    async def wait_over(self) -> None:
        """Return when the session has ended, or the performer has gone on purpose or did not come back."""
        try:
            while not self.entry.closed.is_set():
                performer = self._performer
                self._back.clear()
                await _first(performer.wait_closed(), self.entry.closed.wait())
                # A program that only sends, without a page, publishes anew instead of coming back.
                gone = performer.sink is None or performer.hung_up
                if self._performer is performer and (gone or not await self._returned()):
                    return
        finally:
            self._over = True

    async def reconnect(self, performer: PerformerPort, offer: str) -> str:
        """Let the performer of this session go on over another connection.

        Consent, persona, viewers and outputs stay as they are. What was shown over the connection before ends there,
        whether that still works or not.

        Args:
            performer: an unconnected peer.
            offer: the performer's SDP offer.

        Returns:
            The SDP answer.

        Raises:
            BadRequest: the offer cannot be answered; nothing has changed.
            NotFound: the session ended while the connection was made.
        """
        async with self._connecting:
            async with AsyncExitStack() as undo:
                undo.push_async_callback(performer.close)
                answer = await performer.accept(offer)
                if self._over or self.entry.closed.is_set():
                    raise NotFound("The session ended while the connection was made.", "Go live again.")
                undo.pop_all()
            before, self._performer = self._performer, performer
            self._back.set()
            if performer.sink is not None:
                self.entry.session.add(performer.sink)
            performer.hear(self.entry.sound.put)
            await self._pictures.follow(performer.source)
            if before.sink is not None:
                await self.entry.session.remove(before.sink)
            await quietly(before.close())
        _LOG.info("The performer of session %d connected again.", self.entry.session.number)
        return answer

    async def _returned(self) -> bool:
        """Wait for the performer to come back, or for the end; whether it is not yet the end."""
        _LOG.info("Session %d lost its performer's connection and waits for another.", self.entry.session.number)
        try:
            for seconds in (YIELDS, KEPT - YIELDS):
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await _first(self._back.wait(), self.entry.closed.wait())
                        return not self.entry.closed.is_set()
                self.yields = True
            return False
        finally:
            self.yields = False

    async def admit(self, connect: Callable[[Broadcast, SoundBus], ViewerPort], offer: str) -> tuple[str, str]:
        """Connect a viewer.

        Args:
            connect: makes an unconnected peer from what is to be watched.
            offer: the viewer's SDP offer.

        Returns:
            The viewer's id and the SDP answer.

        Raises:
            Busy: the session has all the viewers it may have.
            BadRequest: the offer cannot be answered.
            NotFound: the session ended while the connection was made.
        """
        if len(self._viewers) >= VIEWERS:
            raise Busy(
                f"A session has at most {VIEWERS} viewers, and this one has them.", "Close another viewer first."
            )
        name = secrets.token_urlsafe(12)
        # The place is taken before the first await, or two offers at once could both pass the check above.
        viewer = self._viewers[name] = connect(self.entry.broadcast, self.entry.sound)
        async with AsyncExitStack() as undo:
            undo.callback(self._viewers.pop, name, None)
            undo.push_async_callback(viewer.close)
            answer = await viewer.accept(offer)
            if self.entry.closed.is_set():
                raise NotFound("The session ended while the viewer connected.", "Open the new session's viewer link.")
            waiting = asyncio.create_task(self._wait_for(name, viewer))
            self._waiting.add(waiting)
            waiting.add_done_callback(self._waiting.discard)
            undo.pop_all()
        return name, answer

    async def dismiss(self, name: str) -> None:
        """Disconnect a viewer; one that has left already is left alone."""
        viewer = self._viewers.pop(name, None)
        if viewer is not None:
            await quietly(viewer.close())

    async def close(self) -> None:
        """Disconnect everybody."""
        for waiting in self._waiting:
            waiting.cancel()
        viewers = tuple(self._viewers.values())
        self._viewers.clear()
        await quietly(self._performer.close(), *(viewer.close() for viewer in viewers))

    def has(self, name: str) -> bool:
        """Whether that viewer is connected."""
        return name in self._viewers

    async def trickle(self, fragment: str, viewer: str | None = None) -> None:
        """Hand on ICE candidates that came after an offer: a viewer's, or else the performer's.

        Raises:
            BadRequest: they cannot be read or used.
            NotFound: there is no such viewer.
        """
        end = self._performer if viewer is None else self._viewers.get(viewer)
        if end is None:
            raise NotFound("This viewer has left.")
        await end.trickle(fragment)

    async def _wait_for(self, name: str, viewer: ViewerPort) -> None:
        await viewer.wait_closed()
        await self.dismiss(name)


async def quietly(*steps: Awaitable[object]) -> None:
    """Do all the steps of a clean-up: one that fails is logged and does not keep the others from being done."""
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, Exception):
            _LOG.warning("A connection did not close cleanly.", exc_info=outcome)


async def _first(*waits: Awaitable[object]) -> None:
    """Return when one of them is done, and cancel the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
