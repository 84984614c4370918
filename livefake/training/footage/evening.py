"""Taking the light out of a face: what the lamp does is fitted to the shape of the head and divided out."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.faces.geometry import INNER_MOUTH, LEFT_EYE, OUTLINE, RIGHT_EYE
from livefake.frame import Floats
from livefake.swap.raster import Triangles

__all__ = ["even_light", "is_skin", "vertex_normals"]

_BROWS: Final = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
_LIPS: Final = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375, 78, 95, 88, 178, 87,
    14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
)  # fmt: skip
_NOSTRILS: Final = (2, 97, 326, 98, 327, 60, 290, 20, 250, 19, 94)
_ROUNDS: Final = 6
_LIMITS: Final = (0.55, 1.9)
_SHADING: Final = 0.22
"""How much darker skin at the side is than skin that faces the camera, in the even light that is put back."""
_STEP: Final = 8


def is_skin() -> NDArray[np.bool_]:
    """(468,) bool: mesh points on plain skin, without brows, eyes, lips, nostrils and outline."""
    skin = np.ones(468, np.bool_)
    for rows in (LEFT_EYE, RIGHT_EYE, INNER_MOUTH, OUTLINE, _BROWS, _LIPS, _NOSTRILS):
        skin[np.asarray(rows)] = False
    return skin


def vertex_normals(points: Floats, triangles: Triangles) -> Floats:
    """Unit normals of a mesh, (468, 3) float32, z to the camera is positive.

    Args:
        points: (468, 3) float32, x to the right, y down, z small = near.
        triangles: clockwise on the screen.
    """
    corners = points[triangles].astype(np.float64)
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(points), 3))
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
    normals[:, 2] *= np.sign(normals[:, 2].sum())
    return normals.astype(np.float32)


def even_light(picture: Floats, points: Floats, normals: Floats) -> Floats:
    """Replace the light on a face by even light from the front.

    Skin is taken for matt: its brightness is an albedo times ``a + b . normal`` (first-order spherical harmonics,
    Basri and Jacobs, IEEE TPAMI 25(2), 2003). The four numbers are fitted to the skin, robustly, because spots and
    cast shadows are not of that form; the ratio of even light to found light is then multiplied in, smoothly.

    Args:
        picture: (H, W, 3) float32 BGR, 0..255.
        points: (468, 3) float32, mesh landmarks, pixels.
        normals: (468, 3) float32, of the head that looks straight ahead, so that all guides of a head get one light.

    Returns:
        (H, W, 3) float32, 0..255.
    """
    height, width = picture.shape[:2]
    coarse = cv2.resize(picture, (width // _STEP, height // _STEP), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(coarse, (0, 0), 1)
    limit = np.array([width // _STEP - 1, height // _STEP - 1])
    spots = np.clip(np.round(points[:, :2] / _STEP), 0, limit).astype(int)
    # Display values are about the square root of light.
    light = (soft[spots[:, 1], spots[:, 0]].mean(1) / 255) ** 2
    basis = np.column_stack([np.ones(len(normals)), normals])
    skin = is_skin()
    weight = skin.astype(np.float64)
    found = np.zeros(4)
    for _ in range(_ROUNDS):
        root = np.sqrt(weight)[:, None]
        found = np.linalg.lstsq(basis * root, light * root[:, 0], rcond=None)[0]
        misfit = (light - basis @ found) / max(float(light[skin].mean()), 1e-6)
        weight = skin / (1 + (misfit / 0.12) ** 2)
    usual = float(np.median((basis @ found)[skin]))
    lamp = np.maximum(basis @ found, 0.3 * usual)
    wanted = usual * (1 + _SHADING * (normals[:, 2] - float(np.median(normals[skin, 2]))))
    ratio = np.clip(np.sqrt(wanted / lamp), *_LIMITS).astype(np.float32)
    return np.asarray(np.clip(picture * _spread(ratio, points, (width, height))[..., None], 0, 255), np.float32)


def _spread(values: Floats, points: Floats, size: tuple[int, int]) -> Floats:
    """(H, W) float32: values at mesh points, carried to all pixels smoothly (normalised convolution)."""
    small = (size[0] // _STEP, size[1] // _STEP)
    weight, total = np.zeros(small[::-1], np.float32), np.zeros(small[::-1], np.float32)
    spots = np.round(points[:, :2] / _STEP).astype(int)
    spots = np.clip(spots, 0, np.array(small) - 1)
    np.add.at(weight, (spots[:, 1], spots[:, 0]), 1)
    np.add.at(total, (spots[:, 1], spots[:, 0]), values)
    field = np.full(small[::-1], float(np.median(values)), np.float32)
    for sigma in (small[0] / 8, small[0] / 20, small[0] / 36):
        share = cv2.GaussianBlur(weight, (0, 0), sigma)
        mean = cv2.GaussianBlur(total, (0, 0), sigma) / np.maximum(share, 1e-6)
        trust = np.clip(share / (0.3 * float(share.max()) + 1e-9), 0, 1)
        field = field + trust * (mean - field)
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_CUBIC), np.float32)
