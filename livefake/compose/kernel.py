"""The inner loop of blending: one plane, whole numbers, in place."""

from __future__ import annotations

import numba

from livefake.frame import Bytes

__all__ = ["blend_plane"]


@numba.njit("void(uint8[:, :], uint8[:, :], uint8[:, :])", cache=True, nogil=True)
def blend_plane(plane: Bytes, patch: Bytes, alpha: Bytes) -> None:
    """``plane = plane + (patch - plane) * alpha / 255``, rounded to nearest.

    Args:
        plane: (H, W) uint8, changed in place; may be a window of a larger plane.
        patch: (H, W) uint8.
        alpha: (H, W) uint8; 0 leaves the plane as it is, 255 replaces it.
    """
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            weight = int(alpha[y, x])
            total = plane[y, x] * (255 - weight) + patch[y, x] * weight + 128
            # Division by 255 as shifts: exact for 0..65535 (Jim Blinn, "Three wrongs make a right", IEEE CG&A 1995).
            plane[y, x] = (total + (total >> 8)) >> 8
