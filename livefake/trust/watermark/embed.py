"""Putting the mark into luma: a fixed pattern whose strength follows the texture of each picture.

Strength, in levels of luma (standard deviation): 0.7 on smooth ground, where nothing hides the pattern, and down to
0.42 where that is dark; plus 0.4 times the root of the local activity, up to 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes, Floats
from livefake.trust.watermark.carrier import TILE, Carrier, canvas_size
from livefake.trust.watermark.code import Payload, encode

__all__ = ["Embedder"]

_CELL: Final = 16
_SMOOTH_LEVELS: Final = 0.7
_TEXTURE_LEVELS: Final = 0.4
_MOST_LEVELS: Final = 3.0
_DARK_LEVELS: Final = 0.42
_DIM_BELOW: Final = 90.0
_ACTIVITY_STEPS: Final = 8
_PATTERN_STEP: Final = 40.0
_SHIFT: Final = 10
_GAIN_STEP: Final = (1 << _SHIFT) / _PATTERN_STEP
_GAIN_LIMIT: Final = 250
_GAIN_ROWS: Final = 4


@numba.njit("void(uint8[::1], int64, int8[:, ::1], uint8[:, ::1])", nogil=True, cache=True)
def _add(luma, stride, pattern, gain):  # type: ignore[no-untyped-def]
    """luma += pattern * gain >> 10, saturating at studio range.

    Every step fits 16 bits, so that the compiler fills whole vector registers.
    """
    height, width = pattern.shape
    for y in range(height):
        row = luma[y * stride : y * stride + width]
        strength = gain[y // _GAIN_ROWS]
        for x in range(width):
            change = (np.int16(pattern[y, x]) * np.int16(strength[x]) + np.int16(512)) >> np.int16(_SHIFT)
            old = np.int16(row[x])
            # A pixel that came in outside studio range is not pushed further out, nor pulled in.
            low, high = min(old, np.int16(16)), max(old, np.int16(235))
            row[x] = np.uint8(min(max(np.int16(old + change), low), high))


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """What one picture size needs: the pattern and the buffers between the steps."""

    shape: tuple[int, int]
    pattern: NDArray[np.int8]
    half: Bytes
    quarter: Bytes
    smooth: Bytes
    activity: Bytes
    light: Bytes
    neighbours: Bytes
    gain: Bytes

    @classmethod
    def build(cls, tile: Floats, height: int, width: int) -> _Tables:
        canvas_width, canvas_height = canvas_size(width, height)
        across, down = -(-canvas_width // TILE), -(-canvas_height // TILE)
        canvas = np.tile(tile, (down, across))[:canvas_height, :canvas_width]
        interpolation = cv2.INTER_AREA if height < canvas_height else cv2.INTER_CUBIC
        pattern = np.asarray(cv2.resize(canvas, (width, height), interpolation=interpolation))
        pattern = np.round(pattern / (pattern.std() + 1e-6) * _PATTERN_STEP).clip(-127, 127).astype(np.int8)
        cells = (max(2, height // _CELL), max(2, width // _CELL))
        half = (max(1, height // 2), max(1, width // 2))
        quarter = (max(1, height // 4), max(1, width // 4))
        return cls(
            shape=(height, width),
            pattern=pattern,
            half=np.empty(half, np.uint8),
            quarter=np.empty(quarter, np.uint8),
            smooth=np.empty(quarter, np.uint8),
            activity=np.empty(cells, np.uint8),
            light=np.empty(cells, np.uint8),
            neighbours=np.ones((3, 3), np.uint8),
            gain=np.empty((-(-height // _GAIN_ROWS), width), np.uint8),
        )


class Embedder:
    """Marks pictures with one payload, always with the same pattern, so that a reader can add frames up.

    Tables are built at the first picture of a size and kept until the size changes. Not for two threads at once.

    Args:
        payload: what the mark says.
        psnr_db: the mark stays at least this far below the picture, ``20 log10(255 / rms change)``. Smooth
            pictures get less than that allows (about 51 dB), textured ones come up to it.
        boost: factor on the strength, within that bound; for pictures in which nobody minds seeing the mark.
    """

    def __init__(self, payload: Payload, psnr_db: float = 44.0, boost: float = 1.0) -> None:
        self._boost = boost
        self._tile = Carrier().tile(encode(payload))
        self._rms = 255.0 / 10.0 ** (psnr_db / 20.0)
        self._tables: _Tables | None = None

    def mark(self, luma: Bytes) -> None:
        """Mark a picture in place.

        Args:
            luma: (height, width) uint8, studio range; rows may lie apart, pixels of a row may not.

        Raises:
            ValueError: the array is something else.
        """
        rows_of_bytes = luma.ndim == 2 and luma.dtype == np.uint8 and luma.size and luma.flags.writeable
        if not rows_of_bytes or luma.strides[1] != 1 or luma.strides[0] < luma.shape[1]:
            raise ValueError(
                "luma needs a writeable uint8 array (height, width) with the pixels of a row side by side, "
                f"got {luma.dtype} {luma.shape} with strides {luma.strides}"
            )
        height, width = luma.shape
        if self._tables is None or self._tables.shape != luma.shape:
            self._tables = _Tables.build(self._tile, height, width)
        tables, stride = self._tables, luma.strides[0]
        self._measure(luma, tables)
        flat = np.lib.stride_tricks.as_strided(luma, ((height - 1) * stride + width,), (1,))
        _add(flat, stride, tables.pattern, tables.gain)

    def _measure(self, luma: Bytes, tables: _Tables) -> None:
        """Fill ``tables.gain`` from the picture: more where texture hides the mark, less on smooth walls and skin."""
        half, quarter, smooth = tables.half, tables.quarter, tables.smooth
        activity, light, gain = tables.activity, tables.light, tables.gain
        # Quarter size still holds the wavelengths of the mark; in two steps it costs an eighth.
        cv2.resize(luma, half.shape[::-1], dst=half, interpolation=cv2.INTER_AREA)
        cv2.resize(half, quarter.shape[::-1], dst=quarter, interpolation=cv2.INTER_AREA)
        cv2.resize(quarter, light.shape[::-1], dst=light, interpolation=cv2.INTER_AREA)
        cv2.blur(quarter, (5, 5), dst=smooth)
        cv2.absdiff(quarter, smooth, dst=smooth)
        cv2.convertScaleAbs(smooth, dst=smooth, alpha=_ACTIVITY_STEPS)
        cv2.resize(smooth, activity.shape[::-1], dst=activity, interpolation=cv2.INTER_AREA)
        # A cell beside an outline counts as smooth: texture hides the mark, one edge only looks active.
        cv2.erode(activity, tables.neighbours, dst=activity)
        levels = np.sqrt(activity, dtype=np.float32)
        levels *= _TEXTURE_LEVELS / math.sqrt(_ACTIVITY_STEPS)
        # The eye sees ratios: on smooth ground one level more is a larger step in the dark.
        levels += np.clip(light * np.float32(_SMOOTH_LEVELS / _DIM_BELOW), _DARK_LEVELS, _SMOOTH_LEVELS)
        np.minimum(levels, _MOST_LEVELS, out=levels)
        levels *= self._boost
        rms = math.sqrt(float(np.square(levels).mean()))
        levels *= min(1.0, self._rms / rms) * _GAIN_STEP
        steps = np.minimum(levels + 0.5, _GAIN_LIMIT).astype(np.uint8)
        cv2.resize(steps, gain.shape[::-1], dst=gain, interpolation=cv2.INTER_LINEAR)
