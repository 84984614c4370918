"""What the swap network is given: the persona on the live mesh, and what it may see of the live picture.

Training and the live program make their inputs with these functions, so that the network never meets another
picture live than the ones it has learnt from.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from livefake.faces.geometry import INNER_MOUTH, LEFT_EYE, RIGHT_EYE, eye_middles, square_crop
from livefake.frame import Bytes, Floats

__all__ = ["CHANNELS", "MARGIN", "crop_for_net", "kept_alive", "lay_over", "net_planes"]

MARGIN: Final = 1.2
"""Side of the network's crop as a multiple of the longer side of the face's box."""
CHANNELS: Final = 14
"""Planes of the network's input; see ``net_planes``."""
_CELLS: Final = 32
"""Cells a side, whose mean is what the network's picture may know of live skin: light and what is in front of the face
come through, the performer's features hardly. With 64 cells the performer's brows came through."""
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
    return square_crop(points, eye_middles(points), size, MARGIN)


def lay_over(live: Bytes, front: Bytes, alpha: Bytes) -> Bytes:
    """One picture over another.

    Args:
        live, front: (H, W, 3) uint8 BGR.
        alpha: (H, W) uint8, 255 where ``front`` shows.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    share = cv2.merge([alpha, alpha, alpha])
    shown = cv2.multiply(front, share, scale=1 / 255)
    return np.asarray(cv2.add(shown, cv2.multiply(live, cv2.bitwise_not(share), scale=1 / 255)), np.uint8)


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


def net_planes(live: Bytes, guide: Bytes, keep: Bytes, visible: Bytes) -> Bytes:
    """What the network is given.

    Args:
        live: (S, S, 3) uint8 BGR.
        guide: (S, S, 3) uint8 BGR, the persona in the live colours over ``live``.
        keep: (S, S) uint8, as ``kept_alive`` makes it.
        visible: (S, S) uint8, where the guide is meant to show: the warp's cover, less whatever is known to be in
            front of the face.

    Returns:
        (14, S, S) uint8: guide (blue, green, red), live low-pass (3), live eyes and mouth (3), their mask,
        visibility, live (3). The network takes them divided by 255. Only its mask looks at the last three.
    """
    size = live.shape[0]
    coarse = cv2.resize(live, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    low = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    eyes = cv2.multiply(live, cv2.merge([keep, keep, keep]), scale=1 / 255)
    planes = np.empty((CHANNELS, size, size), np.uint8)
    for start, picture in ((0, guide), (3, low), (6, eyes), (11, live)):
        cv2.split(picture, list(planes[start : start + 3]))
    planes[9], planes[10] = keep, visible
    return planes
