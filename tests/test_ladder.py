from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as some

from livefake.flow.ladder import Ladder
from livefake.flow.outcome import Fate, Outcome


@dataclass
class Step:
    """An optional step with three rungs, the last one off."""

    name: str = "refine"
    rungs: tuple[int, ...] = (256, 128, 0)
    rung: int = 256
    restarts: list[int] = field(default_factory=list)

    def restart(self) -> None:
        self.restarts.append(self.rung)


def run(ladder: Ladder, frames: list[bool], fate: Fate = Fate.SWAPPED) -> None:
    """Frames with (true) and without the step."""
    for ran in frames:
        ladder.stage("swap", 1, 1)
        if ran:
            ladder.stage("refine", 1, 1)
        ladder.frame(Outcome(fate), 2, 2)


def test_a_frame_now_and_then_without_the_step_changes_nothing_but_comes_back_softly() -> None:
    step = Step()
    run(Ladder(step), ([True] * 19 + [False]) * 20)
    assert step.rung == 256
    assert len(step.restarts) == 20


def test_four_of_thirty_frames_without_it_move_it_down_and_on_to_the_last_rung() -> None:
    step = Step()
    ladder = Ladder(step)
    run(ladder, [True, False] * 4)
    assert step.rung == 128
    run(ladder, [False] * 30)
    assert step.rung == 0


def test_a_calm_time_moves_it_up_and_each_fall_makes_the_next_one_longer() -> None:
    step = Step()
    ladder = Ladder(step)
    run(ladder, [False] * 4)
    run(ladder, [True] * 599)
    assert step.rung == 128
    run(ladder, [True])
    assert step.rung == 256
    run(ladder, [False] * 4 + [True] * 1199)
    assert step.rung == 128


def test_frames_without_a_face_say_nothing() -> None:
    step = Step()
    run(Ladder(step), [False] * 100, Fate.HELD)
    assert (step.rung, step.restarts) == (256, [])


def test_late_frames_count_as_without_it() -> None:
    step = Step()
    run(Ladder(step), [False] * 4, Fate.LATE)
    assert step.rung == 128


@given(some.lists(some.booleans(), max_size=800))
def test_whatever_happens_the_rung_is_one_of_the_rungs(frames: list[bool]) -> None:
    step = Step()
    run(Ladder(step), frames)
    assert step.rung in step.rungs
