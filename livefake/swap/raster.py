"""The inner loop of the mesh warp: which persona pixel belongs to each pixel of the live face."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes, Floats

__all__ = ["Triangles", "fill_map"]

Triangles = NDArray[np.uint16]
"""(T, 3), numbers of mesh points, clockwise on the screen."""


@numba.njit(
    "void(uint16[:, ::1], int32[::1], float32[:, ::1], float32[:, ::1], float32[:, :, ::1], uint8[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def fill_map(  # noqa: PLR0917 - compiled code takes its arguments by position
    triangles: Triangles, order: NDArray[np.int32], live: Floats, persona: Floats, sources: Floats, cover: Bytes
) -> None:
    """Rasterise the inverse piecewise-affine map of a mesh, as ``cv2.remap`` takes it.

    A triangle that shows its back in the live picture is skipped; nearer ones overwrite farther ones.

    Args:
        triangles: (T, 3) uint16, see ``Triangles``.
        order: (T,) int32, rows of ``triangles``, the farthest first.
        live: (P, 2) float32, where the points are in the region, pixels.
        persona: (P, 2) float32, where they are in the persona's picture, pixels.
        sources: (2, H, W) float32, x and y in the persona's picture, written where a triangle lies.
        cover: (H, W) uint8, set to 255 where a triangle lies.
    """
    height, width = cover.shape
    for k in range(order.shape[0]):
        row = order[k]
        a, b, c = triangles[row, 0], triangles[row, 1], triangles[row, 2]
        ax, ay = live[a, 0], live[a, 1]
        bx, by = live[b, 0] - ax, live[b, 1] - ay
        cx, cy = live[c, 0] - ax, live[c, 1] - ay
        area = bx * cy - by * cx
        if area <= 1e-3:
            continue
        # Affine map of this triangle: source = origin + x * step_x + y * step_y, both coordinates at once.
        px, py = persona[a, 0], persona[a, 1]
        qx, qy = persona[b, 0] - px, persona[b, 1] - py
        rx, ry = persona[c, 0] - px, persona[c, 1] - py
        xx, xy = (qx * cy - rx * by) / area, (rx * bx - qx * cx) / area
        yx, yy = (qy * cy - ry * by) / area, (ry * bx - qy * cx) / area
        top = max(0, int(ay + min(0.0, by, cy)))
        bottom = min(height - 1, int(ay + max(0.0, by, cy)) + 1)
        left = max(0, int(ax + min(0.0, bx, cx)))
        right = min(width - 1, int(ax + max(0.0, bx, cx)) + 1)
        slack = -1e-4 * area
        for y in range(top, bottom + 1):
            dy = y - ay
            for x in range(left, right + 1):
                dx = x - ax
                second = dx * cy - dy * cx
                third = bx * dy - by * dx
                if second >= slack and third >= slack and second + third <= area - slack:
                    sources[0, y, x] = px + dx * xx + dy * xy
                    sources[1, y, x] = py + dx * yx + dy * yy
                    cover[y, x] = 255
