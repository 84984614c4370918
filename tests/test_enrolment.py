"""One check from its first picture to its outcome: the worker and the real judge, an actor in front of them."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import pytest

from livefake.clock import FakeClock
from livefake.enrolment import Enrolment, Look, State
from livefake.errors import BadMedia, EngineError
from livefake.frame import Frame
from livefake.trust.liveness import Liveness, draw
from livefake.trust.prompts import Prompt
from livefake.trust.watch import View
from tests.actor import Levels, Script
from tests.enrolkit import Person, until


def sit(script: Script | None = None, *, ends: int = 2000) -> tuple[Person, Enrolment]:
    clock = FakeClock()
    liveness = Liveness(draw(random.Random(5)))
    person = Person(clock, script, ends=ends)
    person.liveness = liveness
    return person, Enrolment(lambda: nullcontext(person.look), liveness, clock=clock)


async def checked(person: Person, enrolment: Enrolment) -> Enrolment:
    async with asyncio.timeout(30):
        await enrolment.run(person, person)
    return enrolment


def still(time: float, liveness: Liveness) -> Levels:
    del time, liveness
    return {}


async def test_a_person_who_does_what_is_asked_passes_and_is_forgotten_on_request() -> None:
    done = await checked(*sit())
    assert done.progress.state is State.PASSED
    assert done.watched is not None
    assert set(str(done.watched.evidence["prompts"]).split()) == set(Prompt)
    assert int(done.watched.evidence["spoken_ms"]) > 1000
    done.forget()
    assert done.watched is None


async def test_who_does_nothing_is_refused_with_the_judges_own_words() -> None:
    done = await checked(*sit(still))
    assert done.progress.state is State.REFUSED
    assert done.progress.problem
    assert done.progress.remedy
    assert done.watched is None


async def test_a_machine_that_is_too_slow_is_part_of_the_reason() -> None:
    person, _ = sit(still)
    assert person.liveness is not None

    def slow(frame: Frame) -> View:
        person.clock.advance(400)
        return person.look(frame)

    done = await checked(person, Enrolment(lambda: nullcontext(slow), person.liveness, clock=person.clock))
    assert done.progress.state is State.REFUSED
    assert "it looked at 2.0 pictures a second" in done.progress.remedy
    quick = await checked(*sit(still))
    assert "busy" not in quick.progress.remedy


async def test_a_camera_that_goes_away_half_way_is_told() -> None:
    done = await checked(*sit(ends=40))
    assert done.progress.problem == "The camera's connection ended before the check was done."
    assert done.watched is None


async def test_the_pictures_own_times_do_not_count() -> None:
    person, enrolment = sit()
    await checked(person, enrolment)
    assert enrolment.watched is not None
    # The frames say that they are 7/90000 s apart; by those times no movement would have lasted long enough.
    assert int(enrolment.watched.evidence["watched_ms"]) > 10_000


async def test_a_check_takes_three_minutes_at_most() -> None:
    person, _ = sit()
    assert person.liveness is not None
    enrolment = Enrolment(lambda: nullcontext(person.look), person.liveness, clock=person.clock, patience=2_000_000_000)
    done = await checked(person, enrolment)
    assert done.progress.problem == "The check may take 2 seconds, and took longer."


async def test_a_network_that_cannot_be_loaded_is_told() -> None:
    def missing() -> AbstractContextManager[Look]:
        raise EngineError("Telling people apart needs dlib, which is not installed.", "Install it.")

    person, _ = sit()
    assert person.liveness is not None
    done = await checked(person, Enrolment(missing, person.liveness, clock=person.clock))
    assert (done.progress.problem, done.progress.remedy) == (
        "Telling people apart needs dlib, which is not installed.",
        "Install it.",
    )


async def test_a_bug_while_looking_refuses_and_tells_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    person, _ = sit()

    def look(frame: Frame) -> View:
        raise ZeroDivisionError("secret")

    assert person.liveness is not None
    done = await checked(person, Enrolment(lambda: nullcontext(look), person.liveness, clock=person.clock))
    assert done.progress.state is State.REFUSED
    assert "secret" not in done.progress.problem
    assert "An enrolment check failed" in caplog.text


async def test_pictures_of_a_size_that_cannot_be_are_told() -> None:
    person, enrolment = sit()

    class Huge:
        def __aiter__(self) -> Huge:
            return self

        async def __anext__(self) -> Frame:
            raise BadMedia("A picture may have 16 x 16 to 3840 x 2160 pixels, got 9000 x 9000.")

        async def close(self) -> None:
            return None

    async with asyncio.timeout(10):
        await enrolment.run(Huge(), person)
    assert enrolment.progress.problem.startswith("A picture may have")


async def test_a_camera_that_sends_nothing_is_given_up() -> None:
    person, _ = sit()

    class Silent:
        def __init__(self) -> None:
            self.over = asyncio.Event()

        def __aiter__(self) -> Silent:
            return self

        async def __anext__(self) -> Frame:
            await self.over.wait()
            raise StopAsyncIteration

        async def close(self) -> None:
            self.over.set()

    # A second passes whenever somebody looks at the clock.
    seconds = itertools.count(0, 1_000_000_000)
    assert person.liveness is not None
    enrolment = Enrolment(lambda: nullcontext(person.look), person.liveness, clock=lambda: next(seconds))
    async with asyncio.timeout(30):
        await enrolment.run(Silent(), person)
    assert enrolment.progress.problem == "No picture of the camera has come for 10 seconds."


async def test_more_pictures_than_ten_a_second_are_left_out() -> None:
    clock = FakeClock()
    looked: list[int] = []
    liveness = Liveness(draw(random.Random(1)))
    person = Person(clock, still, ends=400)
    person.liveness = liveness

    class Fast:
        """Thirty pictures a second, each handed over when the worker waits again."""

        def __init__(self) -> None:
            self.sent = 0
            self.over = False

        def __aiter__(self) -> Fast:
            return self

        async def __anext__(self) -> Frame:
            await until(lambda: not enrolment._fresh.depth or self.over)
            if self.over or self.sent >= 60:
                raise StopAsyncIteration
            self.sent += 1
            clock.advance(1000 / 30)
            return Frame(np.zeros((96, 64), np.uint8), 0, clock())

        async def close(self) -> None:
            self.over = True

    def look(frame: Frame) -> View:
        looked.append(frame.arrived)
        return person.look(frame)

    enrolment = Enrolment(lambda: nullcontext(look), liveness, clock=clock)
    async with asyncio.timeout(20):
        await enrolment.run(Fast(), person)
    assert 10 <= len(looked) <= 20
    assert np.diff(looked).min() >= 100_000_000
