"""Frames of one clip, whitened and added up in a few pieces of time."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from livefake.frame import Bytes, Floats

__all__ = ["Pieces", "evened", "whitened"]

_MOST: Final = 8
_FLOOR: Final = 1.0
_BAND: Final = 17
_NEIGHBOURHOOD: Final = 11
_LIMIT: Final = 2.5
_EVEN_OVER: Final = 24.0
_EVEN_STEP: Final = 4
_EVEN_FLOOR: Final = 0.05


class Pieces:
    """Sums of whitened frames that follow each other, never more than eight however long the clip is.

    A codec draws the mark better and better while a picture stands still, and the picture itself stays what it is:
    pieces of time can be weighed against each other where one sum could not.

    Attributes:
        sums: (height, width) float32 each, in order of time.
        frames: in each of them.
    """

    def __init__(self) -> None:
        self.sums: list[Floats] = []
        self.frames: list[int] = []

    def add(self, whitened: Floats, frames: int = 1) -> None:
        """Take the next piece; the shortest two neighbours become one where there are too many."""
        self.sums.append(whitened)
        self.frames.append(frames)
        if len(self.sums) > _MOST:
            together = [a + b for a, b in pairwise(self.frames)]
            first = together.index(min(together))
            # Not in place: pieces may be shared with another clip's.
            self.sums[first : first + 2] = [self.sums[first] + self.sums[first + 1]]
            self.frames[first : first + 2] = [together[first]]

    def total(self) -> Floats:
        """All pieces in one."""
        return np.asarray(np.sum(self.sums, 0), np.float32)


def whitened(luma: Bytes) -> Floats:
    """The picture's short waves with loud regions turned down, so that no edge drowns the mark: float32."""
    height, width = luma.shape
    band = np.asarray(cv2.blur(luma.astype(np.float32), (3, 3)), np.float32)
    band -= np.asarray(cv2.blur(cv2.blur(band, (_BAND, _BAND)), (_BAND, _BAND)), np.float32)
    # Loudness changes slowly: a quarter of the size tells it.
    power = cv2.resize(np.square(band), (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    around = np.asarray(cv2.blur(power, (_NEIGHBOURHOOD, _NEIGHBOURHOOD)), np.float32)
    # A running sum of floats can end a little below zero where the picture is flat.
    quiet = np.asarray(1 / (np.sqrt(np.maximum(around, 0.0)) + _FLOOR), np.float32)
    band *= _enlarged(quiet, width, height)
    np.clip(band, -_LIMIT, _LIMIT, out=band)
    # The mark grows with about the square root of the loudness, the picture with the loudness: weight 1.5.
    band *= _enlarged(np.sqrt(quiet), width, height)
    return band


def evened(total: Floats) -> Floats:
    """Weights of the places in a sum, (height, width) float32: less where much was left over.

    What moves or flickers averages out over the frames; what stands still adds up like the mark and stays in its
    way. Only the finished sum shows which is which.
    """
    height, width = total.shape
    small = (max(1, width // _EVEN_STEP), max(1, height // _EVEN_STEP))
    power = cv2.resize(np.square(total), small, interpolation=cv2.INTER_AREA)
    around = np.asarray(cv2.GaussianBlur(power, (0, 0), _EVEN_OVER / _EVEN_STEP), np.float32)
    around = np.maximum(around, _EVEN_FLOOR * float(np.median(around)) + 1e-12)
    return _enlarged(np.asarray(1 / np.sqrt(around), np.float32), width, height)


def _enlarged(coarse: Floats, width: int, height: int) -> Floats:
    """A slowly changing map at full size."""
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
