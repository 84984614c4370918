"""What became of a frame, and who may watch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from livefake.clock import Nanos

__all__ = ["Fate", "Observer", "Outcome"]


class Fate(StrEnum):
    """The ways a frame can end."""

    SWAPPED = "swapped"
    HELD = "held"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one frame.

    Attributes:
        fate: shown, held back for a reason, too late, or lost to a failure.
        reason: a few words for a person; empty for a picture that was shown.
    """

    fate: Fate
    reason: str = ""

    @property
    def shown(self) -> bool:
        """Whether the frame became a picture."""
        return self.fate is Fate.SWAPPED


class Observer(Protocol):
    """Watches a pipeline from outside; called on its thread, must be quick and must not raise."""

    def stage(self, name: str, wall: Nanos, cpu: Nanos) -> None:
        """A stage has run on a frame and took that long."""
        ...

    def frame(self, outcome: Outcome, wall: Nanos, cpu: Nanos) -> None:
        """A frame is through; all its stages together took that long."""
        ...
