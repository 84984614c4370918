"""The quality ladder: how much an optional step may cost, learned from the frames that had to go without it.

Counts frames and nothing else, so it needs no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from livefake.clock import Nanos
from livefake.flow.outcome import Fate, Outcome

__all__ = ["Climber", "Ladder"]

_WINDOW: Final = 30
_TOO_MANY: Final = 4
"""Frames of a window without the step, after which it goes a rung down."""
_PATIENCE: Final = 300
_MOST_PATIENCE: Final = 9_600


class Climber(Protocol):
    """An optional step that can work at several costs.

    Attributes:
        name: of its stage.
        rungs: from the best to the cheapest.
        rung: the one in force; may be set between two frames.
    """

    rung: int

    @property
    def name(self) -> str: ...

    @property
    def rungs(self) -> Sequence[int]: ...

    def restart(self) -> None:
        """A frame was shown without the step; come back softly."""
        ...


class Ladder:
    """Observer of a pipeline that moves one step down when frames go without it, and up again after a calm time.

    Each fall doubles the time until the next attempt, up to some minutes: a picture that changes back and forth is
    worse than one that is a little softer.

    Args:
        climber: the step.
    """

    def __init__(self, climber: Climber) -> None:
        self._climber = climber
        self._ran = False
        self._missed: deque[bool] = deque(maxlen=_WINDOW)
        self._calm = 0
        self._patience = _PATIENCE

    def stage(self, name: str, wall: Nanos, cpu: Nanos) -> None:
        """A stage has run; see ``Observer``."""
        self._ran = self._ran or name == self._climber.name

    def frame(self, outcome: Outcome, wall: Nanos, cpu: Nanos) -> None:
        """A frame is through; one that had no face to work on says nothing about the load."""
        ran, self._ran = self._ran, False
        if outcome.fate not in (Fate.SWAPPED, Fate.LATE):
            return
        missed = not ran
        self._missed.append(missed)
        self._calm = 0 if missed else self._calm + 1
        if missed:
            self._climber.restart()
        place = self._climber.rungs.index(self._climber.rung)
        if sum(self._missed) >= _TOO_MANY and place + 1 < len(self._climber.rungs):
            self._move(place + 1)
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
        elif self._calm >= self._patience and place > 0:
            self._move(place - 1)

    def _move(self, place: int) -> None:
        self._climber.rung = self._climber.rungs[place]
        self._missed.clear()
        self._calm = 0
