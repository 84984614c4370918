"""The inner loops of the mesh warp: paint planes of a picture, triangle by triangle, onto another mesh."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes, Floats

__all__ = ["Triangles", "paint_pair", "paint_plane", "painting_order"]

Triangles = NDArray[np.uint16]
"""(T, 3), numbers of mesh points, clockwise on the screen."""


@numba.njit(cache=True, nogil=True, fastmath=True)
def _affine(triangle: Any, live: Any, persona: Any) -> Any:
    """One triangle: its first corner, its edges, twice its area, and its map to the picture.

    The map: source = origin + x * step in x + y * step in y, both coordinates at once, from the first corner.
    """
    a, b, c = triangle[0], triangle[1], triangle[2]
    ax, ay = live[a, 0], live[a, 1]
    bx, by = live[b, 0] - ax, live[b, 1] - ay
    cx, cy = live[c, 0] - ax, live[c, 1] - ay
    area = bx * cy - by * cx
    if area < 0:
        b, c = c, b
        bx, by, cx, cy, area = cx, cy, bx, by, -area
    scale = 1 / max(area, np.float32(1e-6))
    px, py = persona[a, 0], persona[a, 1]
    qx, qy = persona[b, 0] - px, persona[b, 1] - py
    rx, ry = persona[c, 0] - px, persona[c, 1] - py
    ux, uy = (qx * cy - rx * by) * scale, (rx * bx - qx * cx) * scale
    vx, vy = (qy * cy - ry * by) * scale, (ry * bx - qy * cx) * scale
    return ax, ay, bx, by, cx, cy, area, px, py, ux, uy, vx, vy


@numba.njit(cache=True, nogil=True, fastmath=True)
def _edge(slope: Any, level: Any, rise: Any, slack: Any) -> Any:
    """Where rows meet one edge, in columns: at row 0, more per row, and whether what lies right of it is inside.

    Args:
        slope: by how much a column to the right is further inside.
        level, rise: how far inside column 0 is at row 0, and by how much more a row further down.
        slack: how far outside still counts as inside.
    """
    # A level edge is one that rows meet very far away, on the one side or the other.
    steep = slope if abs(slope) > np.float32(1e-6) else np.float32(1e-6)
    share = np.float32(1) / steep
    return (slack - level) * share, -rise * share, steep > 0


@numba.njit(cache=True, nogil=True, fastmath=True)
def _span(  # noqa: PLR0917 - compiled code: arguments by position
    dy: Any, ax: Any, width: Any, one: Any, two: Any, three: Any
) -> Any:
    """First column of a row inside three edges, and the one after the last; both the same where none is inside."""
    low, high = -ax, width - np.float32(1) - ax
    for start, step, right in (one, two, three):
        meets = start + dy * step
        if right:
            low = max(low, meets)
        else:
            high = min(high, meets)
    if low > high:
        return np.uintp(0), np.uintp(0)
    return np.uintp(np.int32(max(np.ceil(low + ax), np.float32(0)))), np.uintp(
        np.int32(max(np.floor(high + ax), np.float32(-1))) + 1
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def _sample(picture: Any, place: Any, stride: Any, fu: Any, fv: Any) -> Any:
    """Bilinear in a flat plane, with seven bits of fraction: finer than eight bits of colour can show."""
    below = place + stride
    one = np.uintp(1)
    first = np.int32(picture[place]) * (np.int32(128) - fu) + np.int32(picture[place + one]) * fu
    second = np.int32(picture[below]) * (np.int32(128) - fu) + np.int32(picture[below + one]) * fu
    return np.uint8((first * (np.int32(128) - fv) + second * fv + np.int32(8192)) >> np.int32(14))


@numba.njit(
    "void(uint16[:, ::1], int32[::1], float32[:, ::1], float32[:, ::1], uint8[:, ::1], uint8[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def paint_plane(  # noqa: PLR0917 - compiled code: arguments by position
    triangles: Triangles,
    order: NDArray[np.int32],
    live: Floats,
    persona: Floats,
    picture: Bytes,
    pixels: Bytes,
) -> None:
    """Warp one plane of a picture with the inverse piecewise-affine map of a mesh, bilinear.

    Later triangles overwrite earlier ones; one that shows its back is painted like any other.

    Args:
        triangles: (T, 3) uint16, see ``Triangles``.
        order: (T,) int32, rows of ``triangles``, as ``painting_order`` sorts them.
        live: (P, 2) float32, where the points are in the region, pixels; may lie outside it.
        persona: (P, 2) float32, where they are in the picture, pixels; at least one pixel inside its edge.
        picture: (H, W) uint8, the persona.
        pixels: (h, w) uint8, the region, written where a triangle lies.
    """
    height, width = pixels.shape
    flat, stride = picture.reshape(-1), np.uintp(picture.shape[1])
    for k in range(order.shape[0]):
        ax, ay, bx, by, cx, cy, area, px, py, ux, uy, vx, vy = _affine(triangles[order[k]], live, persona)
        if area <= 1e-3:
            continue
        slack = np.float32(-1e-4) * area
        one_edge = _edge(cy, np.float32(0), -cx, slack)
        two_edge = _edge(-by, np.float32(0), bx, slack)
        three_edge = _edge(by - cy, area, cx - bx, slack)
        top = max(0, int(np.ceil(ay + min(0.0, by, cy) - 1e-3)))
        bottom = min(height - 1, int(np.floor(ay + max(0.0, by, cy) + 1e-3)))
        for y in range(top, bottom + 1):
            dy = np.float32(y) - ay
            first, beyond = _span(dy, ax, np.float32(width), one_edge, two_edge, three_edge)
            dx = np.float32(first) - ax
            # Whole numbers from here on, 16 bits of them fraction: a step to the right is two sums.
            u = np.int32((px + dx * ux + dy * uy) * 65536)
            v = np.int32((py + dx * vx + dy * vy) * 65536)
            du, dv = np.int32(ux * 65536), np.int32(vx * 65536)
            row = pixels[y]
            for x in range(first, beyond):
                fu, fv = (u >> np.int32(9)) & np.int32(127), (v >> np.int32(9)) & np.int32(127)
                place = np.uintp(v >> np.int32(16)) * stride + np.uintp(u >> np.int32(16))
                row[x] = _sample(flat, place, stride, fu, fv)
                u, v = np.int32(u + du), np.int32(v + dv)


@numba.njit(
    "void(uint16[:, ::1], int32[::1], float32[:, ::1], float32[:, ::1], uint8[:, ::1], uint8[:, ::1],"
    " uint8[:, ::1], uint8[:, ::1], uint8[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def paint_pair(  # noqa: PLR0917 - compiled code: arguments by position
    triangles: Triangles,
    order: NDArray[np.int32],
    live: Floats,
    persona: Floats,
    one: Bytes,
    other: Bytes,
    pixels_one: Bytes,
    pixels_other: Bytes,
    cover: Bytes,
) -> None:
    """Warp two planes at once, and note where a triangle lies; see ``paint_plane``.

    Args:
        triangles, order, live, persona: see ``paint_plane``.
        one, other: (H, W) uint8, two planes of the persona.
        pixels_one, pixels_other: (h, w) uint8, the region, written where a triangle lies.
        cover: (h, w) uint8, set to 255 where a triangle lies.
    """
    height, width = cover.shape
    flat_one, flat_other, stride = one.reshape(-1), other.reshape(-1), np.uintp(one.shape[1])
    for k in range(order.shape[0]):
        ax, ay, bx, by, cx, cy, area, px, py, ux, uy, vx, vy = _affine(triangles[order[k]], live, persona)
        if area <= 1e-3:
            continue
        slack = np.float32(-1e-4) * area
        one_edge = _edge(cy, np.float32(0), -cx, slack)
        two_edge = _edge(-by, np.float32(0), bx, slack)
        three_edge = _edge(by - cy, area, cx - bx, slack)
        top = max(0, int(np.ceil(ay + min(0.0, by, cy) - 1e-3)))
        bottom = min(height - 1, int(np.floor(ay + max(0.0, by, cy) + 1e-3)))
        for y in range(top, bottom + 1):
            dy = np.float32(y) - ay
            first, beyond = _span(dy, ax, np.float32(width), one_edge, two_edge, three_edge)
            dx = np.float32(first) - ax
            u = np.int32((px + dx * ux + dy * uy) * 65536)
            v = np.int32((py + dx * vx + dy * vy) * 65536)
            du, dv = np.int32(ux * 65536), np.int32(vx * 65536)
            row_one, row_other, row_cover = pixels_one[y], pixels_other[y], cover[y]
            for x in range(first, beyond):
                fu, fv = (u >> np.int32(9)) & np.int32(127), (v >> np.int32(9)) & np.int32(127)
                place = np.uintp(v >> np.int32(16)) * stride + np.uintp(u >> np.int32(16))
                row_one[x] = _sample(flat_one, place, stride, fu, fv)
                row_other[x] = _sample(flat_other, place, stride, fu, fv)
                row_cover[x] = 255
                u, v = np.int32(u + du), np.int32(v + dv)


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
    keys = np.empty(triangles.shape[0], np.float32)
    _depths(triangles, np.ascontiguousarray(points, np.float32), keys)
    return np.argsort(keys, kind="stable").astype(np.int32)


@numba.njit("void(uint16[:, ::1], float32[:, ::1], float32[::1])", cache=True, nogil=True)
def _depths(triangles: Triangles, points: Floats, keys: Floats) -> None:
    """Numbers that grow from far to near, all of those that show their backs before all others."""
    lowest, highest = np.float32(np.inf), np.float32(-np.inf)
    for row in range(triangles.shape[0]):
        depth = np.float32(0)
        for corner in range(3):
            depth -= points[triangles[row, corner], 2]
        keys[row] = depth
        lowest, highest = min(lowest, depth), max(highest, depth)
    back = highest - lowest + np.float32(1)
    for row in range(triangles.shape[0]):
        a, b, c = triangles[row, 0], triangles[row, 1], triangles[row, 2]
        bx, by = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
        cx, cy = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1]
        if bx * cy <= by * cx:
            keys[row] -= back
