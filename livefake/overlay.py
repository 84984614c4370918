"""The inner loop of blending: one plane, whole numbers, in place."""

from __future__ import annotations

import cv2
import numba
import numpy as np

from livefake.frame import Box, Bytes, Planes

__all__ = ["blend_plane", "lay"]


@numba.njit("void(uint8[:, ::1], int64, int64, uint8[:, ::1], uint8[:, ::1])", cache=True, nogil=True)
def blend_plane(plane: Bytes, top: int, left: int, patch: Bytes, alpha: Bytes) -> None:
    """``plane = plane + (patch - plane) * alpha / 255`` in a window of a plane, rounded to nearest.

    Every step fits 16 bits, so that the compiler fills whole vector registers.

    Args:
        plane: (H, W) uint8, changed in place.
        top, left: corner of the window.
        patch: (h, w) uint8; the window lies inside the plane.
        alpha: (h, w) uint8; 0 leaves the plane as it is, 255 replaces it.
    """
    height, width = patch.shape
    for y in range(height):
        row = plane[top + y, left : left + width]
        over, cover = patch[y], alpha[y]
        for x in range(width):
            weight = np.uint16(cover[x])
            total = np.uint16(
                np.uint16(row[x]) * np.uint16(np.uint16(255) - weight) + np.uint16(over[x]) * weight + np.uint16(128)
            )
            # Division by 255 as shifts: exact for 0..65535 (Jim Blinn, "Three wrongs make a right", IEEE CG&A 1995).
            row[x] = np.uint8(np.uint16(total + np.uint16(total >> np.uint16(8))) >> np.uint16(8))


def lay(under: Planes, over: Planes, mask: Bytes, box: Box | None = None) -> None:
    """Blend one picture into another.

    Args:
        under: changed in place.
        over: as large as the box.
        mask: (box.height, box.width) uint8, 255 where ``over`` replaces ``under``.
        box: where it goes, even edges, inside ``under``; None where both are of one size.
    """
    top, left = (box.top, box.left) if box else (0, 0)
    half = np.asarray(cv2.resize(mask, (over.width // 2, over.height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    blend_plane(under.y, top, left, over.y, mask)
    blend_plane(under.u, top // 2, left // 2, over.u, half)
    blend_plane(under.v, top // 2, left // 2, over.v, half)
