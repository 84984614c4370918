"""The persona on the live mesh: what the network gets to work from, made as the live program makes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.compose.colour import Sample, measure_match
from livefake.compose.light import Relief
from livefake.faces.geometry import square_crop
from livefake.faces.landmarks import SIDE, LandmarkNet, Landmarks, crop_for_points
from livefake.frame import Box, Bytes, Face, Floats, Frame, Planes
from livefake.swap.guide import lay_over
from livefake.swap.mesh import MeshSwapper, face_triangles
from livefake.swap.persona import Kind, Persona, PersonaCard
from livefake.swap.raster import Triangles, paint_pair, paint_plane

__all__ = ["make_swapper", "matched_guide", "paint_picture", "read_mesh", "warp_onto"]

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
    (left_x, left_y), (right_x, right_y) = (landmarks[eye].mean(0).tolist() for eye in (np.s_[36:42], np.s_[42:48]))
    crop = square_crop(box, ((left_x, left_y), (right_x, right_y)), SIDE)
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


def paint_picture(  # noqa: PLR0917 - in the order of the inner loops
    triangles: Triangles,
    order: NDArray[np.int32],
    live: Floats,
    persona: Floats,
    picture: Bytes,
    pixels: Bytes,
    cover: Bytes,
) -> None:
    """Warp a whole picture as ``paint_plane`` does a plane.

    Args:
        triangles, order, live, persona: see there.
        picture: (H, W, 3) uint8.
        pixels: (h, w, 3) uint8, written where a triangle lies.
        cover: (h, w) uint8, set to 255 where a triangle lies.
    """
    first, second, third = (np.asarray(plane, np.uint8) for plane in cv2.split(picture))
    out = [np.asarray(plane, np.uint8) for plane in cv2.split(pixels)]
    paint_pair(triangles, order, live, persona, first, second, out[0], out[1], cover)
    paint_plane(triangles, order, live, persona, third, out[2])
    cv2.merge(out, dst=pixels)


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
    shown, pixels = patch.mask > 0, patch.picture.bgr()
    warp = np.empty((size, size, 3), np.uint8)
    warp[:] = pixels[shown].mean(0) if shown.any() else 128
    cover = np.zeros((size, size), np.uint8)
    rows, columns = slice(patch.box.top, patch.box.bottom), slice(patch.box.left, patch.box.right)
    warp[rows, columns][shown], cover[rows, columns] = pixels[shown], patch.mask
    return warp, cover


def matched_guide(live: Bytes, warp: Bytes, cover: Bytes, points: Floats) -> Bytes:
    """The warp in the performer's colours and light, over the live picture with its eyes and inner mouth.

    Args:
        live, warp: (S, S, 3) uint8 BGR.
        cover: (S, S) uint8, where the warp shows.
        points: (468, 3) float32, mesh landmarks, pixels of the crop.

    Returns:
        (S, S, 3) uint8 BGR: the guide, and what the program shows without the network.
    """
    left, top, width, height = cv2.boundingRect(cover)
    if not width:
        return live
    box = Box(left, top, left + width, top + height).within(live.shape[1], live.shape[0])
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    shown, behind = cover[rows, columns], Planes.of_bgr(live[rows, columns])
    front = Planes.of_bgr(warp[rows, columns])
    # Samples, as the live program takes them.
    source, target = (Sample.of(planes.y, planes.u, planes.v) for planes in (front, behind))
    weight = np.asarray(cv2.resize(shown, source.y.shape, interpolation=cv2.INTER_LINEAR), np.uint8)
    relief = Relief.of(points, face_triangles(), box, len(weight))
    match = measure_match(source, target, weight, relief)
    matched = match.apply(front, match.light.gain(relief))
    guide = live.copy()
    guide[rows, columns] = lay_over(live[rows, columns], matched.bgr(), shown)
    return guide
