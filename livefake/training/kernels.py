"""The renderer's inner loops over triangles: z-buffer and vertex normals."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Floats

__all__ = ["Ints", "rasterise", "vertex_normals"]

Ints = NDArray[np.int32]


@numba.njit(cache=True, nogil=True, fastmath=True)
def rasterise(points: Floats, triangles: Ints, depth: Floats, hit: Ints, weights: Floats) -> None:
    """Draw triangles into a z-buffer; those that show their back are left out.

    Args:
        points: (N, 3) float32: x and y in samples (the middle of sample 0 lies at 0.5), z grows away from the eye.
        triangles: (F, 3) int32, anticlockwise as seen from outside, y of ``points`` pointing down.
        depth: (H, W) float32, the nearest z so far; written where something nearer is drawn.
        hit: (H, W) int32, number of the nearest triangle; written.
        weights: (H, W, 2) float32, barycentric weights of its first two corners; written.
    """
    height, width = depth.shape
    for number in range(triangles.shape[0]):
        a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
        ax, ay, bx, by, cx, cy = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        # Twice the signed area: y points down, so the front of an anticlockwise triangle has a negative one.
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area >= -1e-9:
            continue
        left, right = max(0, int(min(ax, bx, cx) - 0.5)), min(width - 1, int(max(ax, bx, cx) + 0.5))
        top, bottom = max(0, int(min(ay, by, cy) - 0.5)), min(height - 1, int(max(ay, by, cy) + 0.5))
        if left > right or top > bottom:
            continue
        share = 1 / area
        # Both weights are linear in x: along a row each changes by its own constant step.
        step_b, step_c = (cy - ay) * share, (ay - by) * share
        az, bz, cz = points[a, 2], points[b, 2], points[c, 2]
        for y in range(top, bottom + 1):
            dx, dy = left + 0.5 - ax, y + 0.5 - ay
            wb = (dx * (cy - ay) - (cx - ax) * dy) * share
            wc = ((bx - ax) * dy - dx * (by - ay)) * share
            for x in range(left, right + 1):
                wa = 1 - wb - wc
                if wa >= 0 and wb >= 0 and wc >= 0:
                    z = wa * az + wb * bz + wc * cz
                    if z < depth[y, x]:
                        depth[y, x], hit[y, x] = z, number
                        weights[y, x, 0], weights[y, x, 1] = wa, wb
                wb += step_b
                wc += step_c


@numba.njit(inline="always")
def _edge(vertices: Floats, start: int, end: int) -> tuple[float, float, float]:
    return (
        vertices[end, 0] - vertices[start, 0],
        vertices[end, 1] - vertices[start, 1],
        vertices[end, 2] - vertices[start, 2],
    )


@numba.njit(cache=True, nogil=True, fastmath=True)
def vertex_normals(vertices: Floats, triangles: Ints) -> Floats:
    """Outward unit normals, each the mean of the triangles around a vertex weighted by their areas.

    Args:
        vertices: (N, 3) float32.
        triangles: (F, 3) int32, anticlockwise as seen from outside.

    Returns:
        (N, 3) float32; zero for a vertex without triangles.
    """
    normals = np.zeros_like(vertices)
    for number in range(triangles.shape[0]):
        a, b, c = triangles[number, 0], triangles[number, 1], triangles[number, 2]
        px, py, pz = _edge(vertices, a, b)
        qx, qy, qz = _edge(vertices, a, c)
        nx, ny, nz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        for corner in (a, b, c):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for vertex in range(normals.shape[0]):
        x, y, z = normals[vertex, 0], normals[vertex, 1], normals[vertex, 2]
        length = np.sqrt(x * x + y * y + z * z) + 1e-9
        normals[vertex, 0], normals[vertex, 1], normals[vertex, 2] = x / length, y / length, z / length
    return normals
