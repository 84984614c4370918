"""From FFmpeg's picture to ours."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
import numpy as np

from livefake.clock import Nanos
from livefake.errors import BadMedia
from livefake.frame import RTP_CLOCK, Bytes, Frame

__all__ = ["LONG_SIDE", "SHORT_SIDE", "to_frame"]

LONG_SIDE: Final = 3840
SHORT_SIDE: Final = 2160

_LEAST: Final = 16
"""Smallest side an encoder of the return path takes: one macroblock."""


def to_frame(picture: av.VideoFrame, arrived: Nanos, taken: Nanos | None = None) -> Frame:
    """Copy a decoded picture into a frame, each plane once.

    Args:
        picture: any pixel format; what is not 8-bit studio-range 4:2:0 is converted. Odd sides lose their
            last row or column.
        arrived: when it reached the service.
        taken: when it was taken, see ``Frame``.

    Raises:
        BadMedia: the picture is larger than 3840 x 2160 (either way round) or smaller than 16 x 16.
    """
    width, height = picture.width & ~1, picture.height & ~1
    if min(width, height) < _LEAST or max(width, height) > LONG_SIDE or min(width, height) > SHORT_SIDE:
        raise BadMedia(
            f"A picture may have {_LEAST} x {_LEAST} to {LONG_SIDE} x {SHORT_SIDE} pixels,"
            f" got {picture.width} x {picture.height}.",
            "Choose another resolution.",
        )
    if picture.format.name != "yuv420p":
        picture = picture.reformat(format="yuv420p")
    i420 = np.empty((height * 3 // 2, width), np.uint8)
    flat, luma, chroma = i420.reshape(-1), width * height, width * height // 4
    _copy(picture.planes[0], flat[:luma].reshape(height, width))
    _copy(picture.planes[1], flat[luma : luma + chroma].reshape(height // 2, width // 2))
    _copy(picture.planes[2], flat[luma + chroma :].reshape(height // 2, width // 2))
    base = picture.time_base
    time_base = Fraction(base.numerator, base.denominator) if base else RTP_CLOCK
    return Frame(i420, picture.pts or 0, arrived, time_base, taken=taken)


def _copy(plane: av.video.plane.VideoPlane, target: Bytes) -> None:
    """Copy the top left of a plane, whose rows are padded to ``line_size`` bytes."""
    height, width = target.shape
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    target[:] = rows[:height, :width]
