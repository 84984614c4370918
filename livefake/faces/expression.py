"""What a mouth does, read from the mesh: pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from livefake.frame import Floats

__all__ = ["Mouth", "read_mouth"]

_EYES = (33, 263)
_CORNERS = (61, 291)
_LIPS = (13, 14)


@dataclass(frozen=True, slots=True)
class Mouth:
    """A mouth, in units of the distance between the outer corners of the eyes, which no expression changes.

    Attributes:
        gap: between the lips; 0 and more.
        width: from corner to corner.
        lift: how high the corners stand above the middle of the lips; negative when they hang.
    """

    gap: float
    width: float
    lift: float


def read_mouth(points: Floats) -> Mouth:
    """Measure a mouth. Distances are taken in space, so that a turned head changes them little.

    Args:
        points: (468, 3) float32, mesh landmarks, any unit, y down, z in the same unit.
    """
    across = points[_EYES[1]] - points[_EYES[0]]
    unit = max(float(np.linalg.norm(across)), 1e-6)
    down = np.array([-across[1], across[0]]) / max(float(np.hypot(across[0], across[1])), 1e-6)
    middle = points[list(_LIPS)].mean(0) - points[list(_CORNERS)].mean(0)
    return Mouth(
        gap=float(np.linalg.norm(points[_LIPS[0]] - points[_LIPS[1]])) / unit,
        width=float(np.linalg.norm(points[_CORNERS[0]] - points[_CORNERS[1]])) / unit,
        lift=float(middle[:2] @ down) / unit,
    )
