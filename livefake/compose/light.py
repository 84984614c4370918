"""The light on a face: found on the live one, cast on the picture that replaces it.

Light from afar on matt skin varies with the direction of the surface alone, and nine numbers tell nearly all of it:
spherical harmonics up to the second order (Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance
Environment Maps", SIGGRAPH 2001). The face mesh knows the directions. So few numbers carry the light over, and hardly
anything of what the performer looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numba
import numpy as np

from livefake.frame import Box, Bytes, Floats
from livefake.swap.raster import Triangles

__all__ = ["Light", "Relief", "find_light", "light_plane", "no_light"]

_BLACK: Final = 16.0
"""Luma of black (ITU-R BT.601, studio range): from here on, levels are shares of the light."""
_LEAST: Final = 4.0
"""Luma above black below which nothing can be told of the light."""
_GAINS: Final = (0.25, 3.0)
_SHARE: Final = 0.3
"""How much of the live light is cast, as an exponent of its gains. The rest would bring the picture a
little nearer to the truth and much nearer to the performer, whose shading is part of what a face is known by."""
_RIDGE: Final = 0.003
"""Pulls all but the mean towards none, where a face shows few directions."""
_LIFTED: Final = np.array([0, *8 * [1]], np.float64)
_ROUNDS: Final = 4
_STEP: Final = 3
"""One sample in three is enough for nine numbers."""
_SPREADS: Final = np.float32(1.5)
"""What is further off than so many usual deviations counts little: hair, a hand, glasses, brows."""
_COUNTS: Final = 0.4
"""Weight from which on a sample is skin."""
_FEWEST: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class Relief:
    """Which way the skin faces, in the samples of a region.

    Attributes:
        harmonics: (S * S, 9) float32, the nine functions at each sample, row by row.
        known: (S, S) uint8, 1 where the mesh lies.
    """

    harmonics: Floats
    known: Bytes

    @classmethod
    def of(cls, points: Floats, triangles: Triangles, box: Box, side: int) -> Relief:
        """The relief of a face.

        Args:
            points: (468, 3) float32, mesh landmarks, pixels, small z = near.
            triangles: of the mesh.
            box: the region, in the same pixels.
            side: samples a side.
        """
        shares = np.array([side / box.width, side / box.height])
        placed = np.ascontiguousarray(points, np.float32).copy()
        # Pixel centres at whole numbers on both sides.
        placed[:, :2] = (points[:, :2] - np.array([box.left, box.top]) + 0.5) * shares - 0.5
        normals = np.empty((len(points), 3), np.float32)
        _normals(triangles, np.ascontiguousarray(points, np.float32), normals)
        harmonics, known = np.zeros((side * side, 9), np.float32), np.zeros((side, side), np.uint8)
        _spread(triangles, placed, normals, np.full((side, side), np.inf, np.float32), harmonics, known)
        return cls(harmonics, known)


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """What two faces get from their lights, by direction.

    Attributes:
        own, wanted: (9,) float32, luma above black of the picture's skin and of the live skin, in harmonics.
    """

    own: Floats
    wanted: Floats

    def towards(self, newer: Light, share: float) -> Light:
        """A light between this one (share 0) and a newer one (share 1)."""
        part = np.float32(share)
        return Light(self.own + part * (newer.own - self.own), self.wanted + part * (newer.wanted - self.wanted))

    def gain(self, relief: Relief) -> Floats:
        """How many times brighter each sample becomes: (S, S) float32; the mean beyond the mesh."""
        here = relief.known > 0
        gain = np.ones(here.shape, np.float32)
        if here.any():
            lit = np.maximum(relief.harmonics[here.reshape(-1)] @ np.stack([self.own, self.wanted], 1), _LEAST)
            found = np.clip(lit[:, 1] / lit[:, 0], *_GAINS)
            mean = found.mean()
            gain[:] = mean
            # The mean is tone, not light, and stays whole.
            gain[here] = mean * (found / mean) ** np.float32(_SHARE)
        return gain


def no_light() -> Light:
    """The light that changes nothing."""
    even = np.zeros(9, np.float32)
    even[0] = 2 * _LEAST
    return Light(even, even)


def find_light(source: Bytes, target: Bytes, chroma: Bytes, weight: Bytes, relief: Relief) -> tuple[Light, Bytes]:
    """Find the light of two pictures of one pose, and what in the live one is skin.

    Least squares, again with less weight for what is far off (Cauchy weights; Holland and Welsch, "Robust Regression
    Using Iteratively Reweighted Least-Squares", 1977): a hand has another brightness than skin that faces its way, and
    often another colour.

    Args:
        source, target: (S, S) uint8, luma of the picture's and of the live face.
        chroma: (S, S, 2) uint8, U and V of the live face.
        weight: (S, S) uint8, above 127 where both show skin for all that is known.
        relief: of the same samples.

    Returns:
        The light, and (S, S) uint8, 255 where the live face shows skin, at most where ``weight`` has more than 127.
    """
    places = np.flatnonzero((weight > 127) & (relief.known > 0))
    if len(places) < _FEWEST:
        return no_light(), np.zeros_like(weight)
    harmonics = relief.harmonics[places]
    levels = np.stack([plane.reshape(-1)[places] for plane in (source, target)], 1) - np.float32(_BLACK)
    tints = chroma.reshape(-1, 2)[places].astype(np.float32)
    tint = np.abs(tints - np.array([_middle(tints[::_STEP, 0]), _middle(tints[::_STEP, 1])])).sum(1)
    trust = _trust(tint, _SPREADS * _middle(tint[::_STEP]) + 1)
    few, some, plain = harmonics[::_STEP], levels[::_STEP], trust[::_STEP]
    weights, limit = plain, np.float32(1)
    for turn in range(_ROUNDS):
        found = _solved(few, some, weights)
        if turn + 1 < _ROUNDS:
            off = np.abs(some[:, 1] - few @ found[:, 1])
            limit = _SPREADS * _middle(off) + 2
            weights = plain * _trust(off, limit)
    trust *= _trust(np.abs(levels[:, 1] - harmonics @ found[:, 1]), limit)
    skin = np.zeros(weight.size, np.uint8)
    skin[places[trust > _COUNTS]] = 255
    return Light(found[:, 0].copy(), found[:, 1].copy()), skin.reshape(weight.shape)


def _solved(harmonics: Floats, values: Floats, trust: Floats) -> Floats:
    weighted = harmonics * trust[:, None]
    matrix = (weighted.T @ harmonics).astype(np.float64)
    # Without the smallest of lifts a face of one direction would have no answer.
    matrix.flat[::10] += _RIDGE * float(trust.sum()) * _LIFTED + 1e-6
    return np.asarray(np.linalg.solve(matrix, weighted.T @ values), np.float32)


def _middle(values: Floats) -> np.float32:
    """The median, or the upper of two: a tenth of the time that numpy's takes on a few hundred values."""
    return np.float32(np.partition(values, len(values) // 2)[len(values) // 2])


def _trust(away: Floats, limit: np.float32) -> Floats:
    return np.asarray(1 / (1 + (away / limit) ** 2), np.float32)


@numba.njit("void(uint16[:, ::1], float32[:, ::1], float32[:, ::1])", cache=True, nogil=True, fastmath=True)
def _normals(triangles: Triangles, points: Floats, normals: Floats) -> None:
    """Unit normals, (P, 3), right, down and towards the viewer: means of their triangles, weighted by area."""
    normals[:] = np.float32(0)
    for row in range(triangles.shape[0]):
        a, b, c = triangles[row, 0], triangles[row, 1], triangles[row, 2]
        bx, by, bz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        cx, cy, cz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        # Corners run clockwise on the screen, and z of a point grows away from the viewer, z of a normal towards them.
        x, y, z = bz * cy - by * cz, bx * cz - bz * cx, bx * cy - by * cx
        for corner in (a, b, c):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for point in range(normals.shape[0]):
        x, y, z = normals[point, 0], normals[point, 1], normals[point, 2]
        length = np.float32(1) / (np.sqrt(x * x + y * y + z * z) + np.float32(1e-9))
        normals[point, 0], normals[point, 1], normals[point, 2] = x * length, y * length, z * length


@numba.njit(
    "void(uint16[:, ::1], float32[:, ::1], float32[:, ::1], float32[:, ::1], float32[:, ::1], uint8[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def _spread(  # noqa: PLR0917 - compiled code: arguments by position
    triangles: Triangles, points: Floats, normals: Floats, depth: Floats, harmonics: Floats, known: Bytes
) -> None:
    """The harmonics of each sample's normal, between those of the corners of the nearest triangle there."""
    height, width = known.shape
    for row in range(triangles.shape[0]):
        a, b, c = triangles[row, 0], triangles[row, 1], triangles[row, 2]
        ax, ay = points[a, 0], points[a, 1]
        bx, by, cx, cy = points[b, 0] - ax, points[b, 1] - ay, points[c, 0] - ax, points[c, 1] - ay
        area = bx * cy - by * cx
        if abs(area) < 1e-6:
            continue
        scale, slack = np.float32(1) / area, np.float32(-1e-3)
        left = max(0, int(np.ceil(ax + min(np.float32(0), bx, cx))))
        right = min(width - 1, int(np.floor(ax + max(np.float32(0), bx, cx))))
        top = max(0, int(np.ceil(ay + min(np.float32(0), by, cy))))
        bottom = min(height - 1, int(np.floor(ay + max(np.float32(0), by, cy))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                dx, dy = np.float32(x) - ax, np.float32(y) - ay
                second, third = (dx * cy - dy * cx) * scale, (dy * bx - dx * by) * scale
                first = np.float32(1) - second - third
                if first < slack or second < slack or third < slack:
                    continue
                far = first * points[a, 2] + second * points[b, 2] + third * points[c, 2]
                if far >= depth[y, x]:
                    continue
                depth[y, x], known[y, x] = far, 1
                nx = first * normals[a, 0] + second * normals[b, 0] + third * normals[c, 0]
                ny = first * normals[a, 1] + second * normals[b, 1] + third * normals[c, 1]
                nz = first * normals[a, 2] + second * normals[b, 2] + third * normals[c, 2]
                length = np.float32(1) / (np.sqrt(nx * nx + ny * ny + nz * nz) + np.float32(1e-9))
                nx, ny, nz = nx * length, ny * length, nz * length
                place = y * width + x
                # Real harmonics without their constant factors, which the numbers of a light contain as well.
                harmonics[place, 0], harmonics[place, 1] = np.float32(1), nx
                harmonics[place, 2], harmonics[place, 3] = ny, nz
                harmonics[place, 4], harmonics[place, 5], harmonics[place, 6] = nx * ny, nx * nz, ny * nz
                harmonics[place, 7] = nx * nx - ny * ny
                harmonics[place, 8] = np.float32(3) * nz * nz - np.float32(1)


@numba.njit("void(uint8[:, ::1], float32[:, :, ::1], uint8[:, ::1])", cache=True, nogil=True, fastmath=True)
def light_plane(plane: Bytes, change: Floats, out: Bytes) -> None:
    """Multiply and add, pixel by pixel.

    Args:
        plane: (H, W) uint8.
        change: (H, W, 2) float32, by how much to multiply each level, and what to add then.
        out: (H, W) uint8, written.
    """
    for y in range(plane.shape[0]):
        row, changes, target = plane[y], change[y], out[y]
        for x in range(plane.shape[1]):
            level = np.float32(row[x]) * changes[x, 0] + changes[x, 1] + np.float32(0.5)
            target[x] = np.uint8(min(max(level, np.float32(0)), np.float32(255)))
