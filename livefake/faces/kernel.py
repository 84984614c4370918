"""Arithmetic on all points of a mesh that each frame does several times; compiled, because numpy's calls add up."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Floats

__all__ = ["common_motion", "follow", "lid_oval", "middle", "upright_bounds"]


@numba.njit("float64(float32[:, ::1], float32[:, ::1])", cache=True, nogil=True)
def common_motion(before: Floats, after: Floats) -> float:
    """How far points move on average if only their common motion counts.

    That motion is the similarity (rotation, uniform scale, shift) of least squares, in its closed form; see
    ``similarity`` in ``livefake.faces.geometry``.

    Args:
        before, after: (N, 2 or more) float32, the same points at two times; only the plane counts.

    Returns:
        Mean length of the way, in the unit of the points; 0 if all points lie in one place.
    """
    count = before.shape[0]
    ax = ay = bx = by = 0.0
    for row in range(count):
        ax, ay, bx, by = ax + before[row, 0], ay + before[row, 1], bx + after[row, 0], by + after[row, 1]
    ax, ay, bx, by = ax / count, ay / count, bx / count, by / count
    spread = real = imaginary = 0.0
    for row in range(count):
        px, py, qx, qy = before[row, 0] - ax, before[row, 1] - ay, after[row, 0] - bx, after[row, 1] - by
        spread += px * px + py * py
        real += px * qx + py * qy
        imaginary += px * qy - py * qx
    if spread <= 0:
        return 0.0
    real, imaginary = real / spread, imaginary / spread
    total = 0.0
    for row in range(count):
        px, py = before[row, 0] - ax, before[row, 1] - ay
        dx = real * px - imaginary * py + bx - before[row, 0]
        dy = imaginary * px + real * py + by - before[row, 1]
        total += np.sqrt(dx * dx + dy * dy)
    return float(total / count)


@numba.njit("float32[:, ::1](float32[:, ::1], float32[:, ::1], float64, float64)", cache=True, nogil=True)
def follow(shown: Floats, points: Floats, weight: float, near: float) -> Floats:
    """Points on their way to new ones.

    Args:
        shown, points: (N, D) float32, where they are and where they should go.
        weight: share of the way that all take, 0..1.
        near: a point that is this far from its place goes all the way, nearer ones by the square of their share.

    Returns:
        (N, D) float32.
    """
    out = np.empty_like(shown)
    for row in range(shown.shape[0]):
        dx, dy = points[row, 0] - shown[row, 0], points[row, 1] - shown[row, 1]
        share = max(weight, min(1.0, (dx * dx + dy * dy) / (near * near)))
        for column in range(shown.shape[1]):
            out[row, column] = shown[row, column] + share * (points[row, column] - shown[row, column])
    return out


@numba.njit("UniTuple(float64, 2)(float32[:, ::1], int64[::1])", cache=True, nogil=True)
def middle(points: Floats, ring: NDArray[np.intp]) -> tuple[float, float]:
    """The mean place in the plane of some of the points.

    Args:
        points: (N, 2 or more) float32.
        ring: (K,) numbers of points.
    """
    x = y = 0.0
    for k in range(ring.shape[0]):
        x, y = x + points[ring[k], 0], y + points[ring[k], 1]
    return x / ring.shape[0], y / ring.shape[0]


@numba.njit("UniTuple(float64, 4)(float32[:, ::1], float64, float64)", cache=True, nogil=True)
def upright_bounds(points: Floats, cosine: float, sine: float) -> tuple[float, float, float, float]:
    """The bounding box of points in a plane that is turned.

    Args:
        points: (N, 2 or more) float32.
        cosine, sine: of the angle by which the upright axis is turned.

    Returns:
        Left, top, right and bottom along the turned axes.
    """
    left = top = np.inf
    right = bottom = -np.inf
    for row in range(points.shape[0]):
        x = points[row, 0] * cosine + points[row, 1] * sine
        y = points[row, 1] * cosine - points[row, 0] * sine
        left, right, top, bottom = min(left, x), max(right, x), min(top, y), max(bottom, y)
    return left, top, right, bottom


@numba.njit("float64[:, ::1](float32[:, ::1], int64[::1], float64, float64[:, ::1])", cache=True, nogil=True)
def lid_oval(points: Floats, ring: NDArray[np.intp], high: float, circle: NDArray[np.float64]) -> NDArray[np.float64]:
    """An oval over the whole way of an eye's lids.

    Args:
        points: (N, 2 or more) float32.
        ring: (16,) numbers of the eye's points, its corners the first and the ninth.
        high: how far it reaches above and below, at least; and a third of that beyond lids that are open wider.
        circle: (K, 2) float64, points of the unit circle.

    Returns:
        (K, 2) float64, its outline.
    """
    ax, ay = points[ring[0], 0], points[ring[0], 1]
    dx, dy = points[ring[8], 0] - ax, points[ring[8], 1] - ay
    width = max(np.sqrt(dx * dx + dy * dy), 1e-3)
    dx, dy = dx / width, dy / width
    x, y = middle(points, ring)
    opening = 0.0
    for k in range(ring.shape[0]):
        opening = max(opening, abs((points[ring[k], 1] - y) * dx - (points[ring[k], 0] - x) * dy))
    x, y = x / 2 + (ax + dx * width / 2) / 2, y / 2 + (ay + dy * width / 2) / 2
    reach, high = 0.66 * width, max(high, opening + high / 3)
    out = np.empty_like(circle)
    for k in range(circle.shape[0]):
        across, down = circle[k, 0] * reach, circle[k, 1] * high
        out[k, 0], out[k, 1] = x + across * dx - down * dy, y + across * dy + down * dx
    return out
