"""Open sessions with the connections that belong to them, opened and closed together."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from typing import Final

from livefake.errors import Busy, NotFound
from livefake.media.encode.coder import Format
from livefake.media.encode.feed import Feed
from livefake.media.encode.hub import Broadcast
from livefake.media.sound.bus import SoundBus, SoundTap
from livefake.media.splice import Splice
from livefake.server.ports import OpenSession, PerformerPort, SessionBook, ViewerPort
from livefake.server.room import VIEWERS, Room, quietly
from livefake.session import Report
from livefake.sessions import Order

__all__ = ["Rooms"]

_LOG: Final = logging.getLogger(__name__)


class Rooms:
    """Opens, finds and closes rooms.

    Args:
        sessions: the sessions themselves.
        performer: makes an unconnected peer for a performer.
        viewer: makes an unconnected peer for a viewer of the pictures and the sound it is given.
    """

    def __init__(
        self,
        sessions: SessionBook,
        *,
        performer: Callable[[], PerformerPort],
        viewer: Callable[[Broadcast, SoundBus], ViewerPort],
    ) -> None:
        self._sessions = sessions
        self._performer = performer
        self._viewer = viewer
        self._rooms: dict[str, Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = 0
        self._past: Counter[str] = Counter()
        self._past_reads: Counter[str] = Counter()
        self.closing = False

    @property
    def capacity(self) -> int:
        return self._sessions.capacity

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Room]:
        return iter(tuple(self._rooms.values()))

    def reports(self) -> tuple[Report, ...]:
        """The reports of all open sessions."""
        return tuple(room.entry.session.report() for room in self)

    def frames(self) -> Counter[str]:
        """Frames by outcome since the service started, sessions that have ended included."""
        total = Counter(self._past)
        for report in self.reports():
            total.update(report.frames)
        return total

    def mark_reads(self) -> Counter[str]:
        """Readings of the sessions' own marks by result, since the service started."""
        total = Counter(self._past_reads)
        for report in self.reports():
            total.update(report.mark.counts())
        return total

    async def open(self, offer: str, order: Order) -> tuple[OpenSession, str]:
        """Connect a performer's browser and start a session; see ``host``."""
        room, answer = await self.host(self._performer, offer, order)
        return room.entry, answer

    async def host(self, connect: Callable[[], PerformerPort], offer: str, order: Order) -> tuple[Room, str]:
        """Connect a performer and start a session; when any step fails nothing stays open.

        Args:
            connect: makes an unconnected peer.
            offer: the performer's SDP offer.
            order: what the session does.

        Returns:
            The session's room and the SDP answer.

        Raises:
            Busy: every place is taken, or the service is closing.
            BadRequest: the offer cannot be answered.
            NotFound: there is no such persona.
        """
        if self._full and not self.closing:
            await self._make_room()
        if self.closing or self._full:
            raise Busy(
                f"All {self.capacity} places for performers are taken.",
                "Stop another session, or start livefake with a larger --capacity.",
            )
        self._opening += 1
        try:
            async with AsyncExitStack() as undo:
                peer = connect()
                undo.push_async_callback(peer.close)
                answer = await peer.accept(offer)
                pictures = Splice(peer.source)
                entry = await self._sessions.open(order, pictures)
                undo.push_async_callback(self._end, entry.id)
                if peer.sink is not None:
                    entry.session.add(peer.sink)
                entry.sound.present = peer.has_microphone
                peer.hear(entry.sound.put)
                room = self._rooms[entry.id] = Room(entry, peer, pictures)
                task = asyncio.create_task(self._attend(room))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                undo.pop_all()
        finally:
            self._opening -= 1
        return room, answer

    async def end(self, room: Room) -> None:
        """End a session and return when everybody is disconnected; one that has ended is left alone."""
        await self._end(room.entry.id)
        await room.empty.wait()

    async def reconnect(self, id: str, offer: str) -> str:
        """Let the performer of a session go on over another connection; returns the SDP answer.

        Raises:
            BadRequest: the offer cannot be answered.
            NotFound: there is no such session, or it has ended meanwhile.
        """
        return await self.own(id).reconnect(self._performer(), offer)

    async def watch(self, key: str, offer: str) -> tuple[str, str]:
        """Connect a viewer to the session with that view key; returns the viewer's id and the SDP answer.

        Raises:
            Busy: the session has all the viewers it may have.
            BadRequest: the offer cannot be answered.
            NotFound: there is no such session.
        """
        return await self._room(key).admit(self._viewer, offer)

    async def leave(self, key: str, viewer: str) -> None:
        """Disconnect a viewer.

        Raises:
            NotFound: there is no such session or viewer.
        """
        room = self._room(key)
        if not room.has(viewer):
            raise NotFound("This viewer has already left.")
        await room.dismiss(viewer)

    async def trickle(self, key: str, viewer: str, fragment: str) -> None:
        """Hand on a viewer's ICE candidates that came after the offer.

        Raises:
            BadRequest: they cannot be read or used.
            NotFound: there is no such session or viewer.
        """
        await self._room(key).trickle(fragment, viewer)

    def tap(self, key: str, name: str) -> tuple[Feed, SoundTap | None]:
        """Picture and sound of the session with that view key, for a reader that is no browser.

        Args:
            key: of the session.
            name: of the reader's kind, for people.

        Returns:
            Pictures in H.264; sound, where there is any.

        Raises:
            Busy: the session has all the readers it may have.
            NotFound: there is no such session.
        """
        entry = self._room(key).entry
        if sum(feed.name == name for hub in entry.broadcast.hubs for feed in hub.feeds) >= VIEWERS:
            raise Busy(
                f"A session has at most {VIEWERS} readers of its feed, and this one has them.", "Close one first."
            )
        sound = entry.sound.tap(name) if entry.sound.present else None
        return entry.broadcast.feed(Format.H264, name), sound

    def knows(self, key: str) -> None:
        """Check a view key.

        Raises:
            NotFound: there is no such session.
        """
        self._room(key)

    async def close(self, within: float) -> None:
        """Close every room, in at most that many seconds; new ones are refused from now on."""
        self.closing = True
        try:
            async with asyncio.timeout(within):
                await quietly(self._sessions.close_all(), *(room.close() for room in self), *self._tasks)
        except TimeoutError:
            _LOG.warning("Some connections did not close within %g s and were dropped.", within)

    @property
    def _full(self) -> bool:
        # Offers that are being answered count too: negotiating takes a while, and it must not be for nothing.
        return len(self._sessions) + self._opening >= self.capacity

    async def _make_room(self) -> None:
        """End a session whose performer was lost a while ago, if there is one."""
        for room in self:
            if room.yields:
                await self._end(room.entry.id)
                return

    def own(self, id: str) -> Room:
        """The room of the session with that id.

        Raises:
            NotFound: there is no such session.
        """
        room = self._rooms.get(self._sessions.find(id).id)
        if room is None:
            raise NotFound("There is no such session; it has ended.", "Go live again.")
        return room

    def _room(self, key: str) -> Room:
        room = self._rooms.get(self._sessions.find_view(key).id)
        if room is None:
            raise NotFound("This viewer link is for a session that has ended.", "Open the new session's viewer link.")
        return room

    async def _attend(self, room: Room) -> None:
        number, id = room.entry.session.number, room.entry.id
        _LOG.info("Session %d opened; %d of %d places taken.", number, len(self), self.capacity)
        try:
            await room.wait_over()
        finally:
            await quietly(self._end(id), room.close())
            # No await between these two: a scrape sees the frames of this session once, never twice or not at all.
            del self._rooms[id]
            report = room.entry.session.report()
            self._past.update(report.frames)
            self._past_reads.update(report.mark.counts())
            room.empty.set()
            _LOG.info("Session %d closed.", number)

    async def _end(self, id: str) -> None:
        # The session may have ended by itself, and left the book.
        with suppress(NotFound):
            await self._sessions.close(id)
