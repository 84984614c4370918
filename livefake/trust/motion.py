"""How a face moved over time: it notices a picture that stands still, and a movement that repeats to a hair.

People never make the same movement twice in the same way: not the place, the size and the turn of the head, the lips
and the lids all at once, moment by moment. A clip that loops does.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from livefake.clock import Nanos
from livefake.frame import Floats
from livefake.trust.watch import Face

__all__ = ["Motion"]

_GRID: Final[Nanos] = 100_000_000
_WINDOW: Final = 50
_APART: Final = 20
_LONGEST: Final = 1800
# One unit of each: yaw, pitch (degrees), mouth, smile, lift, left and right eye, then place (widths of the face) and
# size (natural logarithm). About a tenth of what the prompts ask for, and about twice the noise of the networks.
_UNITS: Final = np.array([1.5, 1.5, 0.02, 0.02, 0.01, 0.05, 0.05, 0.02, 0.02, 0.02])
# In such units, root mean square over all measures and moments: what is movement, and the share of it that may differ.
# Clips in a loop, with a camera's noise on them, differ by 0.07 to 0.10; people who make one movement a dozen times,
# a tenth larger or smaller and faster or slower, by 0.23 and more.
_MOVED: Final = 1.5
_ALIKE: Final = 0.18
_STILL: Final[Nanos] = 2_000_000_000
_SAME: Final = 0.002


class Motion:
    """Takes one face after the other, in order of time."""

    def __init__(self) -> None:
        self._grid: list[Floats] = []
        self._before: tuple[Nanos, Floats] | None = None
        self._moved = 0
        self._due = 0

    def add(self, face: Face, at: Nanos) -> None:
        """Take a face that was seen at an instant later than the one before."""
        now = _place(face)
        if self._before is None:
            self._moved = self._due = at
        else:
            then, last = self._before
            if float(np.abs(now - last).max()) > _SAME:
                self._moved = at
            while self._due < at and len(self._grid) < _LONGEST:
                share = max(0, self._due - then) / (at - then)
                self._grid.append((last + (now - last) * share).astype(np.float32))
                self._due += _GRID
        self._before = (at, now)

    @property
    def frozen(self) -> bool:
        """Whether the last two seconds show one and the same picture: a camera's noise alone moves more."""
        return self._before is not None and self._before[0] - self._moved >= _STILL

    @property
    def repeats(self) -> bool:
        """Whether the last movement is one that was seen before, the same in every part."""
        count = len(self._grid)
        if count < 2 * _WINDOW + _APART:
            return False
        track = np.stack(self._grid)
        last = track[-_WINDOW:]
        moved = float(np.sqrt(last.var(0).mean()))
        if moved < _MOVED:
            return False
        windows = np.lib.stride_tricks.sliding_window_view(track[: count - _WINDOW - _APART], _WINDOW, axis=0)
        apart = np.sqrt(((windows - last.T) ** 2).mean((1, 2)))
        return bool(apart.min() < _ALIKE * moved)


def _place(face: Face) -> Floats:
    width = max(face.width, 1.0)
    values = np.array([*face.pose, face.middle[0] / width, face.middle[1] / width, np.log(width)])
    return np.asarray(values / _UNITS, np.float32)
