"""A person at the other end of an enrolment: a browser's camera and microphone, without a browser.

The judge is the real one; what it sees are an actor's measures in place of pictures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from livefake.clock import FakeClock, Nanos
from livefake.enrolment import Look
from livefake.errors import BadRequest
from livefake.frame import Frame
from livefake.server.enrolments import Enrolments
from livefake.server.people import People
from livefake.trust.erase import Revoker
from livefake.trust.grants import GrantBook
from livefake.trust.hearing import RATE
from livefake.trust.invites import InviteBook
from livefake.trust.liveness import Challenge, Liveness
from livefake.trust.prompts import Prompt
from livefake.trust.watch import View
from tests.actor import STEP, Obedient, Script, make_face, voice
from tests.grantkit import SERVICE, START

__all__ = ["Cast", "Person", "until"]


async def until(true: Callable[[], bool]) -> None:
    """Wait for something that another thread does.

    Raises:
        TimeoutError: it was not done within half a minute.
    """
    async with asyncio.timeout(30):
        while True:
            if true():
                return
            await asyncio.sleep(0.0005)


class Person:
    """Sits in front of a camera that takes ten pictures a second, each once the one before was looked at.

    Args:
        clock: moved on by each picture.
        script: what they do.
        ends: after how many pictures the camera is switched off.
    """

    def __init__(self, clock: FakeClock, script: Script | None = None, *, ends: int = 2000) -> None:
        self.clock = clock
        self.script = script or Obedient()
        self.liveness: Liveness | None = None
        self.others = 0
        self._ends = ends
        self._shown = self._seen = 0
        self._voice, self._heard = voice(), 0
        self._over = asyncio.Event()
        self._sound_until: Nanos = 0

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        await until(lambda: self._seen >= self._shown or self._over.is_set())
        if self._over.is_set() or self._shown >= self._ends:
            raise StopAsyncIteration
        self._shown += 1
        self.clock.advance(STEP / 1e6)
        return Frame(np.zeros((96, 64), np.uint8), self._shown * 7, self.clock())

    async def close(self) -> None:
        self._over.set()

    def take(self, until: Nanos) -> list[tuple[NDArray[np.int16], Nanos]]:
        """A voice begins to read once the code is shown."""
        assert self.liveness is not None
        start, self._sound_until = self._sound_until, until
        if self.liveness.step.prompt is not Prompt.READ_CODE or not start:
            return []
        piece = self._voice[self._heard : self._heard + RATE // 10]
        self._heard += len(piece)
        return [(piece, start)]

    def look(self, frame: Frame) -> View:
        """What is seen in a picture."""
        assert self.liveness is not None
        self._seen += 1
        levels = self.script(frame.instant / 1e9, self.liveness)
        if self.others:
            return View(frame.instant, 1 + self.others)
        return View(frame.instant, 1, make_face(levels, seed=self._seen, known=self._seen % 4 == 0))


class Subject:
    """The connection that brings a person."""

    def __init__(self, person: Person) -> None:
        self.source = person
        self.sound = person
        self.closed = False

    async def accept(self, sdp: str) -> str:
        await asyncio.sleep(0)
        if not sdp.startswith("v=0"):
            raise BadRequest("The offer should be SDP, and is not.")
        return "v=0\r\ns=answer\r\n"

    async def wait_closed(self) -> None:
        return None

    async def close(self) -> None:
        self.closed = True
        await self.source.close()


class Cast:
    """Who comes to the checks of a service, one after the other, and the service's people.

    Args:
        data: the data folder.
        sign_within: see ``Enrolments``.
    """

    def __init__(self, data: Path, *, sign_within: float = 180.0) -> None:
        self.now: float = START
        # Moved on by the pictures alone, unlike the clock that limits requests.
        self.clock = FakeClock()
        self.waiting: list[Person] = []
        self.subjects: list[Subject] = []
        self._judges: list[Liveness] = []
        book, invites = GrantBook(data, SERVICE), InviteBook(data)
        revoker = Revoker(book, data)
        enrolments = Enrolments(
            invites,
            book,
            revoker,
            peer=self._enter,
            look=self._look,
            judge=self._judge,
            clock=self.clock,
            wall=lambda: self.now,
            sign_within=sign_within,
        )
        self.people = People(
            data=data, book=book, invites=invites, enrolments=enrolments, revoker=revoker, wall=lambda: self.now
        )

    def expect(self, script: Script | None = None, *, ends: int = 2000) -> Person:
        """Somebody who will come to the next check."""
        person = Person(self.clock, script, ends=ends)
        self.waiting.append(person)
        return person

    def _judge(self, challenge: Challenge) -> Liveness:
        self._judges.append(Liveness(challenge))
        return self._judges[-1]

    def _enter(self) -> Subject:
        person = self.waiting.pop(0) if self.waiting else Person(self.clock)
        person.liveness = self._judges[-1]
        self.subjects.append(Subject(person))
        return self.subjects[-1]

    def _look(self) -> AbstractContextManager[Look]:
        return nullcontext(self.subjects[-1].source.look)
