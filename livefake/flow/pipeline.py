"""A frame's way through its stages, ending in a sealed picture or in nothing."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from livefake.clock import Clock
from livefake.flow.budget import Budget
from livefake.flow.outcome import Fate, Observer, Outcome
from livefake.flow.stage import Stage
from livefake.frame import Drop, Frame
from livefake.trust.seal import Seal, Sealed

__all__ = ["Pipeline"]

_log = logging.getLogger(__name__)


class Pipeline:
    """Runs the stages in their order.

    Whatever goes wrong, the answer is None and never an unfinished picture: a stage that drops the frame, a
    stage that raises, a frame that is late, a seal that refuses.

    Args:
        stages: in the order in which they run; names are unique.
        seal: makes the picture that may be shown.
        budget: what a frame may cost.
        clock: wall time.
        cpu_clock: processor time of whatever the caller wants counted: the thread or the process.
        observers: told about every stage and frame.
    """

    def __init__(
        self,
        stages: Sequence[Stage],
        seal: Seal,
        budget: Budget,
        *,
        clock: Clock,
        cpu_clock: Clock,
        observers: Sequence[Observer] = (),
    ) -> None:
        names = [stage.name for stage in stages]
        if len(set(names)) < len(names):
            raise ValueError(f"the stages of a pipeline need different names, got {names}")
        self._stages = tuple(stages)
        self._seal = seal
        self._budget = budget
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._observers = tuple(observers)

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self._stages

    def __call__(self, frame: Frame) -> Sealed | None:
        """Finish one frame; None when there is nothing that may be shown."""
        wall, cpu = self._clock(), self._cpu_clock()
        sealed: Sealed | None = None
        try:
            outcome, frame = self._run(frame)
            if outcome.shown:
                sealed = self._seal(frame)
        except Drop as drop:
            outcome = Outcome(Fate.HELD, drop.reason)
        except Exception as error:  # a bug or a broken engine in any stage must end in a held picture, not in a leak
            _log.exception("A frame was lost")
            outcome = Outcome(Fate.FAILED, f"{type(error).__name__}: {error}")
        wall, cpu = self._clock() - wall, self._cpu_clock() - cpu
        for observer in self._observers:
            observer.frame(outcome, wall, cpu)
        return sealed

    def _run(self, frame: Frame) -> tuple[Outcome, Frame]:
        for stage in self._stages:
            now = self._clock()
            if stage.vital:
                if self._budget.late(frame, now):
                    return Outcome(Fate.LATE, f"late before {stage.name}"), frame
            elif not self._budget.affords(stage, frame, now):
                continue
            cpu = self._cpu_clock()
            frame = stage(frame)
            wall, cpu = self._clock() - now, self._cpu_clock() - cpu
            self._budget.learn(stage, wall)
            for observer in self._observers:
                observer.stage(stage.name, wall, cpu)
        return Outcome(Fate.SWAPPED), frame
