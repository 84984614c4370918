"""The time a frame may take: arithmetic only, with every instant as an argument."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

from livefake.clock import Nanos
from livefake.flow.stage import Stage
from livefake.frame import Frame

__all__ = ["Budget"]

_COLD: Final = 2
_KEPT: Final = 15
_GAPS: Final = 15
_STRETCH: Final = 1.5


class _Cost:
    """The usual cost of a stage: the median of its latest runs, the cold first ones forgotten."""

    def __init__(self) -> None:
        self._skip = _COLD
        self._runs: deque[Nanos] = deque(maxlen=_KEPT)
        self.usual: Nanos = 0

    def learn(self, cost: Nanos) -> None:
        if self._skip:
            self._skip -= 1
            return
        self._runs.append(cost)
        self.usual = int(median(self._runs))


class Budget:
    """Decides what a frame can afford.

    Two limits follow the rate of the source. Work has to fit into one interval between frames, or frames
    would pile up. That is for the quality ladder to bring about; a stage that is not vital is left out at once only
    where it would make a frame take half as long again, because a single frame without it can be seen. And a picture
    that is older than ``patience`` intervals is not worth finishing: newer ones wait already. Where the vital work
    alone takes longer than that, on a slow machine, dropping helps nobody, so the second limit stretches with it.

    Args:
        interval: between two frames of the source, as a first guess; learned from their time stamps afterwards.
        patience: age at which a frame is late, in intervals.
        ceiling: a latency that the user does not want to exceed; tightens both limits.
        learning: whether arrivals teach the interval; work on a file has none that means anything.
    """

    def __init__(
        self,
        *,
        interval: Nanos = 33_333_333,
        patience: float = 2.0,
        ceiling: Nanos = 150_000_000,
        learning: bool = True,
    ) -> None:
        self._learning = learning
        self._interval = interval
        self._gaps: deque[Nanos] = deque(maxlen=_GAPS)
        self._patience = patience
        self._ceiling = ceiling
        self._costs: dict[str, _Cost] = {}
        self._vital: dict[str, bool] = {}
        self._previous: Nanos | None = None

    @property
    def learning(self) -> bool:
        """Whether there is a source whose rate has to be kept up with."""
        return self._learning

    @property
    def interval(self) -> Nanos:
        """Between two frames of the source: the median of the latest gaps."""
        return self._interval

    @property
    def vital_cost(self) -> Nanos:
        """What all vital stages together usually cost."""
        return sum(cost.usual for name, cost in self._costs.items() if self._vital[name])

    @property
    def allowance(self) -> Nanos:
        """The age that a frame may reach."""
        wanted = min(self._patience * self._interval, float(self._ceiling))
        return round(max(wanted, 2.0 * self.vital_cost))

    def arrive(self, instant: Nanos) -> None:
        """Learn the rate of the source from one more frame; every frame counts, those that nobody works on too.

        Args:
            instant: of the frame by its own time stamp. Gaps of more than a second are pauses, not a rate.
        """
        if self._learning and self._previous is not None:
            gap = instant - self._previous
            if 1_000_000 <= gap <= 1_000_000_000:
                self._gaps.append(gap)
                self._interval = round(median(self._gaps))
        self._previous = instant

    def usual(self, stage: Stage) -> Nanos:
        """What a stage usually costs; 0 while nothing is known."""
        cost = self._costs.get(stage.name)
        return cost.usual if cost else 0

    def left(self, frame: Frame, now: Nanos) -> Nanos:
        """What remains until the frame is late; negative when it is."""
        return self.allowance - (now - frame.arrived)

    def late(self, frame: Frame, now: Nanos) -> bool:
        """Whether the frame is too old to be worth finishing."""
        return self.left(frame, now) < 0

    def affords(self, stage: Stage, frame: Frame, now: Nanos) -> bool:
        """Whether an optional stage fits: beside the vital work, and before the frame is late."""
        cost = self.usual(stage)
        fits = self.vital_cost + cost <= min(_STRETCH * self._interval, float(self._ceiling))
        return fits and cost <= self.left(frame, now)

    def forget(self, stage: Stage) -> None:
        """Begin anew with a stage that costs something else from now on."""
        self._costs.pop(stage.name, None)

    def learn(self, stage: Stage, cost: Nanos) -> None:
        """Take note of what a stage has just cost."""
        self._vital[stage.name] = stage.vital
        self._costs.setdefault(stage.name, _Cost()).learn(cost)
