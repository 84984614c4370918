"""The renderer's inner loop over samples: skin, hair, eyes and mouth under one key light and a soft sky.

Linear light throughout. Skin is a diffuse surface whose light-dark edge is wrapped and shifted to red, a cheap
stand-in for light that scatters below it (Green, "Real-Time Approximations to Subsurface Scattering", GPU Gems,
2004), plus a highlight of two Blinn-Phong lobes (Blinn, SIGGRAPH 1977). Shadows come from a depth map of the key
light with soft comparison (Reeves, Salesin, Cook, SIGGRAPH 1987).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numba
import numpy as np

from livefake.frame import Bytes, Floats
from livefake.training.kernels import Ints

__all__ = [
    "BACK",
    "FACE",
    "GUMS",
    "IRISES",
    "MATERIALS",
    "SCLERAS",
    "TEETH",
    "TORSO",
    "Coat",
    "Lamps",
    "Model",
    "shade",
]

FACE: Final = 0
BACK: Final = 1
GUMS: Final = 2
TEETH: Final = 3
SCLERAS: Final = (4, 5)
IRISES: Final = (6, 7)
TORSO: Final = 8
MATERIALS: Final = 9

_COLLAR: Final = -9.0
"""Height below which the back of the head is clothes, model units."""


class Model(NamedTuple):
    """What all people share.

    Attributes:
        triangles: (F, 3) int32, vertex numbers.
        corners: (F, 3) int32, rows of ``uv``.
        materials: (F,) uint8.
        uv: (T, 2) float32, texture coordinates, v up.
        rest: (N, 3) float32, the mean head.
        paint: (N, 5) float32: occlusion, hair, face region, and place on the eyeball (x, y from its axis).
        strands: (256, 2048) float32, -1..1, a pattern of hair over polar angle and azimuth.
    """

    triangles: Ints
    corners: Ints
    materials: Bytes
    uv: Floats
    rest: Floats
    paint: Floats
    strands: Floats


class Coat(NamedTuple):
    """What a person's surface looks like.

    Attributes:
        texture: (S, S, 3) uint8, sRGB BGR, of the material ``FACE``.
        flat: (MATERIALS, 3) float32, linear BGR of the materials without texture.
        hair, iris: (3,) float32, linear BGR.
        hairline: 0 full hair, 1 none.
    """

    texture: Bytes
    flat: Floats
    hair: Floats
    iris: Floats
    hairline: float


class Lamps(NamedTuple):
    """The light.

    Attributes:
        key, fill: (3,) float32, unit vectors towards the lamp and towards what it bounces off.
        key_colour, sky, ground: (3,) float32, linear BGR.
        axes: (3, 3) float32, right, up and forward of the shadow map.
        shadow: (S, S) float32, depth from the key light along minus ``axes[2]``.
        scale: pixels of the shadow map per model unit.
    """

    key: Floats
    fill: Floats
    key_colour: Floats
    sky: Floats
    ground: Floats
    axes: Floats
    shadow: Floats
    scale: float


@numba.njit(inline="always")
def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


@numba.njit(inline="always")
def _blend(  # noqa: PLR0917 - compiled code takes its arguments by position
    values: Floats, rows: Ints, column: int, wa: float, wb: float, wc: float
) -> float:
    return float(wa * values[rows[0], column] + wb * values[rows[1], column] + wc * values[rows[2], column])


@numba.njit(inline="always")
def _dot(a: Floats, x: float, y: float, z: float) -> float:
    return float(a[0] * x + a[1] * y + a[2] * z)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _lit(lamps: Lamps, x: float, y: float, z: float) -> float:
    """Share of the key light that reaches a point: 4 x 4 taps with tent weights, soft in depth."""
    side = lamps.shadow.shape[0]
    column = side / 2 + _dot(lamps.axes[0], x, y, z) * lamps.scale
    row = side / 2 - _dot(lamps.axes[1], x, y, z) * lamps.scale
    depth = 0.55 + _dot(lamps.axes[2], x, y, z)
    lit, total = 1e-6, 1e-6
    for tap_y in range(max(int(row) - 1, 0), min(int(row) + 3, side)):
        for tap_x in range(max(int(column) - 1, 0), min(int(column) + 3, side)):
            tent = max(0.0, 2.0 - abs(tap_x + 0.5 - column)) * max(0.0, 2.0 - abs(tap_y + 0.5 - row))
            lit += tent * _unit((lamps.shadow[tap_y, tap_x] + depth) / 0.35)
            total += tent
    return lit / total


@numba.njit(cache=True, nogil=True, fastmath=True)
def _hair(  # noqa: PLR0917 - compiled code takes its arguments by position
    model: Model, coat: Coat, cover: float, x: float, y: float, z: float
) -> tuple[float, float]:
    """Opacity 0..1 and brightness -1..1 of the strand at a place of the resting head."""
    if cover <= 0.01 or coat.hairline >= 1:
        return 0.0, 0.0
    azimuth = np.arctan2(x, z + 1.5)
    polar = np.arctan2(np.sqrt(x * x + (z + 1.5) ** 2), y - 1.0)
    # The sines bend the strands, so that they do not run like the lines of a globe.
    row = int(polar * 75 + np.sin(azimuth * 5) * 5) % 256
    strand = model.strands[row, int(azimuth * 326 + np.sin(polar * 9) * 9) % 2048]
    return _unit((cover * 1.6 - coat.hairline * 1.2 + 0.22 * strand - 0.15) * 1.3), strand


@numba.njit(cache=True, nogil=True, fastmath=True)
def _skin(texture: Bytes, u: float, v: float, albedo: Floats) -> None:
    """Bilinear look-up of linear skin colour."""
    side = texture.shape[0]
    x, y = u * (side - 1), (1 - v) * (side - 1)
    left, top = min(max(int(x), 0), side - 2), min(max(int(y), 0), side - 2)
    fx, fy = x - left, y - top
    for k in range(3):
        above = texture[top, left, k] * (1 - fx) + texture[top, left + 1, k] * fx
        below = texture[top + 1, left, k] * (1 - fx) + texture[top + 1, left + 1, k] * fx
        albedo[k] = ((above * (1 - fy) + below * fy) / 255) ** 2


@numba.njit(cache=True, nogil=True, fastmath=True)
def _eye(iris: Floats, x: float, y: float, albedo: Floats) -> None:
    """White, iris with radial fibres and a dark ring, pupil; distances are in units of the kit's eyeball."""
    radius = np.sqrt(x * x + y * y)
    white, pupil = _unit((radius - 0.58) / 0.07), _unit((radius - 0.21) / 0.05)
    ring = (1 - 0.6 * _unit((radius - 0.42) / 0.16)) * (1 + 0.18 * np.sin(np.arctan2(y, x) * 37 + radius * 9))
    for k in range(3):
        sclera = 0.43 - (0.03 + 0.08 * _unit(radius - 0.7)) * (2 - k)
        albedo[k] = (iris[k] * ring * pupil + 0.004) * (1 - white) + sclera * white


@numba.njit(cache=True, nogil=True, fastmath=True)
def shade(  # noqa: PLR0917 - compiled code takes its arguments by position
    model: Model,
    coat: Coat,
    lamps: Lamps,
    positions: Floats,
    normals: Floats,
    lips: float,
    hit: Ints,
    weights: Floats,
    colour: Floats,
    region: Floats,
    inner: Floats,
) -> None:
    """Colour every sample that shows a triangle.

    Args:
        model, coat, lamps: see there.
        positions, normals: (N, 3) float32, the posed surface that is lit.
        lips: z of the lips, model units; what lies behind them in the mouth is darker.
        hit: (H, W) int32, number of the triangle, -1 for none.
        weights: (H, W, 2) float32, barycentric weights of its first two corners.
        colour: (H, W, 3) float32, written: linear BGR.
        region: (H, W) float32, written: share of the swap region, 0..1, without hair.
        inner: (H, W) float32, written: 1 on eyeballs and inside the mouth.
    """
    albedo = np.zeros(3, np.float32)
    half = lamps.key + np.array([0, 0, 1], np.float32)
    half = half / np.sqrt((half * half).sum())
    for y in range(hit.shape[0]):
        for x in range(hit.shape[1]):
            triangle = hit[y, x]
            if triangle < 0:
                continue
            wa, wb = weights[y, x, 0], weights[y, x, 1]
            wc = 1 - wa - wb
            rows, material = model.triangles[triangle], model.materials[triangle]
            rx, ry, rz = (
                _blend(model.rest, rows, 0, wa, wb, wc),
                _blend(model.rest, rows, 1, wa, wb, wc),
                _blend(model.rest, rows, 2, wa, wb, wc),
            )
            px, py, pz = (
                _blend(positions, rows, 0, wa, wb, wc),
                _blend(positions, rows, 1, wa, wb, wc),
                _blend(positions, rows, 2, wa, wb, wc),
            )
            nx, ny, nz = (
                _blend(normals, rows, 0, wa, wb, wc),
                _blend(normals, rows, 1, wa, wb, wc),
                _blend(normals, rows, 2, wa, wb, wc),
            )
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            nx, ny, nz = nx / length, ny / length, nz / length
            if material == BACK and ry < _COLLAR:
                material = TORSO
            for k in range(3):
                albedo[k] = coat.flat[material, k]
            occlusion, inside = _blend(model.paint, rows, 0, wa, wb, wc), 0.0
            shine, gloss, soft, wet = 0.0, 16.0, 0.0, False
            if material == FACE:
                corners = model.corners[triangle]
                _skin(
                    coat.texture,
                    _blend(model.uv, corners, 0, wa, wb, wc),
                    _blend(model.uv, corners, 1, wa, wb, wc),
                    albedo,
                )
                inside = _blend(model.paint, rows, 2, wa, wb, wc)
            if material in (FACE, BACK):
                opacity, strand = _hair(model, coat, _blend(model.paint, rows, 1, wa, wb, wc), rx, ry, rz)
                for k in range(3):
                    albedo[k] = albedo[k] * (1 - opacity) + coat.hair[k] * (1 + 0.6 * strand) * opacity
                # The middle of the face is oilier than its sides.
                oil = 0.035 + 0.03 * max(0.0, 1 - abs(rx) / 5.0)
                shine, soft = oil * (1 - opacity) + 0.035 * (1 + strand) * opacity, 1 - opacity
                inside *= 1 - opacity
            elif material in (GUMS, TEETH):
                deep = _unit(max((lips - pz + 0.35) / 2.6, (10.2 - rz) / 2.8))
                occlusion, shine, gloss, inside = (1 - 0.86 * deep) * 0.8, 0.10 * (1 - deep), 40.0, 1.0
            elif material in SCLERAS:
                eye_x, eye_y = _blend(model.paint, rows, 3, wa, wb, wc), _blend(model.paint, rows, 4, wa, wb, wc)
                _eye(coat.iris, eye_x, eye_y, albedo)
                occlusion, shine, gloss, wet, inside = occlusion**1.5, 0.55, 220.0, True, 1.0
            lit = _lit(lamps, px, py, pz)
            facing, above = _dot(lamps.key, nx, ny, nz), 0.5 + 0.5 * ny
            bounce, mirror = max(0.0, _dot(lamps.fill, nx, ny, nz)), max(0.0, _dot(half, nx, ny, nz))
            rim = 0.25 + 0.75 * (1 - max(0.0, nz)) ** 3
            lobes = mirror**gloss + 0.35 * mirror ** (gloss * 0.3)
            highlight = shine * lobes * lit * (1.0 if wet else 0.7 + rim)
            for k in range(3):
                wrap = soft * (0.03 + 0.08 * k)
                direct = max(0.0, (facing + wrap) / (1 + wrap)) * (lit + soft * 0.05 * k * (1 - lit))
                sky = (lamps.sky[k] * above + lamps.ground[k] * (1 - above)) * occlusion ** (1.0 - 0.12 * k * soft)
                sky += lamps.sky[k] * 0.05 * rim * soft * occlusion
                key = lamps.key_colour[k]
                colour[y, x, k] = albedo[k] * (sky + key * (direct + 0.16 * bounce * occlusion)) + highlight * key
            region[y, x], inner[y, x] = inside, 1.0 if material in (GUMS, TEETH) or wet else 0.0
