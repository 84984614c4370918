"""What makes a frame good material, read from a take's picture and its mesh. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from livefake.faces.geometry import LEFT_EYE, OUTLINE, RIGHT_EYE
from livefake.faces.pose import head_turn
from livefake.frame import Bytes, Floats

__all__ = ["CLOSED", "Measures", "measure"]

CLOSED: Final = 0.05
"""Gap between the lips, over the mouth's width, up to which a mouth is closed."""
_SPAN: Final = 96
"""Side at which light is measured, pixels: noise has averaged out."""
_CHEEKS: Final = ((50, 101, 205, 36), (280, 330, 425, 266))
"""Mesh points on the left and the right cheek in the picture."""
_FOREHEAD: Final = (109, 338, 9, 67, 297)
_CHIN: Final = (199, 200, 208, 428, 175)
_BURNT: Final = 250
_BLACK: Final = 6


@dataclass(frozen=True, slots=True)
class Measures:
    """What a frame shows.

    Attributes:
        yaw, pitch: degrees, see ``faces.pose.head_turn``.
        sharpness: mean square of the Laplacian of the face's luma over its variance; blur is near 0.
        open_mouth: gap between the lips over the width of the mouth.
        open_eyes: height of the eyes' openings over their widths.
        smile: width of the mouth over the distance of the eyes.
        level: mean luma of the face, 0..255.
        side: natural logarithm of the right cheek's brightness over the left one's, as in the picture.
        top: the same, forehead over chin.
        warmth: the same, red over blue.
        lost: share of the face that is burnt out or black, 0..1.
    """

    yaw: float
    pitch: float
    sharpness: float
    open_mouth: float
    open_eyes: float
    smile: float
    level: float
    side: float
    top: float
    warmth: float
    lost: float


def measure(picture: Bytes, points: Floats) -> Measures:
    """Measure one face.

    Args:
        picture: (S, S, 3) uint8 BGR, the crop of a take.
        points: (468, 3) float32, mesh landmarks, pixels of the crop.
    """
    yaw, pitch = head_turn(points)
    plane = points[:, :2]
    mouth = _apart(plane, 61, 291)
    eyes = [(_apart(plane, 159, 145), _apart(plane, 33, 133)), (_apart(plane, 386, 374), _apart(plane, 362, 263))]
    # The eye that faces the camera is the one to read.
    height, width = max(eyes, key=lambda eye: eye[1])
    between = float(np.linalg.norm(points[LEFT_EYE].mean(0) - points[RIGHT_EYE].mean(0)))
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    area = np.zeros(luma.shape, np.uint8)
    cv2.fillPoly(area, [np.round(plane[OUTLINE]).astype(np.int32)], 255)
    inside = luma[area > 0]
    if not inside.size:
        inside = luma.reshape(-1)
    small = cv2.resize(picture, (_SPAN, _SPAN), interpolation=cv2.INTER_AREA).astype(np.float32) + 1
    spots = np.clip(np.round(plane * (_SPAN / picture.shape[0])).astype(int), 0, _SPAN - 1)
    left, right, top, low = (
        small[spots[list(rows), 1], spots[list(rows), 0]].mean(0) for rows in (*_CHEEKS, _FOREHEAD, _CHIN)
    )
    cheeks = left + right
    return Measures(
        yaw=yaw,
        pitch=pitch,
        sharpness=_sharpness(luma, area),
        open_mouth=_apart(plane, 13, 14) / max(mouth, 1e-3),
        open_eyes=height / max(width, 1e-3),
        smile=float(np.linalg.norm(points[61] - points[291])) / max(between, 1e-3),
        level=float(inside.mean()),
        side=float(np.log(right.mean() / left.mean())),
        top=float(np.log(top.mean() / low.mean())),
        warmth=float(np.log(cheeks[2] / cheeks[0])),
        lost=float(((inside > _BURNT) | (inside < _BLACK)).mean()),
    )


def _apart(plane: Floats, one: int, other: int) -> float:
    return float(np.linalg.norm(plane[one] - plane[other]))


def _sharpness(luma: Bytes, area: Bytes) -> float:
    # A little blur first: sensor noise would count as sharpness.
    soft = cv2.GaussianBlur(luma, (0, 0), 0.8).astype(np.float32)
    edges = cv2.Laplacian(soft, cv2.CV_32F)
    inner = cv2.erode(area, np.ones((9, 9), np.uint8)) > 0
    if not inner.any():
        return 0.0
    return float((edges[inner] ** 2).mean() / (soft[inner].var() + 1.0))
