"""The persona on the live mesh: what the network gets to work from, made as the live program makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.compose.colour import measure_match
from livefake.faces.geometry import square_crop
from livefake.faces.landmarks import SIDE, LandmarkNet, Landmarks, crop_for_points
from livefake.frame import Box, Bytes, Face, Floats, Frame
from livefake.swap.guide import lay_over
from livefake.swap.mesh import MeshSwapper
from livefake.swap.persona import Kind, Persona, PersonaCard
from livefake.swap.raster import Triangles

__all__ = ["make_swapper", "matched_guide", "read_mesh", "warp_onto"]

_ROUNDS: Final = 2


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


def matched_guide(live: Bytes, warp: Bytes, cover: Bytes) -> Bytes:
    """The warp in the performer's colours and light, over the live picture with its eyes and inner mouth.

    Args:
        live, warp: (S, S, 3) uint8 BGR.
        cover: (S, S) uint8, where the warp shows.

    Returns:
        (S, S, 3) uint8 BGR: the guide, and what the program shows without the network.
    """
    left, top, width, height = cv2.boundingRect(cover)
    if not width:
        return live
    rows, columns = slice(top, top + height), slice(left, left + width)
    # Samples, as the live program takes them.
    samples = [
        cv2.resize(plane[rows, columns], (48, 48), interpolation=cv2.INTER_LINEAR) for plane in (warp, live, cover)
    ]
    guide = live.copy()
    match = measure_match(*(np.asarray(plane, np.uint8) for plane in samples))
    matched = match.apply(np.ascontiguousarray(warp[rows, columns]))
    guide[rows, columns] = lay_over(live[rows, columns], matched, cover[rows, columns])
    return guide
