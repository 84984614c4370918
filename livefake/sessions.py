"""The open sessions: opening, finding, closing, and how many there may be."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from livefake.clock import Clock, Nanos
from livefake.errors import Busy, LivefakeError, NotFound
from livefake.flow.budget import Budget
from livefake.flow.outcome import Observer
from livefake.flow.timing import Timings
from livefake.media.encode.hub import Broadcast
from livefake.media.ports import Painter, Source
from livefake.media.sound.bus import SoundBus
from livefake.outputs import MakeOutput, OutputKind, Outputs, Taps
from livefake.rig import Rig
from livefake.session import Others, Session, Tally
from livefake.studio import Studio

__all__ = ["Entry", "Order", "Sessions"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What a performer asked for.

    Attributes:
        persona: id of the persona.
        others: what happens to other faces.
        tone: 0 for the performer's skin tone, 1 for the persona's.
    """

    persona: str
    others: Others = Others.BLUR
    tone: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """An open session.

    Attributes:
        id: for the performer's page; unguessable.
        view_key: for viewers; unguessable, and says nothing about ``id``.
        session: the session.
        broadcast: its sink for everything that is encoded once and taken by many.
        sound: the microphone that belongs to it.
        outputs: its ways out beside browsers and players.
        closed: set when it has ended.
        task: runs it.
    """

    id: str
    view_key: str
    session: Session
    broadcast: Broadcast
    sound: SoundBus
    outputs: Outputs
    closed: asyncio.Event
    task: asyncio.Task[None] = field(repr=False)


class Sessions:
    """The book of open sessions; used on the event loop only.

    Args:
        studio: what the sessions share.
        capacity: how many there may be at once.
        latency: age that a picture should not exceed, nanoseconds.
        painter: draws hold cards.
        clock: the service's monotonic clock.
        broadcast: makes each session's.
        makers: the outputs that there are, by kind.
    """

    def __init__(
        self,
        studio: Studio,
        *,
        capacity: int,
        latency: Nanos,
        painter: Painter,
        clock: Clock,
        broadcast: Callable[[], Broadcast],
        makers: Mapping[OutputKind, MakeOutput] | None = None,
    ) -> None:
        self.capacity = capacity
        self._studio = studio
        self._latency = latency
        self._painter = painter
        self._clock = clock
        self._broadcast = broadcast
        self._makers = makers or {}
        self._entries: dict[str, Entry] = {}
        self._opening = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries.values()))

    async def open(self, order: Order, source: Source) -> Entry:
        """Start a session.

        Raises:
            Busy: every place is taken.
            NotFound: there is no such persona.
            BadPersona: it is damaged.
        """
        if len(self._entries) + self._opening >= self.capacity:
            raise Busy(f"All {self.capacity} places are taken.", "Stop another session, or try again later.")
        number = secrets.randbits(36)
        tally, timings = Tally(), Timings()
        self._opening += 1
        try:
            rig = await asyncio.to_thread(self._rig, order, number, (tally, timings))
        finally:
            self._opening -= 1
        session = Session(
            source,
            rig,
            number=number,
            persona=order.persona,
            others=order.others,
            tone=order.tone,
            outfit=self._studio.outfit,
            painter=self._painter,
            tally=tally,
            timings=timings,
            clock=self._clock,
        )
        id = secrets.token_urlsafe(16)
        broadcast = self._broadcast()
        session.add(broadcast)
        sound = SoundBus()
        outputs = Outputs(Taps(session, broadcast, sound, number), self._makers, clock=self._clock)
        entry = Entry(
            id=id,
            view_key=secrets.token_urlsafe(16),
            session=session,
            broadcast=broadcast,
            sound=sound,
            outputs=outputs,
            closed=asyncio.Event(),
            task=asyncio.create_task(self._run(session, sound, outputs)),
        )
        entry.task.add_done_callback(lambda task: self._ended(entry, task))
        self._entries[id] = entry
        return entry

    @staticmethod
    async def _run(session: Session, sound: SoundBus, outputs: Outputs) -> None:
        try:
            await session.run()
        finally:
            sound.close()
            await outputs.close()

    def _rig(self, order: Order, number: int, observers: Sequence[Observer]) -> Rig:
        """May read a persona from disk: not for the event loop."""
        return self._studio.rig(
            order.persona,
            session=number,
            others=order.others,
            tone=order.tone,
            budget=Budget(ceiling=self._latency),
            clock=self._clock,
            cpu_clock=time.thread_time_ns,
            observers=observers,
        )

    def _ended(self, entry: Entry, task: asyncio.Task[None]) -> None:
        self._entries.pop(entry.id, None)
        entry.closed.set()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LivefakeError):
            _log.warning("Session %d ended: %s", entry.session.number, error)
        elif error is not None:
            _log.error("Session %d failed", entry.session.number, exc_info=error)

    def find(self, id: str) -> Entry:
        """The session with that id.

        Raises:
            NotFound: there is none, or it has ended.
        """
        entry = self._entries.get(id)
        if entry is None:
            raise NotFound("There is no such session; it may have ended.", "Go live again.")
        return entry

    def find_view(self, key: str) -> Entry:
        """The session that viewers reach with that key.

        Raises:
            NotFound: there is none, or it has ended.
        """
        for entry in self._entries.values():
            if secrets.compare_digest(entry.view_key.encode(), key.encode()):
                return entry
        raise NotFound("This viewer link is for no session that is open.", "Ask the performer for a new link.")

    async def close(self, id: str) -> None:
        """End a session and wait until it has cleaned up.

        Raises:
            NotFound: there is none.
        """
        entry = self.find(id)
        entry.task.cancel()
        await entry.closed.wait()

    async def close_all(self) -> None:
        """End every session."""
        await asyncio.gather(*(self.close(entry.id) for entry in self), return_exceptions=True)
