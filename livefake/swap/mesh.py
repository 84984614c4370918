"""Swap by warping one picture: the persona's face, bent triangle by triangle onto the live mesh.

The persona's picture is neutral, frontal, mouth closed, evenly lit; there may be two more of the turned head. Live
eyes and the live inner mouth are kept, so gaze, blinks and teeth are the performer's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.errors import BadPersona
from livefake.faces.geometry import INNER_MOUTH, LEFT_EYE, OUTLINE, POINTS, RIGHT_EYE
from livefake.faces.kernel import lid_oval
from livefake.faces.pose import head_turn
from livefake.frame import Box, Bytes, Face, Floats, Frame, Patch, Planes
from livefake.resources import models_folder
from livefake.swap.persona import Persona
from livefake.swap.raster import Triangles, paint_pair, paint_plane, painting_order

__all__ = ["MeshSwapper", "face_triangles", "read_triangles", "view_share"]

_SMALLEST: Final = 32
_FEATHER: Final = 0.055
_LID: Final = 0.24
_ALONE: Final = 0.3
"""Share of the way from one picture's yaw to the next one's, at either end, in which one picture shows alone."""
_CIRCLE: Final = np.array([(np.cos(turn), np.sin(turn)) for turn in np.arange(24) * np.pi / 12])
_SIZES: Final = (1.0, 0.71, 0.5, 0.35, 0.25, 0.18, 0.125)
_RAMP: Final = np.clip((np.arange(256, dtype=np.float32) - 136) * 255 / 104, 0, 255).astype(np.uint8)
"""Turns a blurred outline into a soft mask that ends inside it: half-way and less is nothing, so skin beyond
the outline is never reached, and 94 % is everything."""


def read_triangles(path: Path) -> Triangles:
    """The triangulation of the face mesh.

    Args:
        path: a .npy file, (T, 3) uint16, numbers of mesh points, clockwise on the screen.

    Raises:
        BadPersona: the file is missing or is not that.
    """
    try:
        triangles = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadPersona(f"The mesh {path} cannot be read: {error}.", "Install livefake again.") from error
    if triangles.dtype != np.uint16 or triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.max() >= POINTS:
        raise BadPersona(f"The mesh {path} should be (T, 3) uint16, got {triangles.dtype} {triangles.shape}.")
    return np.ascontiguousarray(triangles)


@cache
def face_triangles() -> Triangles:
    """The triangulation that livefake carries, read once.

    Raises:
        BadPersona: it is missing or damaged.
        LivefakeError: the installation lacks its folder.
    """
    return read_triangles(models_folder() / "mesh" / "triangles.npy")


class MeshSwapper:
    """Warps one persona.

    A persona with pictures of its turned head is painted from the one or two of them that are turned most like the
    live head, faded into each other by the live yaw, so nothing jumps. All lie on the same live mesh.

    Args:
        persona: its pictures and their landmarks.
        triangles: (T, 3) uint16, as ``read_triangles`` returns.
    """

    name = "mesh warp"

    def __init__(self, persona: Persona, triangles: Triangles) -> None:
        self._triangles = triangles
        self._views = [_View(persona.picture, persona.points, 0.0)]
        self._views += [_View(turned.picture, turned.points, turned.yaw) for turned in persona.turned]
        self._views.sort(key=lambda view: view.yaw)
        front = next(view for view in self._views if view.yaw == 0)
        self._skin = front.skin

    def __call__(self, frame: Frame, face: Face) -> Patch | None:
        """The persona in the live face's place; see ``Swapper``."""
        points = face.points
        feather = _FEATHER * max(face.box.width, face.box.height)
        box = Box.around(points[OUTLINE], 2 * feather).within(frame.width, frame.height)
        if min(face.box.width, face.box.height) < _SMALLEST or min(box.width, box.height) < _SMALLEST:
            return None
        live = np.ascontiguousarray(points[:, :2] - np.array([box.left, box.top], np.float32))
        order = painting_order(self._triangles, points)
        height = float(np.ptp(points[OUTLINE, 1]))
        cover = np.zeros((box.height // 2, box.width // 2), np.uint8)
        picture: Planes | None = None
        for view, share in self._chosen(points):
            painted = Planes.empty(box.width, box.height)
            # Plain skin first: where the triangles of a turned face leave a crack, nothing darker than that shows.
            for plane, level in zip((painted.y, painted.u, painted.v), self._skin, strict=True):
                plane[:] = level
            self._paint(view.fitting(height), order, live, painted, cover)
            if picture is None:
                picture = painted
            else:
                cv2.addWeighted(picture.i420, 1 - share, painted.i420, share, 0, dst=picture.i420)
        mask, solid = _masks(live, cover, (box.width, box.height), feather)
        return None if picture is None else Patch(box, picture, mask, face, mask, solid)

    def _paint(self, source: _Sized, order: NDArray[np.int32], live: Floats, painted: Planes, cover: Bytes) -> None:
        picture = source.picture
        paint_plane(self._triangles, order, live, source.points, picture.y, painted.y)
        paint_pair(
            self._triangles, order, _halved(live), source.half, picture.u, picture.v, painted.u, painted.v, cover
        )

    def _chosen(self, points: Floats) -> list[tuple[_View, float]]:
        """The views to paint one over the other, each with its share of what is then seen; one of them or two."""
        if len(self._views) == 1:
            return [(self._views[0], 1.0)]
        yaw = head_turn(points)[0]
        first = self._views[0]
        for second in self._views[1:]:
            share = view_share(yaw, first.yaw, second.yaw)
            if share <= 0:
                return [(first, 1.0)]
            if share < 1:
                return [(first, 1.0), (second, share)]
            first = second
        return [(first, 1.0)]


def view_share(yaw: float, low: float, high: float) -> float:
    """Share of the picture turned to ``high`` in that and the one turned to ``low``, for a live yaw; all degrees.

    Near to either picture's own yaw only that picture shows, and costs as much as one alone; between them the share
    rises without a step and without a kink.
    """
    along = float(np.clip(((yaw - low) / (high - low) - _ALONE) / (1 - 2 * _ALONE), 0, 1))
    return along * along * (3 - 2 * along)


def _halved(points: Floats) -> Floats:
    """(N, 2) float32, where points of the luma plane lie in the chroma planes; see ``livefake.planes``."""
    return np.ascontiguousarray((points - np.float32(0.5)) * np.float32(0.5))


@dataclass(frozen=True, slots=True, eq=False)
class _Sized:
    """A picture in one size.

    Attributes:
        picture: its planes.
        points, half: (468, 2) float32, its landmarks in luma pixels and in chroma samples.
        height: of the face, pixels.
    """

    picture: Planes
    points: Floats
    half: Floats
    height: float


class _View:
    """One picture of the persona, in several sizes: a small face on screen samples a small picture, so there is no
    aliasing and it stays in the cache.
    """

    def __init__(self, picture: Bytes, landmarks: Floats, yaw: float) -> None:
        self.yaw = yaw
        self._sizes: list[_Sized] = []
        points = np.ascontiguousarray(landmarks[:, :2])
        full = _extend_skin(picture, points)
        height, width = full.shape[:2]
        inside = _face_area(full, points)
        level = np.median(full[inside == 255], axis=0)
        patch = Planes.of_bgr(np.full((2, 2, 3), level, np.uint8))
        self.skin = (int(patch.y[0, 0]), int(patch.u[0, 0]), int(patch.v[0, 0]))
        for share in _SIZES:
            size = (round(width * share / 2) * 2, round(height * share / 2) * 2)
            smaller = np.asarray(cv2.resize(full, size, interpolation=cv2.INTER_AREA), np.uint8)
            # Pixel centres at whole numbers: another size maps x to (x + 0.5) * share - 0.5.
            scaled = (points + 0.5) * np.array([size[0] / width, size[1] / height]) - 0.5
            # A sample inside the edge, so that the warp may look at a sample's neighbours without asking.
            within = np.clip(scaled, 1, np.array(size) - 3).astype(np.float32)
            half = np.clip(_halved(within), 1, np.array(size) // 2 - 3).astype(np.float32)
            face = float(np.ptp(within[OUTLINE, 1]))
            self._sizes.append(_Sized(Planes.of_bgr(smaller), within, half, face))

    def fitting(self, height: float) -> _Sized:
        """The smallest picture that still has a pixel for each pixel of a face that is ``height`` pixels high."""
        return next((sized for sized in reversed(self._sizes) if sized.height >= height), self._sizes[0])


def _face_area(picture: Bytes, points: Floats) -> Bytes:
    """(H, W) uint8, 255 inside the outline of (468, 2) landmarks in a picture."""
    area = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(area, [np.round(points[OUTLINE]).astype(np.int32)], 255)
    return area


def _extend_skin(picture: Bytes, points: Floats) -> Bytes:
    """Let the skin of a face run on smoothly beyond its outline.

    A turned head shows its cheek up to the ear, stretched from the rim of the frontal picture. Ears, hair and
    background there would be stretched too, so the rim is replaced by the blurred skin further inside.

    Args:
        picture: (H, W, 3) uint8 BGR.
        points: (468, 2) float32, its landmarks, pixels.
    """
    size = float(np.ptp(points[OUTLINE, 1]))
    area = _face_area(picture, points)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(area, 1, 1, 1, 1, cv2.BORDER_CONSTANT), cv2.DIST_L2, 5)
    inside = np.asarray(depth[1:-1, 1:-1], np.float32) / size
    keep = np.clip((inside - 0.025) / 0.045, 0, 1)[..., None]
    # Normalised convolution at an eighth of the size: each place gets the mean colour of the skin near it.
    small = (picture.shape[1] // 8, picture.shape[0] // 8)
    skin = (inside > 0.07).astype(np.float32)
    weight = cv2.resize(skin, small, interpolation=cv2.INTER_AREA)[..., None]
    colours = cv2.resize(picture.astype(np.float32) * skin[..., None], small, interpolation=cv2.INTER_AREA)
    field = np.zeros_like(colours)
    # From wide to narrow: a narrow mean is better where it has something to average.
    for sigma in (size / 20, size / 60, size / 160):
        share = cv2.GaussianBlur(weight, (0, 0), sigma)[..., None]
        mean = cv2.GaussianBlur(colours, (0, 0), sigma) / np.maximum(share, 1e-4)
        trust = np.clip(share * 20, 0, 1)
        field = field + trust * (mean - field)
    rim = cv2.resize(field, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(rim + keep * (picture - rim), 0, 255), np.uint8)


def _masks(live: Floats, cover: Bytes, size: tuple[int, int], feather: float) -> tuple[Bytes, Bytes]:
    """Where the persona shows: inside the outline, fading before its edge; without and with eyes and inner mouth.

    Args:
        live: (468, 2) float32, pixels of the region.
        cover: (H // 2, W // 2) uint8, 255 where a triangle lies; half the size is enough for something this soft.
            Becomes something else.
        size: W and H.
        feather: width of the soft edge, pixels.
    """
    live, solid = _halved(live), cover
    # Eyes and mouth are holes in the mesh: closed here, so that the soft edge runs along the outline only.
    rings = [np.round(live[ring] * 8).astype(np.int32) for ring in (LEFT_EYE, RIGHT_EYE, INNER_MOUTH)]
    cv2.fillPoly(solid, rings, 255, cv2.LINE_8, 3)
    # The region has room around the outline, so only where the picture's edge cuts the face does the border
    # matter: there the face goes on outside, and must not fade.
    width = max(3, int(feather) | 1)
    for _ in range(2):
        cv2.blur(solid, (width, width), dst=solid, borderType=cv2.BORDER_REPLICATE)
    soft = cv2.LUT(solid, _RAMP)
    eyes = [np.round(oval * 8).astype(np.int32) for oval in _eye_ovals(live)]
    holes = cv2.fillPoly(np.zeros_like(solid), [*eyes, rings[-1]], 255, cv2.LINE_AA, 3)
    small = max(3, int(feather * 0.3) | 1)
    open_mask = cv2.subtract(soft, cv2.blur(holes, (small, small)))
    mask, filled = (cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in (open_mask, soft))
    return np.asarray(mask, np.uint8), np.asarray(filled, np.uint8)


def _eye_ovals(live: Floats) -> list[NDArray[np.float64]]:
    """The parts of the live face that move when it blinks: eyes, lids and lashes.

    The mesh hardly closes its eyes, so a hole of the shape of its rings would show the persona's open lid around a
    live closed one. An oval over the whole way of the lids leaves blinks to the performer.

    Returns:
        The outlines of left and right eye, (24, 2) float64 each.
    """
    # First and ninth point of a ring are its corners. Turned heads foreshorten the width of an eye, not its height.
    span = max(float(np.linalg.norm(live[ring[8]] - live[ring[0]])) for ring in (LEFT_EYE, RIGHT_EYE))
    return [lid_oval(live, ring, _LID * span, _CIRCLE) for ring in (LEFT_EYE, RIGHT_EYE)]
