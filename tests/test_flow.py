from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.clock import FakeClock, Nanos, milliseconds, nanos
from livefake.errors import EngineError
from livefake.flow.budget import Budget
from livefake.flow.hold import Hold, State
from livefake.flow.outcome import Fate, Outcome
from livefake.flow.pipeline import Pipeline
from livefake.flow.stage import Stage
from livefake.flow.timing import FRAME, Samples, Timings
from livefake.frame import Drop, Frame
from livefake.trust.seal import REQUIRED, Seal
from tests.album import ScriptedStage, a_face, grey_frame


class Watch:
    """Observer that writes down what it is told."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.outcomes: list[Outcome] = []

    def stage(self, name: str, wall: Nanos, cpu: Nanos) -> None:
        self.stages.append(name)

    def frame(self, outcome: Outcome, wall: Nanos, cpu: Nanos) -> None:
        self.outcomes.append(outcome)


def finish(frame: Frame) -> None:
    """What the real stages leave behind on a frame that may be sealed."""
    frame.faces = (a_face(),)
    frame.done |= REQUIRED


def pipeline(
    stages: Sequence[Stage], clock: FakeClock, budget: Budget | None = None, watch: Watch | None = None
) -> Pipeline:
    return Pipeline(
        stages, Seal(1), budget or Budget(), clock=clock, cpu_clock=clock, observers=(watch,) if watch else ()
    )


def spend(clock: FakeClock, cost: float) -> ScriptedStage:
    return ScriptedStage(f"takes {cost} ms", act=lambda frame: clock.advance(cost))


def test_a_finished_frame_is_sealed_and_read_only() -> None:
    clock, watch = FakeClock(), Watch()
    sealed = pipeline([ScriptedStage(act=finish)], clock, watch=watch)(grey_frame())
    assert sealed is not None
    assert not sealed.card
    assert not sealed.frame.i420.flags.writeable
    assert watch.outcomes == [Outcome(Fate.SWAPPED)]


def fail(frame: Frame) -> None:
    raise EngineError("The network broke.")


def drop(frame: Frame) -> None:
    raise Drop("no face")


def unfinished(frame: Frame) -> None:
    finish(frame)
    frame.done.discard("label")


@pytest.mark.parametrize(
    ("act", "outcome"),
    [
        (fail, Outcome(Fate.FAILED, "EngineError: The network broke.")),
        (drop, Outcome(Fate.HELD, "no face")),
        (unfinished, Outcome(Fate.FAILED, "SealError: The picture lacks label.")),
    ],
)
@pytest.mark.filterwarnings("default")
def test_whatever_goes_wrong_nothing_is_shown(act: object, outcome: Outcome) -> None:
    assert callable(act)
    clock, watch = FakeClock(), Watch()
    after = ScriptedStage("after")
    stages = [ScriptedStage(act=act), after]
    assert pipeline(stages, clock, watch=watch)(grey_frame()) is None
    assert watch.outcomes == [outcome]


def test_stage_names_are_unique() -> None:
    with pytest.raises(ValueError, match="different names"):
        pipeline([ScriptedStage(), ScriptedStage()], FakeClock())


def test_a_frame_that_is_late_is_dropped_before_the_next_vital_stage() -> None:
    clock, watch = FakeClock(), Watch()
    last = ScriptedStage("last", act=finish)
    line = pipeline([spend(clock, 70), last], clock, Budget(interval=nanos(33), patience=2), watch)
    assert line(grey_frame(arrived=0)) is None
    assert last.calls == 0
    assert watch.outcomes == [Outcome(Fate.LATE, "late before last")]


def test_a_slow_machine_still_shows_pictures() -> None:
    """Where the vital work alone takes longer than the patience, dropping would show nothing for ever."""
    clock, watch = FakeClock(), Watch()
    line = pipeline([spend(clock, 120), ScriptedStage("last", act=finish)], clock, Budget(interval=nanos(33)), watch)
    for _ in range(20):
        line(grey_frame(arrived=clock()))
    assert [outcome.fate for outcome in watch.outcomes[-10:]] == [Fate.SWAPPED] * 10


def test_an_optional_stage_is_left_out_when_it_does_not_fit_and_comes_back_when_it_does() -> None:
    clock = FakeClock()
    cost = [25.0]
    vital = ScriptedStage("vital", act=lambda frame: clock.advance(cost[0]))
    extra = ScriptedStage("extra", vital=False, act=lambda frame: clock.advance(30))
    line = pipeline([vital, extra, ScriptedStage("last", act=finish)], clock, Budget(interval=nanos(33)))

    def run(frames: int) -> int:
        before = extra.calls
        for _ in range(frames):
            start = clock()
            assert line(grey_frame(arrived=start)) is not None
            clock.advance(max(0.0, 33 - milliseconds(clock() - start)))
        return extra.calls - before

    run(20)
    assert run(20) == 0
    cost[0] = 5
    run(20)
    assert run(20) == 20


def test_the_cost_of_a_cold_start_is_forgotten() -> None:
    budget, stage = Budget(), ScriptedStage()
    for cost in (900, 400, 5, 5):
        budget.learn(stage, nanos(cost))
    assert budget.usual(stage) == nanos(5)


def test_the_interval_follows_the_source_and_not_its_pauses() -> None:
    budget, now = Budget(interval=nanos(33)), 0
    # A frame that is lost now and then makes one gap twice as long.
    for gap in [66, 66, 132] * 20 + [5000]:
        now += nanos(gap)
        budget.arrive(now)
    assert milliseconds(budget.interval) == pytest.approx(66, abs=0.5)


@given(st.lists(st.integers(0, 400), max_size=40), st.integers(5, 500))
def test_an_optional_stage_is_never_afforded_beyond_what_is_left(costs: list[int], age: int) -> None:
    budget, vital, extra = Budget(), ScriptedStage("v"), ScriptedStage("x", vital=False)
    for cost in costs:
        budget.learn(vital, nanos(cost))
        budget.learn(extra, nanos(cost // 2))
    frame = grey_frame(arrived=0)
    if budget.affords(extra, frame, nanos(age)):
        assert budget.usual(extra) <= budget.left(frame, nanos(age))
        assert budget.usual(extra) + budget.vital_cost <= 1.5 * budget.interval


def test_the_last_picture_stays_for_a_moment_then_the_card_comes_and_comes_again() -> None:
    hold = Hold(after=nanos(300), card=nanos(1200), every=nanos(500))
    assert hold.state(0) is State.WAITING
    assert hold.card_due(0)
    hold.show(nanos(100))
    assert hold.state(nanos(350)) is State.LIVE
    assert hold.state(nanos(450)) is State.HELD
    assert not hold.card_due(nanos(1250))
    assert hold.state(nanos(1300)) is State.CARD
    assert [hold.card_due(nanos(at)) for at in (1300, 1500, 1800, 1900, 2300)] == [True, False, True, False, True]
    hold.show(nanos(2400))
    assert not hold.card_due(nanos(2400))
    assert hold.state(nanos(2400)) is State.LIVE


def test_percentiles_come_from_the_latest_samples_only() -> None:
    samples = Samples(size=100)
    for wall in [1000] * 50 + list(range(1, 101)):
        samples.add(nanos(wall), nanos(2))
    timing = samples.timing()
    assert timing.p50_ms == pytest.approx(50.5)
    assert timing.p95_ms == pytest.approx(95.05)
    assert timing.cpu_ms == pytest.approx(2)


def test_frames_that_were_dropped_do_not_count_as_quick_ones() -> None:
    timings = Timings()
    timings.frame(Outcome(Fate.HELD, "no face"), nanos(1), nanos(1))
    timings.frame(Outcome(Fate.SWAPPED), nanos(20), nanos(10))
    assert timings.report()[FRAME].p50_ms == pytest.approx(20)
