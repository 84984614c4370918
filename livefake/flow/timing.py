"""How long things take: percentiles over the last few seconds, kept by one observer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from livefake.clock import Nanos
from livefake.flow.outcome import Outcome

__all__ = ["FRAME", "Samples", "Timing", "Timings"]

FRAME = "frame"
"""Name under which the whole of a frame's work is recorded."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What one stage takes, milliseconds.

    Attributes:
        p50_ms, p95_ms: wall time, median and 95th percentile.
        cpu_ms: processor time, mean.
    """

    p50_ms: float = 0.0
    p95_ms: float = 0.0
    cpu_ms: float = 0.0


class Samples:
    """The latest durations in a ring of fixed size.

    One thread adds, any other may ask: a reader sees at worst one sample that is just being replaced.

    Args:
        size: how many are kept.
    """

    def __init__(self, size: int = 300) -> None:
        self._wall = np.zeros(size, np.float64)
        self._cpu = np.zeros(size, np.float64)
        self._count = 0

    def __len__(self) -> int:
        return min(self._count, len(self._wall))

    def add(self, wall: Nanos, cpu: Nanos) -> None:
        """Keep one more pair of durations."""
        place = self._count % len(self._wall)
        self._wall[place], self._cpu[place] = wall, cpu
        self._count += 1

    def timing(self) -> Timing:
        """Percentiles of what is kept; zeros while there is nothing."""
        size = len(self)
        if not size:
            return Timing()
        middle, high = np.percentile(self._wall[:size], (50, 95)) / 1e6
        return Timing(float(middle), float(high), float(self._cpu[:size].mean()) / 1e6)


class Timings:
    """Observer of a pipeline that keeps samples by stage.

    Args:
        size: how many frames are kept.
    """

    def __init__(self, size: int = 300) -> None:
        self._size = size
        self._stages: dict[str, Samples] = {}

    def stage(self, name: str, wall: Nanos, cpu: Nanos) -> None:
        """A stage has run; see ``Observer``."""
        self._stages.setdefault(name, Samples(self._size)).add(wall, cpu)

    def frame(self, outcome: Outcome, wall: Nanos, cpu: Nanos) -> None:
        """A frame is through; only finished pictures count, because a frame that was dropped early is cheap."""
        if outcome.shown:
            self._stages.setdefault(FRAME, Samples(self._size)).add(wall, cpu)

    def report(self) -> Mapping[str, Timing]:
        """Percentiles by stage, with the whole frame under ``FRAME``."""
        return {name: samples.timing() for name, samples in tuple(self._stages.items())}
