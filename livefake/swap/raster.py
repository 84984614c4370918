"""The inner loop of the mesh warp: paints a picture, triangle by triangle, onto another mesh."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes, Floats

__all__ = ["Triangles", "paint_mesh", "painting_order"]

Triangles = NDArray[np.uint16]
"""(T, 3), numbers of mesh points, clockwise on the screen."""


@numba.njit(
    "void(uint16[:, ::1], int32[::1], float32[:, ::1], float32[:, ::1], uint8[:, :, ::1], uint8[:, :, ::1],"
    " uint8[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def paint_mesh(  # noqa: PLR0912, PLR0917 - compiled code: one flat loop, arguments by position
    triangles: Triangles,
    order: NDArray[np.int32],
    live: Floats,
    persona: Floats,
    picture: Bytes,
    pixels: Bytes,
    cover: Bytes,
) -> None:
    """Warp a picture with the inverse piecewise-affine map of a mesh, bilinear.

    Later triangles overwrite earlier ones; one that shows its back is painted like any other.

    Args:
        triangles: (T, 3) uint16, see ``Triangles``.
        order: (T,) int32, rows of ``triangles``, as ``painting_order`` sorts them.
        live: (P, 2) float32, where the points are in the region, pixels; may lie outside it.
        persona: (P, 2) float32, where they are in the picture, pixels; at least one pixel inside its edge.
        picture: (H, W, 3) uint8, the persona.
        pixels: (h, w, 3) uint8, the region, written where a triangle lies.
        cover: (h, w) uint8, set to 255 where a triangle lies.
    """
    height, width = cover.shape
    for k in range(order.shape[0]):
        row = order[k]
        a, b, c = triangles[row, 0], triangles[row, 1], triangles[row, 2]
        ax, ay = live[a, 0], live[a, 1]
        bx, by = live[b, 0] - ax, live[b, 1] - ay
        cx, cy = live[c, 0] - ax, live[c, 1] - ay
        area = bx * cy - by * cx
        if area < 0:
            b, c = c, b
            bx, by, cx, cy, area = cx, cy, bx, by, -area
        if area <= 1e-3:
            continue
        # Affine map of this triangle: source = origin + x * step in x + y * step in y, both coordinates at once.
        px, py = persona[a, 0], persona[a, 1]
        qx, qy = persona[b, 0] - px, persona[b, 1] - py
        rx, ry = persona[c, 0] - px, persona[c, 1] - py
        ux, uy = (qx * cy - rx * by) / area, (rx * bx - qx * cx) / area
        vx, vy = (qy * cy - ry * by) / area, (ry * bx - qy * cx) / area
        slack = -1e-4 * area
        top = max(0, int(np.ceil(ay + min(0.0, by, cy) - 1e-3)))
        bottom = min(height - 1, int(np.floor(ay + max(0.0, by, cy) + 1e-3)))
        for y in range(top, bottom + 1):
            dy = y - ay
            # The row meets each of the three edges once; what is inside all three is one span of pixels.
            low, high = -ax, width - 1 - ax
            for edge in range(3):
                if edge == 0:
                    slope, level = cy, -dy * cx
                elif edge == 1:
                    slope, level = -by, bx * dy
                else:
                    slope, level = by - cy, area + dy * cx - bx * dy
                if slope > 0:
                    low = max(low, (slack - level) / slope)
                elif slope < 0:
                    high = min(high, (slack - level) / slope)
                elif level < slack:
                    high = low - 1
            for x in range(int(np.ceil(low + ax)), int(np.floor(high + ax)) + 1):
                dx = x - ax
                u, v = px + dx * ux + dy * uy, py + dx * vx + dy * vy
                left, upper = int(u), int(v)
                # Seven bits of fraction: finer than eight bits of colour can show.
                fu, fv = int((u - left) * 128), int((v - upper) * 128)
                for channel in range(3):
                    first = picture[upper, left, channel] * (128 - fu) + picture[upper, left + 1, channel] * fu
                    second = picture[upper + 1, left, channel] * (128 - fu) + picture[upper + 1, left + 1, channel] * fu
                    pixels[y, x, channel] = (first * (128 - fv) + second * fv + 8192) >> 14
                cover[y, x] = 255


def painting_order(triangles: Triangles, points: Floats) -> NDArray[np.int32]:
    """The order in which to paint a mesh: first what shows its back, then the rest, each from far to near.

    On a closed surface nothing that shows its back is ever seen. The face mesh is not quite closed where a nose
    hides a cheek: without the backs, thin cracks of nothing open there.

    Args:
        triangles: (T, 3) uint16.
        points: (P, 3) float32, x, y and z in the live picture, small z = near.

    Returns:
        (T,) int32, rows of ``triangles``.
    """
    corners = points[triangles]
    b, c = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    front = b[:, 0] * c[:, 1] > b[:, 1] * c[:, 0]
    return np.lexsort((-corners[:, :, 2].sum(1), front)).astype(np.int32)
