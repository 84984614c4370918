"""A session's ways out: added and removed while it is live, started again when they fail, never in its way.

Each output takes sealed pictures only: raw ones as a sink of the session, or encoded ones from its broadcast.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from livefake.clock import Clock, Nanos
from livefake.errors import BadRequest, Busy, LivefakeError, NotFound
from livefake.media.encode.hub import Broadcast
from livefake.media.ports import Sink
from livefake.media.sound.bus import SoundBus
from livefake.trust.consent import Output as Shown

__all__ = ["MakeOutput", "Output", "OutputKind", "OutputReport", "OutputState", "Outputs", "Reading", "Taps"]

_log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 30.0
_SETTLED: Final[Nanos] = 30_000_000_000
"""An output that ran for so long starts the next time as if it had never failed."""
_MOST: Final = 8
_WINDOW: Final[Nanos] = 2_000_000_000


class OutputKind(StrEnum):
    """What an output is."""

    RECORDING = "recording"
    """A file on this computer."""
    VIRTUAL_CAMERA = "virtual-camera"
    """A camera for other programs on this computer."""
    PUSH = "push"
    """A stream to another machine."""


class OutputState(StrEnum):
    """How an output is doing."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    """It failed, and starts again in a moment."""
    STOPPED = "stopped"
    """It ended by itself and stays so."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an output counted since it started.

    Attributes:
        frames: pictures that left.
        dropped: pictures that did not, because it was too slow.
        bytes: of encoded pictures; 0 where nothing is encoded.
        delay_ms: from a picture's arrival from the camera until it left, milliseconds; 0 before the first.
        running: whether it has everything it needs, and pictures leave when there are some.
    """

    frames: int = 0
    dropped: int = 0
    bytes: int = 0
    delay_ms: float = 0.0
    running: bool = False


class Output(Protocol):
    """One run of a way out."""

    @property
    def place(self) -> str:
        """Where the pictures go, for people: a file, the name of a camera, an address without its secrets."""
        ...

    def read(self) -> Reading:
        """What it counted."""
        ...

    async def run(self) -> None:
        """Work until ``close`` is called or there is nothing more to do.

        Raises:
            LivefakeError: it failed; it may be tried again with a new one.
        """
        ...

    async def close(self) -> None:
        """End in good order: a file is finished, a connection is closed. Safe to call twice."""
        ...


class Host(Protocol):
    """A session, as far as its outputs need it."""

    def add(self, sink: Sink) -> None: ...

    async def remove(self, sink: Sink) -> None: ...

    def allow(self, output: Shown) -> None:
        """Raises ConsentError: a real person's face is worn whose grant does not cover that."""
        ...

    def disallow(self, output: Shown) -> None: ...


@dataclass(frozen=True, slots=True)
class Taps:
    """Where an output gets its pictures.

    Attributes:
        session: for sinks that take raw pictures.
        broadcast: for takers of encoded ones.
        sound: the microphone that belongs to them.
        number: of the session, as the watermark carries it.
    """

    session: Host
    broadcast: Broadcast
    sound: SoundBus
    number: int


MakeOutput = Callable[[Taps, str], Output]
"""Makes one run of an output for a target: an address, a name, or nothing.

Raises LivefakeError: it cannot be had on this computer, or the target is none.
"""


@dataclass(frozen=True, slots=True)
class OutputReport:
    """An output at a moment.

    Attributes:
        id: names it in the session.
        kind: what it is.
        place: where the pictures go, for people.
        state: how it is doing.
        frames, dropped: pictures that left and that did not, over all its runs.
        fps: pictures a second that left in the last seconds.
        bitrate: bits a second that left in the last seconds.
        delay_ms: from a picture's arrival from the camera until it left.
        restarts: how often it was started again.
        problem: what went wrong last; empty when it runs.
    """

    id: str
    kind: OutputKind
    place: str
    state: OutputState
    frames: int
    dropped: int
    fps: float
    bitrate: int
    delay_ms: float
    restarts: int
    problem: str


class _Kept:
    """One output over all its runs."""

    def __init__(
        self,
        id: str,
        kind: OutputKind,
        make: Callable[[], Output],
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.id = id
        self.kind = kind
        self._make = make
        self._clock = clock
        self._sleep = sleep
        # The first one is made at once, so that what cannot be had is told to whoever asked for it.
        self._output = make()
        self._before = Reading()
        self._restarts = 0
        self._problem = ""
        self._state = OutputState.STARTING
        self._window: tuple[Nanos, Reading] = (clock(), Reading())
        self._speed = (0.0, 0)
        self._task = asyncio.create_task(self._run(), name=f"output {kind}")

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            begun = self._clock()
            try:
                await self._output.run()
            except LivefakeError as error:
                self._problem = str(error)
                _log.warning("The output %s failed: %s", self.kind, error)
            except Exception:
                self._problem = "It failed for a reason that the log tells."
                _log.exception("The output %s failed", self.kind)
            else:
                self._state = OutputState.STOPPED
                return
            finally:
                await self._end()
            if self._clock() - begun >= _SETTLED:
                pause = _FIRST_PAUSE
            await self._again(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _again(self, pause: float) -> None:
        """Wait, and make the next run; that may fail too."""
        self._state = OutputState.WAITING
        while True:
            await self._sleep(pause)
            try:
                fresh = self._make()
            except LivefakeError as error:
                self._problem = str(error)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            self._before, self._output = self._total(), fresh
            self._restarts += 1
            self._state = OutputState.STARTING
            return

    async def _end(self) -> None:
        with contextlib.suppress(Exception):
            await self._output.close()

    def _total(self) -> Reading:
        now = self._output.read()
        return Reading(
            self._before.frames + now.frames,
            self._before.dropped + now.dropped,
            self._before.bytes + now.bytes,
            now.delay_ms,
            now.running,
        )

    def report(self) -> OutputReport:
        total, now = self._total(), self._clock()
        since, then = self._window
        if now - since >= _WINDOW:
            passed = (now - since) / 1e9
            self._speed = ((total.frames - then.frames) / passed, round((total.bytes - then.bytes) * 8 / passed))
            self._window = (now, total)
        state = self._state
        if state is OutputState.STARTING and total.running:
            state = OutputState.RUNNING
        return OutputReport(
            id=self.id,
            kind=self.kind,
            place=self._output.place,
            state=state,
            frames=total.frames,
            dropped=total.dropped,
            fps=self._speed[0],
            bitrate=self._speed[1],
            delay_ms=total.delay_ms,
            restarts=self._restarts,
            problem="" if state is OutputState.RUNNING else self._problem,
        )

    async def close(self) -> None:
        # Closed before it is cancelled: a file is finished in good order.
        await self._end()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Outputs:
    """The ways out of one session; used on the event loop only.

    Args:
        taps: where the pictures come from.
        makers: what there is, by kind.
        clock: the service's monotonic clock.
        sleep: waits between two tries, seconds.
    """

    def __init__(
        self,
        taps: Taps,
        makers: Mapping[OutputKind, MakeOutput],
        *,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._taps = taps
        self._makers = makers
        self._clock = clock
        self._sleep = sleep
        self._kept: dict[str, _Kept] = {}

    @property
    def kinds(self) -> tuple[OutputKind, ...]:
        """What can be added."""
        return tuple(self._makers)

    def add(self, kind: OutputKind, target: str = "") -> OutputReport:
        """Start a way out.

        Args:
            kind: what it is.
            target: an address, a name, or nothing, as the kind needs it.

        Raises:
            Busy: the session has all the outputs it may have.
            BadRequest: there is no such kind here, or the target is none.
            LivefakeError: it cannot be had on this computer.
        """
        if len(self._kept) >= _MOST:
            raise Busy(f"A session has at most {_MOST} outputs, and this one has them.", "Remove another one first.")
        make = self._makers.get(kind)
        if make is None:
            raise BadRequest(f"There is no output {kind} in this service.", "livefake doctor tells which there are.")
        id = secrets.token_urlsafe(8)
        taps = self._taps
        kept = _Kept(id, kind, lambda: make(taps, target), clock=self._clock, sleep=self._sleep)
        self._kept[id] = kept
        return kept.report()

    async def remove(self, id: str) -> None:
        """End a way out in good order.

        Raises:
            NotFound: there is none with that id.
        """
        kept = self._kept.pop(id, None)
        if kept is None:
            raise NotFound("There is no such output; it may have been removed.", "Look at the session's outputs again.")
        await kept.close()

    def reports(self) -> tuple[OutputReport, ...]:
        """How they are all doing, in the order in which they were added."""
        return tuple(kept.report() for kept in self._kept.values())

    async def close(self) -> None:
        """End all of them in good order. Safe to call twice."""
        kept, self._kept = tuple(self._kept.values()), {}
        await asyncio.gather(*(each.close() for each in kept), return_exceptions=True)
