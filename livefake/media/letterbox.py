"""A picture on a canvas of another size, as large as fits, in the middle, with black bars."""

from __future__ import annotations

import cv2
import numpy as np

from livefake.frame import Bytes, Frame

__all__ = ["fit"]


def fit(frame: Frame, width: int, height: int) -> Bytes:
    """The planes of a picture at another size.

    Args:
        frame: the picture; it is not changed.
        width, height: of the canvas, even.

    Returns:
        (height * 3 // 2, width) uint8; the frame's own array where the size is right already.
    """
    if (frame.width, frame.height) == (width, height):
        return frame.i420
    scale = min(width / frame.width, height / frame.height)
    # Even edges all round, so that the planes of colour land on whole pixels.
    wide, high = (max(2, 2 * round(side * scale / 2)) for side in (frame.width, frame.height))
    left, top = (width - wide) // 4 * 2, (height - high) // 4 * 2
    canvas = Frame(np.empty((height * 3 // 2, width), np.uint8), frame.pts, frame.arrived)
    canvas.y[:] = 16
    canvas.u[:] = canvas.v[:] = 128
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    for source, target, half in ((frame.y, canvas.y, 1), (frame.u, canvas.u, 2), (frame.v, canvas.v, 2)):
        place = target[top // half : (top + high) // half, left // half : (left + wide) // half]
        place[:] = cv2.resize(source, (wide // half, high // half), interpolation=how)
    return canvas.i420
