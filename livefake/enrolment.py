"""One person in front of a camera far away, until the check has seen enough or refuses.

The pictures come from a browser that we do not know, so their own times do not count: each is judged at the instant
of its arrival, and a slowed or a hurried stream gains nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from livefake.clock import Clock, Nanos, seconds
from livefake.errors import ConsentError, LivefakeError
from livefake.flow.mailbox import Mailbox
from livefake.frame import Frame
from livefake.media.ports import Source
from livefake.trust.liveness import Step
from livefake.trust.watch import View, Watched

__all__ = ["PATIENCE", "Enrolment", "Judge", "Look", "Progress", "Sound", "State"]

PATIENCE: Final[Nanos] = 180_000_000_000
"""How long a check may take altogether."""

_OFTEN: Final[Nanos] = 100_000_000
_LEAST_RATE: Final = 4.0
_QUIET: Final[Nanos] = 10_000_000_000
_NANO: Final = Fraction(1, 1_000_000_000)
_AGAIN: Final = "Start again when you are ready."

_log = logging.getLogger(__name__)

Look = Callable[[Frame], View]
"""Says what is in a picture; see ``livefake.trust.enrol.Looker``."""


class Judge(Protocol):
    """Decides about what is seen and heard; see ``livefake.trust.liveness.Liveness``."""

    def see(self, view: View) -> bool: ...

    def hear(self, pcm: NDArray[np.int16], at: Nanos) -> None: ...

    @property
    def step(self) -> Step: ...

    def result(self) -> Watched: ...


class Sound(Protocol):
    """Sound that waits; see ``livefake.media.webrtc.receiver.MicrophoneSource``."""

    def take(self, until: Nanos) -> list[tuple[NDArray[np.int16], Nanos]]: ...


class State(StrEnum):
    """How far a check has come."""

    WATCHING = "watching"
    PASSED = "passed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Progress:
    """A check at this moment.

    Attributes:
        state: how far it has come.
        step: what the person is asked to do; the last one when it is over.
        problem, remedy: why it was refused and what to do, for that person; empty when it was not.
    """

    state: State
    step: Step
    problem: str = ""
    remedy: str = ""


class Enrolment:
    """Runs one check on a thread of its own. Pictures wait in one place in front of it; the newest wins.

    Args:
        look: opens what looks at the pictures; on the check's thread, and it may take a while.
        judge: decides.
        clock: the service's monotonic clock.
        patience: how long the check may take altogether.
    """

    def __init__(
        self,
        look: Callable[[], AbstractContextManager[Look]],
        judge: Judge,
        *,
        clock: Clock,
        patience: Nanos = PATIENCE,
    ) -> None:
        self._look = look
        self._judge = judge
        self._clock = clock
        self._patience = patience
        self._fresh: Mailbox[Frame] = Mailbox()
        self._progress = Progress(State.WATCHING, judge.step)
        self._watched: Watched | None = None

    @property
    def progress(self) -> Progress:
        """How far it has come; any thread may ask."""
        return self._progress

    @property
    def watched(self) -> Watched | None:
        """Who was watched; None unless the check has passed, and after ``forget``."""
        return self._watched

    def forget(self) -> None:
        """Let go of the face."""
        self._watched = None

    async def run(self, camera: Source, sound: Sound) -> None:
        """Watch until the check is over or the camera ends; the camera is closed then."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        worker = threading.Thread(target=self._work, args=(sound, loop, over), name="enrolment", daemon=True)
        worker.start()
        ending = asyncio.create_task(_close_when(over, camera))
        try:
            async for frame in camera:
                frame.pts, frame.time_base = frame.arrived, _NANO
                self._fresh.put(frame)
        except LivefakeError as error:
            self._refuse(error)
        finally:
            self._fresh.close()
            await asyncio.to_thread(worker.join)
            ending.cancel()
            await asyncio.gather(ending, camera.close(), return_exceptions=True)

    def _work(self, sound: Sound, loop: asyncio.AbstractEventLoop, over: asyncio.Event) -> None:
        try:
            with self._look() as look:
                self._watch(look, sound)
        except LivefakeError as error:
            self._refuse(error)
        except Exception:
            _log.exception("An enrolment check failed")
            self._refuse(ConsentError("The check failed inside livefake, and nothing was kept.", _AGAIN))
        finally:
            loop.call_soon_threadsafe(over.set)

    def _watch(self, look: Look, sound: Sound) -> None:
        start = last = self._clock()
        due: Nanos = 0
        looks = 0
        while True:
            frame = self._fresh.take(timeout=0.5)
            now = self._clock()
            if now - start > self._patience:
                raise ConsentError(
                    f"The check may take {seconds(self._patience):.0f} seconds, and took longer.", _AGAIN
                )
            if frame is None:
                if self._fresh.closed:
                    raise ConsentError("The camera's connection ended before the check was done.", _AGAIN)
                if now - last > _QUIET:
                    raise ConsentError(
                        f"No picture of the camera has come for {seconds(_QUIET):.0f} seconds.",
                        "Check the camera and the connection, and start again.",
                    )
                continue
            last = now
            # The judge is tuned for ten pictures a second, and a check leaves room for the sessions beside it.
            if frame.arrived < due:
                continue
            due = frame.arrived + _OFTEN
            for pcm, at in sound.take(frame.arrived):
                self._judge.hear(pcm, at)
            looks += 1
            try:
                enough = self._judge.see(look(frame))
            except ConsentError as error:
                raise _with_excuse(error, looks / max(seconds(self._clock() - start), 1e-3)) from error
            if enough:
                self._watched = self._judge.result()
                self._progress = Progress(State.PASSED, self._judge.step)
                return
            self._progress = Progress(State.WATCHING, self._judge.step)

    def _refuse(self, error: LivefakeError) -> None:
        # The first reason stands: what follows from it would only hide it.
        if self._progress.state is State.WATCHING:
            self._progress = Progress(State.REFUSED, self._progress.step, error.problem, error.remedy)


async def _close_when(over: asyncio.Event, camera: Source) -> None:
    await over.wait()
    await camera.close()


def _with_excuse(error: ConsentError, rate: float) -> ConsentError:
    """A refusal, with a word about this machine where that may be what was slow."""
    if rate >= _LEAST_RATE:
        return error
    busy = f"The machine that runs livefake is busy; it looked at {rate:.1f} pictures a second. Close other programs."
    return ConsentError(error.problem, f"{error.remedy} {busy}".strip())
