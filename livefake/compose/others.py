"""Faces that are not the performer's: left, blurred, or swapped too."""

from __future__ import annotations

import cv2
import numpy as np

from livefake.compose.kernel import blend_plane
from livefake.compose.treatment import Others
from livefake.frame import Box, Bytes, Frame

__all__ = ["HideOthers", "Others"]


class HideOthers:
    """Blurs every face but the performer's beyond recognition.

    Args:
        how: only ``Others.BLUR`` makes this stage do anything; may be changed between two frames.
    """

    name = "others"
    vital = True

    def __init__(self, how: Others = Others.BLUR) -> None:
        self.how = how

    def __call__(self, frame: Frame) -> Frame:
        if self.how is Others.BLUR:
            for face in frame.faces:
                if not face.performer:
                    margin = 0.15 * max(face.box.width, face.box.height)
                    _blur(frame, Box.around(face.points, margin).within(frame.width, frame.height))
        return frame


def _blur(frame: Frame, box: Box) -> None:
    """Replace an oval of the picture by five by five soft spots."""
    if box.area == 0:
        return
    half = Box(box.left // 2, box.top // 2, box.right // 2, box.bottom // 2)
    for plane, place in ((frame.y, box), (frame.u, half), (frame.v, half)):
        window = plane[place.top : place.bottom, place.left : place.right]
        blend_plane(window, _spots(window), _oval(place.width, place.height))


def _spots(window: Bytes) -> Bytes:
    small = cv2.resize(window, (5, 5), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (window.shape[1], window.shape[0]), interpolation=cv2.INTER_CUBIC), np.uint8)


def _oval(width: int, height: int) -> Bytes:
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, ((width / 2, height / 2), (width, height), 0), (255,), cv2.FILLED)
    soft = max(3, width // 12 | 1)
    return np.asarray(cv2.blur(mask, (soft, soft)), np.uint8)
