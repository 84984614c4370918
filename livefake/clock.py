"""Time as an argument: logic takes a ``Clock`` or an instant, never reads the wall clock itself."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Clock", "FakeClock", "Nanos", "Wall", "milliseconds", "monotonic", "nanos", "seconds", "wall"]

Nanos = int
"""An instant or a duration in whole nanoseconds, as ``time.monotonic_ns`` counts them."""

Clock = Callable[[], Nanos]

monotonic: Clock = time.monotonic_ns

Wall = Callable[[], float]
"""The time of day in seconds since 1970 UTC: for what is dated, never for measuring."""

wall: Wall = time.time


def nanos(milliseconds: float) -> Nanos:
    """A duration in milliseconds as nanoseconds."""
    return round(milliseconds * 1e6)


def milliseconds(duration: Nanos) -> float:
    """A duration in nanoseconds as milliseconds."""
    return duration / 1e6


def seconds(duration: Nanos) -> float:
    """A duration in nanoseconds as seconds."""
    return duration / 1e9


class FakeClock:
    """A clock that moves only when told to; for tests and for replaying a recorded run.

    >>> clock = FakeClock()
    >>> clock.advance(40)
    >>> clock()
    40000000
    """

    def __init__(self, start: Nanos = 0) -> None:
        self._now = start

    def __call__(self) -> Nanos:
        return self._now

    def advance(self, milliseconds: float) -> None:
        """Move forward by that many milliseconds.

        Raises:
            ValueError: if the duration is negative; a monotonic clock never goes back.
        """
        if milliseconds < 0:
            raise ValueError(f"a monotonic clock cannot go back by {-milliseconds} ms")
        self._now += nanos(milliseconds)
