"""Points, templates and transforms of faces: pure arithmetic.

Landmark numbers are those of the MediaPipe face mesh. "Left" and "right" are as seen in the picture.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.faces.kernel import middle, upright_bounds
from livefake.frame import Floats

__all__ = [
    "INNER_MOUTH",
    "LEFT_EYE",
    "OUTLINE",
    "POINTS",
    "RIGHT_EYE",
    "Point",
    "eye_middles",
    "five_points",
    "inverse",
    "similarity",
    "square_crop",
    "transform",
]

POINTS: Final = 468

_Ring = NDArray[np.intp]
Point = tuple[float, float]


def _ring(*numbers: int) -> _Ring:
    return np.array(numbers, np.intp)


# Closed rings of mesh points, each in order around its outline.
OUTLINE: Final = _ring(
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
LEFT_EYE: Final = _ring(33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
RIGHT_EYE: Final = _ring(362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)
INNER_MOUTH: Final = _ring(
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95
)  # fmt: skip

_NOSE_TIP: Final = 4
_MOUTH_CORNERS: Final = (61, 291)
_EYE_CORNERS: Final = ((33, 133), (362, 263))


def five_points(points: Floats) -> Floats:
    """Left eye, right eye, nose tip, left and right mouth corner.

    Args:
        points: (468, 2 or more) mesh landmarks.

    Returns:
        (5, 2) float32 in the same unit; an eye is the middle of its corners.
    """
    plane = points[:, :2]
    eyes = [plane[list(pair)].mean(0) for pair in _EYE_CORNERS]
    return np.stack([*eyes, plane[_NOSE_TIP], *plane[list(_MOUTH_CORNERS)]]).astype(np.float32)


def similarity(source: Floats, target: Floats) -> Floats:
    """Least-squares similarity (rotation, uniform scale, shift; no mirror) between two sets of points.

    The closed form with complex numbers, equal to Umeyama's solution (IEEE TPAMI 13(4), 1991) in the plane.

    Args:
        source, target: (N, 2), N >= 2, not all source points the same.

    Returns:
        (2, 3) float32; ``target ~ source @ matrix[:, :2].T + matrix[:, 2]``.

    Raises:
        ValueError: the source points coincide.
    """
    a = source.astype(np.float64) @ np.array([1, 1j])
    b = target.astype(np.float64) @ np.array([1, 1j])
    middle_a, middle_b = a.mean(), b.mean()
    spread = np.vdot(a - middle_a, a - middle_a).real
    if spread <= 0:
        raise ValueError("a similarity needs at least two different source points")
    turn = np.vdot(a - middle_a, b - middle_b) / spread
    shift = middle_b - turn * middle_a
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]], np.float32)


def inverse(matrix: Floats) -> Floats:
    """The (2, 3) matrix that undoes a (2, 3) affine matrix.

    Raises:
        numpy.linalg.LinAlgError: the matrix flattens the plane.
    """
    back = np.linalg.inv(matrix[:, :2].astype(np.float64))
    return np.column_stack([back, -back @ matrix[:, 2]]).astype(np.float32)


def transform(points: Floats, matrix: Floats) -> Floats:
    """Move (N, 2 or 3) points with a (2, 3) similarity; z, where there is one, scales with the plane."""
    moved = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[1] == 2:
        return moved.astype(np.float32)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return np.column_stack([moved, points[:, 2] * scale]).astype(np.float32)


def eye_middles(points: Floats) -> tuple[Point, Point]:
    """The middles of left and right eye of (468, 2 or more) mesh landmarks."""
    whole = np.ascontiguousarray(points, np.float32)
    return middle(whole, LEFT_EYE), middle(whole, RIGHT_EYE)


def square_crop(points: Floats, eyes: tuple[Point, Point], size: int, margin: float = 1.5) -> Floats:
    """The upright square crop that the face mesh network expects.

    Centred on the bounding box of the points as seen upright, turned so that the eyes are level, and
    ``margin`` times as wide as the longer side of that box: the geometry the network was trained with.

    Args:
        points: (N, 2 or more), frame pixels.
        eyes: left and right eye, frame pixels.
        size: side of the crop, pixels.
        margin: see above.

    Returns:
        (2, 3) float32, frame pixels to crop pixels.
    """
    angle = math.atan2(eyes[1][1] - eyes[0][1], eyes[1][0] - eyes[0][0])
    cosine, sine = math.cos(angle), math.sin(angle)
    left, top, right, bottom = upright_bounds(np.ascontiguousarray(points, np.float32), cosine, sine)
    scale = size / (max(right - left, bottom - top) * margin)
    across, down = size / 2 - scale * (left + right) / 2, size / 2 - scale * (top + bottom) / 2
    return np.array([[cosine * scale, sine * scale, across], [-sine * scale, cosine * scale, down]], np.float32)
