"""Guide pictures: one face from many takes, each bent onto one mesh, in even light, sharp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.errors import BadInput
from livefake.faces.geometry import INNER_MOUTH, LEFT_EYE, OUTLINE, RIGHT_EYE
from livefake.frame import Bytes, Floats
from livefake.swap.raster import Triangles, painting_order
from livefake.training.footage.evening import even_light, is_skin, vertex_normals
from livefake.training.footage.likeness import SIDE, TURNED, median_mesh, pick
from livefake.training.footage.measures import Measures
from livefake.training.footage.takes import Takes
from livefake.training.guide import paint_picture

__all__ = ["Guide", "Guides", "make_guides", "surround"]

_MOST: Final = 12
"""Takes in a guide: more blur the features by their landmarks' errors and gain nothing."""
_FEWEST_TURNED: Final = 3
_DETAILED: Final = 4
"""The sharpest takes, whose fine structure is kept."""
_FINE: Final = 7.0
"""Pixels of a guide picture: what is finer is detail, what is coarser is the median of all takes."""
_LARGER: Final = 2
_PORTRAIT: Final = 512


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """A picture to warp from.

    Attributes:
        picture: (1024, 1024, 3) uint8 BGR, the person's own skin colour around the face.
        points: (468, 3) float32, mesh landmarks, pixels.
        takes: places of the takes it was made from.
    """

    picture: Bytes
    points: Floats
    takes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Guides:
    """All pictures of a persona.

    Attributes:
        front: looks into the camera.
        left, right: turned 25 degrees to that side of the picture; None where the footage has no such takes.
        portrait: (512, 512, 3) uint8 BGR, for people to choose by.
    """

    front: Guide
    left: Guide | None
    right: Guide | None
    portrait: Bytes


def make_guides(takes: Takes, measures: Sequence[Measures], triangles: Triangles) -> Guides:
    """Make the guides from takes.

    Args:
        takes: of one person.
        measures: of each take.
        triangles: of the mesh, as ``swap.mesh.read_triangles`` reads them.

    Raises:
        BadInput: no take looks into the camera with a closed mouth.
    """
    ahead = pick(measures, 0.0, most=_MOST)
    if not ahead:
        raise BadInput(
            "Frames that look into the camera with a closed mouth and open eyes were expected, and there are none.",
            "Add a few seconds of looking straight into the camera without speaking.",
        )
    mesh = median_mesh(takes.points[ahead])
    normals = vertex_normals(mesh, triangles)
    form = _Form(triangles, normals)
    front = _blend(takes, ahead, mesh, form)
    tone = _tone(front.astype(np.float32), mesh, normals)

    def turned(yaw: float) -> Guide | None:
        chosen = pick(measures, yaw, most=_MOST)
        if len(chosen) < _FEWEST_TURNED:
            return None
        points = median_mesh(takes.points[chosen])
        return Guide(_blend(takes, chosen, points, form, tone), points, tuple(chosen))

    best = max(ahead[: max(1, _MOST // 2)], key=lambda place: takes.sharpnesses[place])
    portrait = cv2.resize(takes[best].picture, (_PORTRAIT, _PORTRAIT), interpolation=cv2.INTER_CUBIC)
    middle = Guide(front, mesh, tuple(ahead))
    return Guides(middle, turned(-TURNED), turned(TURNED), np.asarray(portrait, np.uint8))


@dataclass(frozen=True, slots=True, eq=False)
class _Form:
    triangles: Triangles
    normals: Floats


def _blend(takes: Takes, chosen: Sequence[int], mesh: Floats, form: _Form, tone: Floats | None = None) -> Bytes:
    """One picture of takes that are turned alike.

    Args:
        tone: (3,) float32, BGR of the skin that it should have; the takes' own median if None.
    """
    warped, covers = zip(
        *(_bend(takes[place].picture, takes.points[place], mesh, form.triangles) for place in chosen), strict=True
    )
    even = [even_light(picture, mesh, form.normals) for picture in warped]
    tones = np.stack([_tone(picture, mesh, form.normals) for picture in even])
    wanted = np.median(tones, 0) if tone is None else tone
    stack = np.stack([picture * (wanted / own) for picture, own in zip(even, tones, strict=True)]).astype(np.float32)
    coarse = np.stack([cv2.GaussianBlur(picture, (0, 0), _FINE) for picture in stack])
    base = np.median(coarse, 0)
    sharpest = np.argsort(takes.sharpnesses[list(chosen)])[::-1][:_DETAILED]
    detail = stack[sharpest] - coarse[sharpest]
    # The median of a few sharp takes has no noise and no highlights that wander, but is weaker than each of them
    # where their features do not quite meet; its strength is brought back to theirs.
    middle = np.median(detail, 0)
    strength = np.mean([_energy(one) for one in detail], 0)
    gain = np.clip(np.sqrt(strength / (_energy(middle) + 1e-3)), 1.0, 1.7)[..., None]
    face = np.clip(base + middle * gain, 0, 255).astype(np.float32)
    cover = np.asarray(np.min(np.stack(covers), 0), np.uint8)
    return surround(face, cover, mesh)


def _energy(detail: Floats) -> Floats:
    return np.asarray(cv2.GaussianBlur((detail**2).mean(2), (0, 0), 2 * _FINE), np.float32)


def _bend(picture: Bytes, points: Floats, mesh: Floats, triangles: Triangles) -> tuple[Floats, Bytes]:
    """A take on the guide's mesh, eyes and mouth included: (1024, 1024, 3) float32, and where it lies."""
    size = picture.shape[0] * _LARGER
    # Enlarged first, smoothly: the warp looks at four neighbours only.
    large = np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)
    whole, source, target = _closed(triangles), _with_middles(points), _with_middles(mesh)
    within = np.clip((source[:, :2] + 0.5) * _LARGER - 0.5, 1, size - 3).astype(np.float32)
    pixels, cover = np.zeros((SIDE, SIDE, 3), np.uint8), np.zeros((SIDE, SIDE), np.uint8)
    plane = np.ascontiguousarray(target[:, :2])
    paint_picture(whole, painting_order(whole, target), plane, within, large, pixels, cover)
    mean = pixels[cover > 0].mean(0) if cover.any() else np.full(3, 128.0)
    return np.where(cover[..., None] > 0, pixels, mean).astype(np.float32), cover


def _closed(triangles: Triangles) -> Triangles:
    """The mesh with its three holes closed by fans around a point in their middle."""
    fans = []
    for number, ring in enumerate((LEFT_EYE, RIGHT_EYE, INNER_MOUTH)):
        middle = np.full(len(ring), 468 + number)
        fans.append(np.stack([ring, np.roll(ring, -1), middle], 1))
    return np.ascontiguousarray(np.vstack([triangles, *fans]), np.uint16)


def _with_middles(points: Floats) -> Floats:
    middles = [points[ring].mean(0) for ring in (LEFT_EYE, RIGHT_EYE, INNER_MOUTH)]
    return np.vstack([points, *middles]).astype(np.float32)


def _tone(picture: Floats, mesh: Floats, normals: Floats) -> Floats:
    """(3,) float32 BGR, the median colour of the skin that faces forward and is seen in every guide."""
    rows: NDArray[np.bool_] = is_skin() & (normals[:, 2] > 0.75)
    spots = np.clip(np.round(mesh[rows, :2]), 0, SIDE - 1).astype(int)
    return np.asarray(np.maximum(np.median(picture[spots[:, 1], spots[:, 0]], 0), 1.0), np.float32)


def surround(face: Floats, cover: Bytes, mesh: Floats) -> Bytes:
    """Put a face on its own skin: what is around it is a smooth continuation that ends in the skin's median colour.

    Args:
        face: (1024, 1024, 3) float32 BGR, 0..255.
        cover: (1024, 1024) uint8, 255 where it is.
        mesh: (468, 3) float32, pixels.

    Returns:
        (1024, 1024, 3) uint8 BGR.
    """
    outline = [np.round(mesh[OUTLINE, :2]).astype(np.int32)]
    area = cv2.bitwise_and(cv2.fillPoly(np.zeros_like(cover), outline, 255), cover)
    size = float(np.ptp(mesh[OUTLINE, 1]))
    depth = cv2.distanceTransform(area, cv2.DIST_L2, 5) / size
    small = (SIDE // 8, SIDE // 8)
    skin = ((depth > 0.03) & (depth < 0.2)).astype(np.float32)
    weight = cv2.resize(skin, small, interpolation=cv2.INTER_AREA)[..., None]
    colours = cv2.resize(face * skin[..., None], small, interpolation=cv2.INTER_AREA)
    field = np.empty_like(colours)
    field[:] = np.median(face[skin > 0], 0)
    for sigma in (small[0] / 8, small[0] / 24, small[0] / 60):
        share = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        mean = cv2.GaussianBlur(colours, (0, 0), sigma) / np.maximum(share, 1e-4)
        field = field + np.clip(share * 4, 0, 1) * (mean - field)
    around = cv2.resize(cv2.GaussianBlur(field, (0, 0), 1.5), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    # The landmarks lie a pixel or two beyond the face at times: the outermost rim shows what was behind it.
    keep = np.clip((depth - 0.015) / 0.03, 0, 1)[..., None]
    return np.asarray(np.clip(around + keep * (face - around) + 0.5, 0, 255), np.uint8)
