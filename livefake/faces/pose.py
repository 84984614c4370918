"""Which way a head is turned, read from its mesh: pure arithmetic."""

from __future__ import annotations

from typing import Final

import numpy as np

from livefake.frame import Floats

__all__ = ["head_turn"]

# Points that lie at the same depth on a head that looks straight ahead: left in the picture, right in the picture.
_ACROSS: Final = (np.array([234, 93, 132, 58, 127, 33, 61]), np.array([454, 323, 361, 288, 356, 263, 291]))
# From the brow's middle and the forehead down to the mouth's corners and the chin.
_DOWN: Final = (np.array([10, 151, 9, 9]), np.array([152, 199, 61, 291]))

# Measured on rendered heads, whose turn is known: the network's depth is a tenth too deep, and a head that looks
# straight ahead seems to nod a little.
_DEPTH: Final = 1.1
_LEVEL: Final = 6.0


def head_turn(points: Floats) -> tuple[float, float]:
    """Yaw and pitch of a head.

    Args:
        points: (468, 3) float32, mesh landmarks, any unit, z in the same unit and small = near.

    Returns:
        Yaw and pitch in degrees; yaw is positive to the right of the picture, pitch is positive when the head nods
        down. The tilt of the head (roll) plays no part.
    """
    across = (points[_ACROSS[1]] - points[_ACROSS[0]]).sum(0)
    down = (points[_DOWN[1]] - points[_DOWN[0]]).sum(0)
    yaw = np.arctan2(across[2] / _DEPTH, np.hypot(across[0], across[1]))
    pitch = np.arctan2(down[2] / _DEPTH, np.hypot(down[0], down[1]))
    return float(np.degrees(yaw)), float(np.degrees(pitch)) - _LEVEL
