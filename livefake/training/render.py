"""Draws a fictional person in a state, at any place of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from livefake.frame import Bytes, Floats
from livefake.training.headkit import HeadKit, Identity
from livefake.training.kernels import rasterise, vertex_normals
from livefake.training.shading import Lamps, shade
from livefake.training.states import State

__all__ = ["Picture", "place", "pose", "project", "render"]

_PIVOT: Final = np.array([0.0, -3.0, -1.0], np.float32)
"""What the head turns about: the top of the neck."""
_BODY: Final = 0.2
"""Share of a rotation that the body follows."""
_SHADOW: Final = 160
_SHADOW_SCALE: Final = 4.0
_EYE_DEPTH: Final = 0.35
"""Eyeballs are pushed back by this in the depth test, so that no lid lets them through; model units."""
_MOUTH: Final = (51, 57, 62, 66)
_FAR: Final = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A rendered person.

    Attributes:
        pixels: (H, W, 3) uint8 BGR.
        region: (H, W) uint8, the swap region without hair, 255 inside.
        inner: (H, W) uint8, 255 on eyeballs and inside the mouth.
        landmarks: (68, 2) float32, pixels, pixel centres at whole numbers.
    """

    pixels: Bytes
    region: Bytes
    inner: Bytes
    landmarks: Floats


def pose(kit: HeadKit, person: Identity, state: State) -> Floats:
    """Vertices with expression, grown hair and head rotation.

    Returns:
        (N, 3) float32, model units.
    """
    vertices = person.shape.copy()
    for number in np.flatnonzero(state.expression):
        vertices += state.expression[number] * kit.expression_modes[number]
    if person.coat.hairline < 1:
        cover = np.clip(kit.model.paint[:, 1] - person.coat.hairline * 0.7, 0, 1)
        vertices += kit.outward * (cover * person.hair_length * (0.6 + 0.4 * kit.outward[:, 1]))[:, None]
    head, body = _rotation(state.rotation), _rotation(state.rotation * _BODY)
    share, arm = kit.turns[:, None], vertices - _PIVOT
    return np.ascontiguousarray((arm @ head.T) * share + (arm @ body.T) * (1 - share) + _PIVOT, np.float32)


def _rotation(angles: Floats) -> Floats:
    """Pitch, then yaw, then roll: the matrix Rx Ry Rz."""
    axes = np.eye(3) * angles[:, None]
    matrices = [cv2.Rodrigues(axis)[0] for axis in axes]
    return np.asarray(matrices[0] @ matrices[1] @ matrices[2], np.float32)


def project(vertices: Floats, distance: float) -> Floats:
    """Perspective projection to the unit image plane: (N, 2) float32, x to the right, y down."""
    plane = vertices[:, :2] * np.array([1, -1], np.float32)
    return np.asarray(plane / (distance - vertices[:, 2:]), np.float32)


def place(kit: HeadKit, person: Identity, state: State, side: int, height: float) -> Floats:
    """A placement that puts the face in the middle of a square picture.

    Args:
        side: of the picture, pixels.
        height: from brows to chin, or from one side of the face to the other where that is more, pixels.

    Returns:
        (2, 3) float32 from the image plane of ``project`` to pixels.
    """
    points = project(pose(kit, person, state)[kit.landmarks], state.distance)
    low, high = points.min(0), points.max(0)
    scale = height / float((high - low).max())
    # The forehead is above the landmarks: the middle of the face lies higher than theirs.
    middle = (low + high) / 2 - np.array([0, 0.12 * (high[1] - low[1])], np.float32)
    shift = (side - 1) / 2 - scale * middle
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)


def render(
    kit: HeadKit,
    person: Identity,
    state: State,
    placement: Floats,
    background: Bytes,
    *,
    worn_by: Identity | None = None,
    supersample: float = 2.0,
) -> Picture:
    """Draw a person.

    Args:
        kit: the head.
        person: whose skin, relief and light are drawn.
        state: expression, pose and light.
        placement: (2, 3) float32, from the image plane of ``project`` to pixels (centres at whole numbers).
        background: (H, W, 3) uint8 BGR; gives the size of the picture.
        worn_by: whose shape it is drawn on, point by point; the person's own if None.
        supersample: samples per pixel and side.
    """
    height, width = background.shape[:2]
    own = pose(kit, person, state)
    worn = own if worn_by is None else pose(kit, worn_by, state)
    pixels = project(worn, state.distance) @ placement[:, :2].T + placement[:, 2]
    size = (round(width * supersample), round(height * supersample))
    shown = np.column_stack([(pixels + 0.5) * [size[0] / width, size[1] / height], state.distance - worn[:, 2]])
    shown[kit.eyes, 2] += _EYE_DEPTH
    hit = np.full((size[1], size[0]), -1, np.int32)
    weights = np.zeros((size[1], size[0], 2), np.float32)
    rasterise(shown.astype(np.float32), kit.model.triangles, np.full(hit.shape, _FAR, np.float32), hit, weights)
    colour = np.zeros((size[1], size[0], 3), np.float32)
    region, inner = np.zeros(hit.shape, np.float32), np.zeros(hit.shape, np.float32)
    lips = float(own[kit.landmarks[list(_MOUTH)], 2].mean())
    normals = vertex_normals(own, kit.model.triangles)
    shade(kit.model, person.coat, _lamps(kit, own, state), own, normals, lips, hit, weights, colour, region, inner)
    return Picture(
        pixels=_developed(colour, hit, background),
        region=_averaged(region, (width, height)),
        inner=_averaged(inner, (width, height)),
        landmarks=np.asarray(pixels[kit.landmarks], np.float32),
    )


def _averaged(mask: Floats, size: tuple[int, int]) -> Bytes:
    """From samples of 0..1 to pixels of 0..255."""
    return np.asarray(cv2.resize(mask * 255, size, interpolation=cv2.INTER_AREA) + 0.5, np.uint8)


def _lamps(kit: HeadKit, vertices: Floats, state: State) -> Lamps:
    key = state.light / np.linalg.norm(state.light)
    right = np.cross([0, 1, 0], key)
    right = right / np.linalg.norm(right)
    axes = np.stack([right, np.cross(key, right), key]).astype(np.float32)
    seen = (vertices @ axes.T) * np.array([_SHADOW_SCALE, -_SHADOW_SCALE, -1], np.float32)
    seen += np.array([_SHADOW / 2, _SHADOW / 2, 0], np.float32)
    shadow = np.full((_SHADOW, _SHADOW), _FAR, np.float32)
    hit, weights = np.zeros(shadow.shape, np.int32), np.zeros((*shadow.shape, 2), np.float32)
    rasterise(np.ascontiguousarray(seen, np.float32), kit.solid, shadow, hit, weights)
    sky = state.sky_tint * state.ambient * np.array([1.04, 1.0, 0.98])
    fill = np.array([-key[0], 0.1, 0.8])
    return Lamps(
        key=key.astype(np.float32),
        fill=(fill / np.linalg.norm(fill)).astype(np.float32),
        key_colour=(state.tint * state.key).astype(np.float32),
        sky=sky.astype(np.float32),
        ground=(sky * np.array([0.5, 0.53, 0.58])).astype(np.float32),
        axes=axes,
        shadow=shadow,
        scale=_SHADOW_SCALE,
    )


def _developed(colour: Floats, hit: Floats, background: Bytes) -> Bytes:
    """From linear samples to display pixels: soft highlights, gamma 2, averaged, over the background."""
    size = (background.shape[1], background.shape[0])
    display = np.sqrt(np.clip(colour / (1 + 0.18 * colour) * 1.12, 0, 1)) * 255
    front = cv2.resize(display, size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize((hit >= 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)[..., None]
    return np.asarray(np.clip(front + background * (1 - cover) + 0.5, 0, 255), np.uint8)
