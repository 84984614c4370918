"""Choosing few takes that show much: far apart in pose, expression and light, and sharp. Pure logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from livefake.frame import Floats
from livefake.training.footage.measures import Measures

__all__ = ["MOST", "choose", "features"]

MOST: Final = 400
"""Takes that are chosen at most."""
_NEAR: Final = 0.35
"""Distance of two takes that count as near-duplicates, in the unit of ``features``."""
_BLURRED: Final = 0.35
"""Share of the usual sharpness of heads turned alike, below which a take is left out."""
_ALIKE: Final = 15.0
"""Degrees of turn within which heads are turned alike."""
# One unit of each measure is a difference that is worth a take.
_UNITS: Final = {
    "yaw": 6.0, "pitch": 6.0, "open_mouth": 0.12, "open_eyes": 0.12, "smile": 0.1, "level": 25.0, "side": 0.2,
    "top": 0.25, "warmth": 0.15,
}  # fmt: skip


def features(measures: Sequence[Measures]) -> Floats:
    """(N, 9) float32: takes that lie 1 or more apart show something different."""
    rows = [[getattr(one, name) / unit for name, unit in _UNITS.items()] for one in measures]
    return np.array(rows, np.float32).reshape(-1, len(_UNITS))


def choose(measures: Sequence[Measures], *, most: int = MOST) -> list[int]:
    """Which takes to keep.

    The farthest one from all that were chosen comes next, its distance weighed with its sharpness, until what is left
    are near-duplicates (greedy k-centre, Gonzalez 1985, "Clustering to minimize the maximum intercluster distance").

    Args:
        measures: of each take.
        most: how many at most.

    Returns:
        Places in ``measures``, in the order in which they were chosen: the first ones are worth the most.
    """
    if not measures:
        return []
    shown = features(measures)
    quality = _quality(measures)
    usable = np.flatnonzero(quality > 0)
    # The start: the most usual of the sharp ones.
    middle = np.median(shown[usable], 0)
    first = int(usable[np.argmin(np.linalg.norm(shown[usable] - middle, axis=1) / quality[usable])])
    chosen = [first]
    apart = np.linalg.norm(shown - shown[first], axis=1)
    while len(chosen) < min(most, len(usable)):
        worth = np.where(apart < _NEAR, 0, apart * quality)
        best = int(worth.argmax())
        if worth[best] <= 0:
            break
        chosen.append(best)
        apart = np.minimum(apart, np.linalg.norm(shown - shown[best], axis=1))
    return chosen


def _quality(measures: Sequence[Measures]) -> Floats:
    """(N,) float32, 0 for a blurred take, 1 and a little more for a sharp one, among heads turned alike."""
    sharp = np.array([one.sharpness for one in measures], np.float32)
    yaw = np.array([one.yaw for one in measures], np.float32)
    usual = np.array([np.median(sharp[np.abs(yaw - one) <= _ALIKE]) for one in yaw], np.float32)
    ratio = sharp / np.maximum(usual, 1e-9)
    return np.where(ratio < _BLURRED, 0, np.minimum(np.sqrt(ratio), 1.2)).astype(np.float32)
