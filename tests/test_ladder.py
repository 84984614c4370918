from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from livefake.clock import Nanos, nanos
from livefake.flow.ladder import BACK, CALM, Ladder, Step, steps_for

FRAME = nanos(33.3)
NETWORKS = {256: nanos(10), 192: nanos(6), 128: nanos(3)}


@dataclass
class Machine:
    """What a frame takes, by step: the rest of the work and the network, both so many times slower than usual."""

    rest: float = 6.0
    around: float = 2.0
    networks: dict[int, Nanos] | None = None
    slow: Callable[[Nanos], float] = lambda now: 1.0
    noise: Callable[[], float] = lambda: 1.0

    def takes(self, step: Step, now: Nanos) -> tuple[Nanos, Nanos]:
        size = {0: 1.0, 540: 0.8, 360: 0.6}[step.lines]
        networks = NETWORKS if self.networks is None else self.networks
        network = networks[step.side] + nanos(self.around) if step.side else 0
        factor = self.slow(now) * self.noise()
        return round((nanos(self.rest) * size + network) * factor), round(network * factor)

    def fits(self, step: Step, now: Nanos) -> bool:
        return self.takes(step, now)[0] <= 0.95 * FRAME * step.every


def run(ladder: Ladder, machine: Machine, seconds: float, *, start: Nanos = 0) -> list[tuple[Nanos, int]]:
    """Frames as they come; returns when each step began, the first at the start."""
    now, moves = start, [(start, ladder.place)]
    while now < start + nanos(seconds * 1000):
        took, network = machine.takes(ladder.step, now)
        now += max(took, FRAME * ladder.step.every)
        if ladder.see(took, network, FRAME, now):
            moves.append((now, ladder.place))
    return moves


def names(ladder: Ladder, places: Iterable[tuple[Nanos, int]]) -> list[Step]:
    return [ladder.steps[place] for _, place in places]


def test_the_steps_give_up_the_network_then_searching_then_size_then_every_second_frame() -> None:
    assert steps_for([128, 256]) == (
        Step(256),
        Step(128),
        Step(0),
        Step(0, 16),
        Step(0, 16, 540),
        Step(0, 16, 360),
        Step(0, 16, 360, 2),
    )
    assert steps_for([])[0] == Step(0)


def test_a_fast_machine_begins_without_the_network_and_has_the_best_of_it_within_half_a_second() -> None:
    ladder = Ladder(NETWORKS)
    moves = run(ladder, Machine(), 60)
    assert names(ladder, moves) == [Step(0), Step(256)]
    assert moves[1][0] < nanos(500)


def test_a_slow_machine_goes_straight_to_what_fits_and_never_tries_what_does_not() -> None:
    networks = {256: nanos(37), 192: nanos(21), 128: nanos(10)}
    ladder = Ladder(networks)
    moves = run(ladder, Machine(networks=networks), 120)
    assert names(ladder, moves) == [Step(0), Step(128)]
    assert moves[1][0] < nanos(500)


def test_a_neighbour_that_comes_and_goes_takes_quality_away_and_gives_it_back() -> None:
    ladder = Ladder(NETWORKS)
    machine = Machine(slow=lambda now: 3.2 if nanos(5_000) < now < nanos(20_000) else 1.0)
    moves = run(ladder, machine, 120)
    steps = names(ladder, moves)
    assert steps[:2] == [Step(0), Step(256)]
    assert moves[2][0] < nanos(7_000)
    assert Step(0) in steps[2:4]
    assert ladder.step == Step(256)


def test_a_machine_that_is_far_too_slow_ends_with_every_second_frame_at_360_lines() -> None:
    ladder = Ladder(NETWORKS)
    run(ladder, Machine(slow=lambda now: 12.0), 10)
    assert ladder.step == Step(0, 16, 360, 2)


def test_one_long_frame_changes_nothing() -> None:
    ladder = Ladder(NETWORKS)
    run(ladder, Machine(), 10)
    assert not ladder.see(nanos(400), nanos(10), FRAME, nanos(10_400))
    assert [step for _, step in run(ladder, Machine(), 10, start=nanos(10_400))] == [0]


def burst(began: float, ended: float) -> Machine:
    return Machine(slow=lambda now: 6.0 if nanos(began * 1000) < now < nanos(ended * 1000) else 1.0)


@pytest.mark.parametrize("began", [4.0, 8.0])
def test_a_burst_of_a_second_changes_nothing(began: float) -> None:
    ladder = Ladder(NETWORKS)
    assert names(ladder, run(ladder, burst(began, began + 1), 30)) == [Step(0), Step(256)]


def test_a_burst_at_the_very_start_takes_nothing_but_the_network() -> None:
    ladder = Ladder(NETWORKS)
    steps = names(ladder, run(ladder, burst(0.2, 1.2), 30))
    assert all(step.search == 8 and not step.lines for step in steps)
    assert steps[-1] == Step(256)


def test_a_step_that_was_only_just_tried_is_given_up_at_once() -> None:
    ladder = Ladder({256: nanos(1)})
    moves = run(ladder, Machine(networks={256: nanos(40)}), 60)
    stays = [after - before for (before, place), (after, _) in pairwise(moves) if place == 0]
    assert max(stays[1:]) < nanos(1_000)


def test_a_step_that_was_too_much_is_left_alone_twice_as_long_each_time() -> None:
    ladder = Ladder({256: nanos(1)})
    # The network takes far more than was measured at the start, and only while it runs.
    moves = run(ladder, Machine(networks={256: nanos(40)}), 200)
    tries = [at for at, place in moves if place == 0]
    gaps = [(after - before) / nanos(1_000) for before, after in pairwise(tries)]
    assert len(tries) >= 3
    assert gaps[0] >= 10
    assert all(after >= 1.8 * before for before, after in pairwise(gaps))


def test_where_nobody_waits_the_best_stays_in_force() -> None:
    ladder = Ladder(NETWORKS, moving=False)
    assert run(ladder, Machine(slow=lambda now: 50.0), 60) == [(0, 0)]
    ladder.change({})
    assert ladder.step == Step(0)


def test_a_network_that_would_take_most_of_the_time_is_worked_at_a_smaller_crop() -> None:
    ladder = Ladder(NETWORKS)
    run(ladder, Machine(rest=12), 20)
    # At 256 pixels a frame would take 24 ms of 33: that fits, and is felt.
    assert ladder.step == Step(128)


def test_another_network_goes_on_at_the_same_step() -> None:
    ladder = Ladder(NETWORKS)
    run(ladder, Machine(), 5)
    ladder.change(dict(NETWORKS))
    assert ladder.step == Step(256)
    ladder.change({})
    assert ladder.step == Step(0)
    ladder.change(NETWORKS)
    run(ladder, Machine(), 5, start=nanos(6_000))
    assert ladder.step == Step(256)


def test_what_is_given_up_is_told_in_words() -> None:
    ladder = Ladder(NETWORKS)
    run(ladder, Machine(), 2)
    assert not ladder.words
    run(ladder, Machine(slow=lambda now: 12.0), 10, start=nanos(3_000))
    assert ", ".join(ladder.words) == "faces searched for in every 16th frame, at most 360 lines, every second frame"


def steadily(slow: float) -> Callable[[Nanos], float]:
    return lambda now: slow


slowness = some.floats(0.3, 8.0)


@settings(max_examples=25, deadline=None)
@given(slowness, some.floats(5, 40), some.floats(0, 6))
def test_under_a_steady_load_it_ends_where_the_work_fits_and_stays_there(
    slow: float, rest: float, around: float
) -> None:
    ladder = Ladder(NETWORKS)
    machine = Machine(rest, around, slow=steadily(slow))
    run(ladder, machine, 90)
    if any(machine.fits(step, 0) for step in ladder.steps):
        assert machine.fits(ladder.step, 0)
    else:
        assert ladder.place + 1 == len(ladder.steps)
    # A step that does not fit may be tried again for a moment, ever more rarely.
    assert len(run(ladder, machine, 60, start=nanos(90_000))) <= 7


@settings(max_examples=25, deadline=None)
@given(some.lists(some.tuples(slowness, some.floats(0.1, 12)), min_size=1, max_size=12), some.randoms())
def test_whatever_the_load_does_it_never_goes_up_sooner_than_allowed(phases: list[tuple[float, float]], chance) -> None:  # type: ignore[no-untyped-def]
    ladder = Ladder(NETWORKS)
    moves, now, before = [], 0, ladder.place
    for slow, seconds in phases:
        machine = Machine(slow=steadily(slow), noise=lambda: chance.uniform(0.6, 1.8))
        moves += run(ladder, machine, seconds, start=now)[1:]
        now = max(now + nanos(seconds * 1000), moves[-1][0] if moves else 0)
    fallen: dict[int, Nanos] = {}
    # The first move ends the finding out, and may lead up at once.
    for (earlier, came), (at, place) in pairwise(moves):
        if place > came:
            fallen[came] = at
        else:
            assert place == came - 1
            assert at - earlier >= CALM
            assert at - fallen.get(place, -BACK) >= BACK
    assert before == 3


@settings(max_examples=25, deadline=None)
@given(some.lists(some.floats(0, 0.6), min_size=1, max_size=10))
def test_while_the_load_rises_it_never_ends_on_a_better_step(rises: list[float]) -> None:
    ladder, now, slow = Ladder(NETWORKS), 0, 1.0
    run(ladder, Machine(), 5)
    for rise in rises:
        before = ladder.place
        now += nanos(5_000)
        slow += rise
        # It may fall a step too far, since what a smaller picture saves is a guess, and come back from there.
        assert all(place >= before for _, place in run(ladder, Machine(slow=steadily(slow)), 5, start=now))


@settings(max_examples=25, deadline=None)
@given(slowness, slowness)
def test_a_heavier_load_never_ends_on_a_better_step(one: float, other: float) -> None:
    places = []
    for slow in sorted((one, other)):
        ladder = Ladder(NETWORKS)
        run(ladder, Machine(slow=steadily(slow)), 60)
        places.append(ladder.place)
    assert places[0] <= places[1]


@given(some.lists(some.tuples(some.integers(0, nanos(1_000)), some.integers(0, nanos(1_000))), max_size=300))
def test_whatever_frames_take_the_step_is_one_of_the_steps(frames: list[tuple[int, int]]) -> None:
    ladder, now = Ladder(NETWORKS), 0
    for took, network in frames:
        now += took
        ladder.see(took, network, FRAME, now)
        assert ladder.step in ladder.steps


def at_rate(ladder: Ladder, machine: Machine, interval: Nanos, seconds: float, *, start: Nanos = 0) -> Nanos:
    now = start
    while now < start + nanos(seconds * 1000):
        took, network = machine.takes(ladder.step, now)
        now += max(interval * ladder.every, took)
        ladder.see(took, network, interval, now)
    return now


@pytest.mark.parametrize(
    ("interval", "rest", "step", "every"),
    [
        (nanos(66.6), 12.0, Step(192), 1),
        (nanos(33.3), 7.0, Step(256), 1),
        (nanos(16.6), 2.0, Step(192), 1),
        (nanos(16.6), 7.0, Step(256), 2),
        (nanos(16.6), 25.0, Step(0), 2),
    ],
)
def test_a_fast_source_gives_up_frames_before_quality(interval: Nanos, rest: float, step: Step, every: int) -> None:
    ladder = Ladder(NETWORKS)
    at_rate(ladder, Machine(rest), interval, 20)
    assert (ladder.step, ladder.every) == (step, every)


def test_all_frames_of_a_fast_source_come_back_when_there_is_room() -> None:
    ladder = Ladder(NETWORKS)
    now = at_rate(ladder, Machine(12), nanos(16.6), 10)
    assert ladder.every == 2
    now = at_rate(ladder, Machine(2, slow=steadily(0.7)), nanos(16.6), 30, start=now)
    assert (ladder.step, ladder.every) == (Step(256), 1)
    now = at_rate(ladder, Machine(12), nanos(16.6), 10, start=now)
    assert ladder.every == 2
    at_rate(ladder, Machine(12), nanos(33.3), 10, start=now)
    assert (ladder.step, ladder.every) == (Step(256), 1)


def test_steps_that_would_leave_a_small_picture_as_it_is_are_passed_over_both_ways() -> None:
    ladder = Ladder({})
    ladder.measure(360)
    moves = run(ladder, Machine(rest=50), 20)
    assert names(ladder, moves) == [Step(0), Step(0, 16, 360, 2)]
    assert ", ".join(ladder.words) == "faces searched for in every 16th frame, every second frame"
    moves = run(ladder, Machine(rest=8), 60, start=nanos(20_000))
    assert names(ladder, moves) == [Step(0, 16, 360, 2), Step(0, 16), Step(0)]


def test_a_picture_of_some_size_is_made_smaller_only_as_far_as_that_helps() -> None:
    ladder = Ladder({})
    ladder.measure(480)
    moves = run(ladder, Machine(rest=40), 20)
    assert Step(0, 16, 540) not in names(ladder, moves)
    assert ladder.step == Step(0, 16, 360)
