"""Faces that are not the performer's: left, blurred, or swapped too."""

from __future__ import annotations

import cv2
import numpy as np

from livefake.compose.treatment import Others
from livefake.frame import Box, Bytes, Frame
from livefake.overlay import blend_plane

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
    half = box.halved()
    planes, windows = (frame.y, frame.u, frame.v), frame.windows(box)
    for plane, window, place in zip(planes, windows, (box, half, half), strict=True):
        blend_plane(plane, place.top, place.left, _spots(window), _oval(place.width, place.height))


def _spots(window: Bytes) -> Bytes:
    small = cv2.resize(window, (5, 5), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (window.shape[1], window.shape[0]), interpolation=cv2.INTER_CUBIC), np.uint8)


def _oval(width: int, height: int) -> Bytes:
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, ((width / 2, height / 2), (width, height), 0), (255,), cv2.FILLED)
    soft = max(3, width // 12 | 1)
    return np.asarray(cv2.blur(mask, (soft, soft)), np.uint8)
