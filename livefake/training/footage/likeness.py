"""The shape of a persona: which takes make a guide picture, and the mesh they are brought onto. Pure logic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from livefake.faces.geometry import OUTLINE, similarity, transform
from livefake.frame import Floats
from livefake.training.footage.measures import CLOSED, Measures

__all__ = ["SIDE", "TURNED", "median_mesh", "pick"]

SIDE: Final = 1024
"""Side of a guide picture, pixels."""
TURNED: Final = 25.0
"""Degrees of yaw of the guides for turned heads."""
_HEIGHT: Final = 630.0
"""Height of the face's outline in a guide picture, pixels: as in the packs that livefake ships."""
_MIDDLE: Final = (511.5, 545.0)
_WORST: Final = 9.0
"""Penalty from which a take is no material for a guide."""
_SMOOTH: Final = 4


def pick(measures: Sequence[Measures], yaw: float, *, most: int) -> list[int]:
    """The takes for a guide: turned to ``yaw``, mouth closed, neutral, eyes open, evenly lit, sharp; the best first.

    Args:
        measures: of each take.
        yaw: degrees, positive to the right of the picture.
        most: how many at most.

    Returns:
        Places in ``measures``; none where no take is turned that way with a closed mouth.
    """
    closed = [one for one in measures if one.open_mouth <= CLOSED] or list(measures)
    if not closed:
        return []
    smile, eyes, pitch = (float(np.median([getattr(one, name) for one in closed])) for name in _USUAL)
    near = [one.sharpness for one in measures if abs(one.yaw - yaw) < 2 * _YAW]
    sharp = float(np.median(near)) if near else 1.0
    penalties = []
    for one in measures:
        parts = (
            (one.yaw - yaw) / _YAW,
            (one.pitch - pitch) / 7.0,
            max(0.0, one.open_mouth - 0.02) / 0.03,
            (one.smile - smile) / (0.08 + 0.002 * abs(yaw)),
            max(0.0, 0.85 * eyes - one.open_eyes) / (0.12 * eyes + 1e-6),
            # A turned face shades itself.
            (one.side if abs(yaw) < TURNED / 2 else 0.0) / 0.3,
            max(0.0, 1 - one.sharpness / max(sharp, 1e-9)) / 0.4,
        )
        penalties.append(float(np.square(parts).sum()))
    order = np.argsort(penalties, kind="stable")
    return [int(place) for place in order[:most] if penalties[place] < _WORST]


_YAW: Final = 5.0
_USUAL: Final = ("smile", "open_eyes", "pitch")


def median_mesh(meshes: Floats) -> Floats:
    """The mesh in the middle of several, placed in a guide picture.

    They are brought over each other by similarity transforms of the plane, again and again onto their own median
    (generalised Procrustes analysis, Gower 1975, with medians).

    Args:
        meshes: (N, 468, 3) float32, N >= 1, any unit.

    Returns:
        (468, 3) float32, pixels of a 1024 x 1024 picture.
    """
    middle = meshes[0]
    for _ in range(_SMOOTH):
        moved = [transform(mesh, similarity(mesh[:, :2], middle[:, :2])) for mesh in meshes]
        middle = np.median(np.stack(moved), 0).astype(np.float32)
    outline = middle[OUTLINE, :2]
    low, high = outline.min(0), outline.max(0)
    scale = _HEIGHT / float(high[1] - low[1])
    shift = np.array(_MIDDLE) - scale * (low + high) / 2
    return transform(middle, np.column_stack([np.eye(2) * scale, shift]).astype(np.float32))
