"""The checks that run, each with its connection: begun with an invitation, ended by a signature or a refusal."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Final

from livefake.clock import Clock, Wall
from livefake.enrolment import Enrolment, Judge, Look, Progress, State
from livefake.errors import Busy, ConsentError, LivefakeError, NotFound
from livefake.server.enrolnotice import ENROL_NOTICE, notice_text
from livefake.server.notice import Notice
from livefake.server.ports import SubjectPort
from livefake.trust.consent import Grant
from livefake.trust.enrol import draw_up
from livefake.trust.erase import Revoker
from livefake.trust.grants import GrantBook
from livefake.trust.handles import Handle
from livefake.trust.invites import Ask, InviteBook
from livefake.trust.liveness import Challenge, draw

__all__ = ["AT_ONCE", "SIGN_WITHIN", "Attempt", "Enrolments"]

AT_ONCE: Final = 2
"""Checks that may run at the same time: each looks at pictures as fast as the machine allows."""

SIGN_WITHIN: Final = 180.0
"""Seconds for which the outcome of a check is kept: to read what is signed and to sign it, or to read a refusal."""

_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Attempt:
    """One check under one invitation.

    Attributes:
        key: of the invitation.
        name: unguessable; who began the check has it, so that nobody else with the link can end or sign it.
        ask: what the invitation asks for.
        tries: checks that are left after this one.
        challenge: what the person is asked to do.
        enrolment: runs it.
        peer: brings pictures and sound.
    """

    key: str = field(repr=False)
    name: str = field(repr=False)
    ask: Ask
    tries: int
    challenge: Challenge
    enrolment: Enrolment
    peer: SubjectPort
    signing: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    @property
    def progress(self) -> Progress:
        """How far it has come."""
        return self.enrolment.progress


class Enrolments:
    """Begins, finds and ends checks; used on the event loop only.

    Args:
        invites: the invitations.
        book: where signed grants go.
        revoker: takes back a grant whose invitation could not be closed.
        peer: makes an unconnected peer for a person.
        look: opens what looks at the pictures, on the check's own thread.
        judge: decides about one challenge.
        rng: draws the challenges; a test passes one that it knows.
        clock: the service's monotonic clock.
        wall: the wall clock, by which invitations and grants begin and end.
        notice: what a person agrees to.
        sign_within: see ``SIGN_WITHIN``.
    """

    def __init__(
        self,
        invites: InviteBook,
        book: GrantBook,
        revoker: Revoker,
        *,
        peer: Callable[[], SubjectPort],
        look: Callable[[], AbstractContextManager[Look]],
        judge: Callable[[Challenge], Judge],
        clock: Clock,
        wall: Wall,
        rng: random.Random | None = None,
        notice: Notice = ENROL_NOTICE,
        sign_within: float = SIGN_WITHIN,
    ) -> None:
        self.notice = notice
        self._invites = invites
        self._book = book
        self._revoker = revoker
        self._peer = peer
        self._look = look
        self._judge = judge
        self._rng = rng or secrets.SystemRandom()
        self._clock = clock
        self._wall = wall
        self._sign_within = sign_within
        self._attempts: dict[str, Attempt] = {}
        self._closing = False

    def __iter__(self) -> Iterator[Attempt]:
        return iter(tuple(self._attempts.values()))

    @property
    def running(self) -> int:
        """Checks that look at pictures now."""
        return sum(attempt.progress.state is State.WATCHING for attempt in self)

    async def begin(self, key: str, offer: str) -> tuple[Attempt, str]:
        """Begin a check: one try of the invitation is used up.

        Args:
            key: of the invitation.
            offer: the browser's SDP offer, with camera and microphone.

        Returns:
            The check and the SDP answer.

        Raises:
            NotFound: the invitation cannot be used.
            Busy: as many checks run as may, or one under this invitation.
            BadRequest: the offer cannot be answered; that uses no try.
            LivefakeError: the invitation cannot be written.
        """
        invite = self._invites.find(key, now=self._wall())
        self._make_room(key)
        challenge = draw(self._rng)
        enrolment = Enrolment(self._look, self._judge(challenge), clock=self._clock)
        name, tries = secrets.token_urlsafe(16), invite.tries - 1
        # The place is taken before the first await, or two offers at once could both pass the check above.
        attempt = self._attempts[key] = Attempt(key, name, invite.ask, tries, challenge, enrolment, self._peer())
        try:
            answer = await attempt.peer.accept(offer)
            self._invites.spend(key, now=self._wall())
        except BaseException:
            self._drop(attempt)
            await attempt.peer.close()
            raise
        attempt.task = asyncio.create_task(self._attend(attempt), name="enrolment")
        _log.info("A check began; %d of %d run.", self.running, AT_ONCE)
        return attempt, answer

    def find(self, key: str, name: str) -> Attempt:
        """The check with that name under that invitation.

        Raises:
            NotFound: there is none, or its time is over.
        """
        attempt = self._attempts.get(key)
        if attempt is None or not secrets.compare_digest(attempt.name.encode(), name.encode()):
            raise NotFound("This check is over, and nothing of it was kept.", "Open the invitation again.")
        return attempt

    async def cancel(self, key: str, name: str) -> None:
        """End a check and forget what it saw.

        Raises:
            NotFound: there is none.
        """
        attempt = self.find(key, name)
        self._drop(attempt)
        await attempt.peer.close()
        if attempt.task is not None:
            await asyncio.wait([attempt.task])

    async def sign(self, key: str, name: str, *, subject: str, ask: Ask) -> tuple[Grant, Handle]:
        """Sign a grant for the person who passed a check; the invitation is used up then.

        Args:
            key, name: of the invitation and the check.
            subject: the name the person wants to be called.
            ask: what they allow: what was asked for, or less.

        Returns:
            The grant, and what is told to its subject and to nobody else.

        Raises:
            NotFound: there is no such check.
            ConsentError: the check has not passed, or a field is not what it should be.
            LivefakeError: the grant cannot be written; nothing is left behind then.
        """
        attempt = self.find(key, name)
        watched = attempt.enrolment.watched
        if watched is None or attempt.signing:
            raise ConsentError("There is no passed check to sign for.", "Do the check first.")
        if not attempt.ask.covers(ask):
            raise ConsentError("This allows more than the invitation asked for.", "Allow what was asked for, or less.")
        told = replace(watched, evidence={**watched.evidence, "through": "one-time link"})
        handle = Handle()

        def write() -> Grant:
            grant = draw_up(
                self._book,
                told,
                subject=subject,
                purposes=ask.purposes,
                outputs=ask.outputs,
                now=self._wall(),
                days=ask.days,
                notice=notice_text(self.notice),
                adult=True,
                handle=handle,
            )
            try:
                self._invites.close(key)
            except LivefakeError:
                self._revoker(grant.id, now=self._wall())
                raise
            return grant

        attempt.signing = True
        try:
            grant = await asyncio.to_thread(write)
        finally:
            attempt.signing = False
        self._drop(attempt)
        _log.info("The grant %s was signed.", grant.id)
        return grant, handle

    async def close(self, within: float) -> None:
        """End every check, in at most that many seconds; new ones are refused from now on."""
        self._closing = True
        tasks = [attempt.task for attempt in self if attempt.task is not None]
        for attempt in self:
            self._drop(attempt)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=within)

    def _make_room(self, key: str) -> None:
        if self._closing:
            raise Busy("livefake is being closed.", "Try again when it runs.")
        mine = self._attempts.get(key)
        if mine is not None and mine.progress.state is State.REFUSED:
            self._drop(mine)
        elif mine is not None:
            raise Busy("A check with this link is open in another window already.", "Finish it there, or close it.")
        if self.running >= AT_ONCE:
            raise Busy(
                f"{AT_ONCE} people are being checked at the moment, which is as many as there may be.",
                "Try again in a few minutes; this used none of your tries.",
            )

    def _drop(self, attempt: Attempt) -> None:
        attempt.enrolment.forget()
        attempt.over.set()
        if self._attempts.get(attempt.key) is attempt:
            del self._attempts[attempt.key]

    async def _attend(self, attempt: Attempt) -> None:
        """Watch until the check is over, then keep its outcome for a while."""
        try:
            try:
                await attempt.enrolment.run(attempt.peer.source, attempt.peer.sound)
            finally:
                await attempt.peer.close()
            _log.info("A check ended: %s.", attempt.progress.state)
            if attempt.tries == 0 and attempt.progress.state is State.REFUSED:
                self._invites.close(attempt.key)
            async with asyncio.timeout(self._sign_within):
                await attempt.over.wait()
        except TimeoutError:
            _log.info("The outcome of a check was not used in time and is forgotten.")
        except LivefakeError as error:
            _log.warning("A check ended: %s", error)
        finally:
            self._drop(attempt)
