"""The open sessions: opening, finding, closing, and how many there may be."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from livefake.clock import Clock, Nanos, Wall, wall
from livefake.errors import Busy, LivefakeError, NotFound
from livefake.flow.budget import Budget
from livefake.flow.outcome import Observer
from livefake.flow.timing import Timings
from livefake.media.encode.hub import Broadcast
from livefake.media.ports import Painter, Source
from livefake.media.recordings import Recordings
from livefake.media.sound.bus import SoundBus
from livefake.media.witness import Witness
from livefake.outputs import MakeOutput, OutputKind, Outputs, Taps
from livefake.rig import Outfit, Rig
from livefake.session import Others, Session, Tally
from livefake.studio import Studio
from livefake.trust.consent import Output
from livefake.trust.gate import no_ledger
from livefake.trust.look import Look
from livefake.trust.scribe import Scribe

__all__ = ["Entry", "Order", "Sessions"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What a performer asked for.

    Attributes:
        persona: id of the persona.
        others: what happens to other faces.
        tone: 0 for the performer's skin tone, 1 for the persona's.
        notice: id of the notice that the performer agreed to; empty where there was none to agree to.
        source: where the performer's picture comes from, such as ``camera``.
    """

    persona: str
    others: Others = Others.BLUR
    tone: float = 0.0
    notice: str = ""
    source: str = ""


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
        scribe: writes the ledger; without one no real person's face is shown.
        time_of_day: the wall clock, for the ledger.
        recordings: where pictures are kept; None where nothing can be kept.
        look: of the label in every picture; None for the usual one.
        refine: whether the swap network finishes what the mesh warp begins.
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
        scribe: Scribe | None = None,
        time_of_day: Wall = wall,
        recordings: Recordings | None = None,
        look: Look | None = None,
        refine: bool = True,
    ) -> None:
        self._look = look
        self._refine = refine
        self.capacity = capacity
        self._studio = studio
        self._latency = latency
        self._painter = painter
        self._clock = clock
        self._broadcast = broadcast
        self._makers = makers or {}
        self._scribe = scribe
        self._time_of_day = time_of_day
        self._recordings = recordings
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
            LivefakeError: it is a real person's, and the ledger cannot be written.
        """
        if len(self._entries) + self._opening >= self.capacity:
            raise Busy(f"All {self.capacity} places are taken.", "Stop another session, or try again later.")
        number = secrets.randbits(36)
        tally, timings = Tally(), Timings()
        witness = self._witness(number)
        self._opening += 1
        try:
            rig = await asyncio.to_thread(self._rig, order, number, (tally, timings), witness)
        finally:
            self._opening -= 1
        session = Session(
            source,
            rig,
            number=number,
            persona=order.persona,
            others=order.others,
            tone=order.tone,
            outfit=partial(self._outfit, witness),
            painter=self._painter,
            tally=tally,
            timings=timings,
            clock=self._clock,
            recordings=self._recordings,
        )
        if witness is not None:
            session.add(witness)
        id = secrets.token_urlsafe(16)
        broadcast = self._broadcast()
        session.add(broadcast)
        broadcast.watch_with(session.watch)
        sound = SoundBus()
        session.record_from(broadcast, sound)
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

    def _witness(self, number: int) -> Witness | None:
        if self._scribe is None:
            return None
        output = Output.LIVE
        return Witness(self._scribe, number, output=output, clock=self._clock, time_of_day=self._time_of_day)

    def _rig(self, order: Order, number: int, observers: Sequence[Observer], witness: Witness | None) -> Rig:
        """May read a persona from disk, and writes to the ledger: not for the event loop."""
        rig = self._studio.rig(
            order.persona,
            session=number,
            others=order.others,
            tone=order.tone,
            budget=Budget(ceiling=self._latency),
            clock=self._clock,
            cpu_clock=time.thread_time_ns,
            observers=observers,
            record=no_ledger if witness is None else witness.problem,
            look=self._look,
            refine=self._refine,
        )
        if witness is not None:
            witness.begin(rig.grant)
            if order.notice:
                witness.agree(order.notice, order.source)
        return rig

    def _outfit(self, witness: Witness | None, persona: str) -> Outfit:
        """What to change into; the ledger knows before the first picture shows it."""
        outfit = self._studio.outfit(persona, refine=self._refine)
        if witness is not None:
            witness.change(outfit.grant)
        return outfit

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
