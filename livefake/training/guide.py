"""The persona on the live mesh: what the network gets to work from, made as the live program makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.compose.colour import colour_transfer
from livefake.faces.geometry import INNER_MOUTH, LEFT_EYE, RIGHT_EYE, square_crop
from livefake.faces.landmarks import SIDE, LandmarkNet, Landmarks, crop_for_points
from livefake.frame import Box, Bytes, Face, Floats, Frame
from livefake.swap.mesh import MeshSwapper
from livefake.swap.persona import Kind, Persona, PersonaCard
from livefake.swap.raster import Triangles

__all__ = [
    "CHANNELS",
    "MARGIN",
    "composite",
    "crop_for_net",
    "kept_alive",
    "make_swapper",
    "net_input",
    "read_mesh",
    "warp_onto",
]

MARGIN: Final = 1.2
"""Side of the network's crop as a multiple of the longer side of the face's box."""
CHANNELS: Final = 11
"""Planes of the network's input; see ``net_input``."""
_CELLS: Final = 32
"""Cells a side, whose mean is all that the network sees of live skin: light and what is in front of the face come
through, the performer's features hardly."""
_ROUNDS: Final = 2
_KEEP: Final = 0.35
"""How far the kept eyes and mouth reach beyond their rings, as a share of a ring's height."""


def crop_for_net(points: Floats, size: int) -> Floats:
    """The crop that the network works in.

    Args:
        points: (468, 3) float32, mesh landmarks, frame pixels.
        size: side of the crop, pixels.

    Returns:
        (2, 3) float32, frame pixels to crop pixels.
    """
    eyes = (points[LEFT_EYE, :2].mean(0), points[RIGHT_EYE, :2].mean(0))
    return square_crop(points, eyes, size, MARGIN)


def read_mesh(net: LandmarkNet, frame: Frame, landmarks: Floats) -> Landmarks:
    """Find the mesh near known landmarks, the way tracking does: from the crop of a moment ago.

    Args:
        net: the real landmark network.
        frame: the picture.
        landmarks: (68, 2) float32, roughly where the face is, pixels.
    """
    forehead = landmarks[27] - 0.75 * (landmarks[8] - landmarks[27])
    box = np.vstack([landmarks, forehead]).astype(np.float32)
    crop = square_crop(box, (landmarks[36:42].mean(0), landmarks[42:48].mean(0)), SIDE)
    found = net(frame, crop)
    for _ in range(_ROUNDS - 1):
        found = net(frame, crop_for_points(found.points))
    return found


def make_swapper(picture: Bytes, points: Floats, triangles: Triangles) -> MeshSwapper:
    """The live program's mesh warp for a persona that is no pack.

    Args:
        picture: (H, W, 3) uint8 BGR, neutral, frontal, mouth closed.
        points: (468, 3) float32, its mesh landmarks, pixels.
        triangles: of the mesh.
    """
    card = PersonaCard("rendered", "Rendered", Kind.FICTIONAL, "", "CC0-1.0", Path(), {})
    return MeshSwapper(Persona(card, picture, points), triangles)


def warp_onto(swapper: MeshSwapper, size: int, points: Floats) -> tuple[Bytes, Bytes] | None:
    """The persona's picture on the mesh in a crop.

    Args:
        swapper: wears the persona.
        size: side of the crop, pixels; even.
        points: (468, 3) float32, mesh landmarks, pixels of the crop.

    Returns:
        (S, S, 3) uint8 BGR in the persona's own colours, and (S, S) uint8, where it shows; None if the face is
        too small or outside the crop. Where nothing shows, the picture has the warp's mean colour.
    """
    empty = Frame(np.zeros((size * 3 // 2, size), np.uint8), 0, 0)
    patch = swapper(empty, Face(Box.around(points), points, 1.0, 1.0, 1))
    if patch is None:
        return None
    shown = patch.mask > 0
    warp = np.empty((size, size, 3), np.uint8)
    warp[:] = patch.pixels[shown].mean(0) if shown.any() else 128
    cover = np.zeros((size, size), np.uint8)
    rows, columns = slice(patch.box.top, patch.box.bottom), slice(patch.box.left, patch.box.right)
    warp[rows, columns][shown], cover[rows, columns] = patch.pixels[shown], patch.mask
    return warp, cover


def composite(live: Bytes, warp: Bytes, cover: Bytes) -> Bytes:
    """The warp in the performer's colours, over the live picture with its eyes and inner mouth.

    Args:
        live, warp: (S, S, 3) uint8 BGR.
        cover: (S, S) uint8, where the warp shows.

    Returns:
        (S, S, 3) uint8 BGR: the guide, and what the program shows without the network.
    """
    # Every third pixel is enough for statistics.
    small = [np.ascontiguousarray(plane[::3, ::3]) for plane in (warp, live, cover)]
    matched = cv2.transform(warp, colour_transfer(*small))
    alpha = cv2.merge([cover, cover, cover])
    front = cv2.multiply(matched, alpha, scale=1 / 255)
    return np.asarray(cv2.add(front, cv2.multiply(live, cv2.bitwise_not(alpha), scale=1 / 255)), np.uint8)


def kept_alive(points: Floats, size: int) -> Bytes:
    """Where the live eyes and the live inner mouth are: they carry gaze, blinks, teeth and tongue.

    Args:
        points: (468, 2 or 3) float32, mesh landmarks, pixels of the crop.
        size: side of the crop, pixels.

    Returns:
        (S, S) uint8, 255 inside, soft at the edge. A little wider than the rings, because the rings are never
        quite where the lids and the lips are.
    """
    keep = np.zeros((size, size), np.uint8)
    for ring in (LEFT_EYE, RIGHT_EYE, INNER_MOUTH):
        outline = points[ring, :2]
        middle, height = outline.mean(0), float(np.ptp(outline[:, 1]))
        reach = _KEEP * max(height, size * 0.02)
        away = outline - middle
        grown = outline + away / (np.linalg.norm(away, axis=1, keepdims=True) + 1e-6) * reach
        cv2.fillPoly(keep, [np.round(grown * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    width = max(3, size // 64 | 1)
    return np.asarray(cv2.blur(keep, (width, width)), np.uint8)


def net_input(live: Bytes, guide: Bytes, keep: Bytes, visible: Bytes) -> Floats:
    """What the network is given.

    Args:
        live: (S, S, 3) uint8 BGR.
        guide: (S, S, 3) uint8 BGR, as ``composite`` makes it.
        keep: (S, S) uint8, as ``kept_alive`` makes it.
        visible: (S, S) uint8, where the guide is meant to show: the warp's cover, less whatever is known to be in
            front of the face.

    Returns:
        (11, S, S) float32, 0..1: guide (blue, green, red), live low-pass (3), live eyes and mouth (3), their mask,
        visibility.
    """
    size = live.shape[0]
    coarse = cv2.resize(live, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    low = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    eyes = cv2.multiply(live, cv2.merge([keep, keep, keep]), scale=1 / 255)
    planes = np.stack([*cv2.split(guide), *cv2.split(low), *cv2.split(eyes), keep, visible])
    return np.multiply(planes, np.float32(1 / 255), dtype=np.float32)
