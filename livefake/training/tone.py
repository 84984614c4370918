"""The right answer's colours: the persona's features in the performer's skin tone and light.

On a live person whose neck and ears stay their own, a face in its own tone would be a mask. So the truth that
the network learns from, and is judged against, is the persona's picture with its colour statistics moved to the
performer's: mean and spread of each Lab channel (Reinhard, Ashikhmin, Gooch, Shirley, "Color Transfer between
Images", IEEE CG&A 21(5), 2001; CIE Lab in place of their l-alpha-beta). Eyes and teeth are no skin: they
stay as they are in that light and camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from livefake.frame import Bytes, Floats

__all__ = ["Tone", "measure_tone", "move_tone"]

_FEWEST: Final = 64
_GAIN: Final = (0.5, 2.0)
_FLOOR: Final = 1.0
"""Added to both spreads, levels: flat pictures are not stretched into noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Tone:
    """A map of each 8-bit Lab channel.

    Attributes:
        gain, offset: (3,) float32; ``level * gain + offset``.
    """

    gain: Floats
    offset: Floats


def measure_tone(source: Bytes, target: Bytes, weight: Bytes) -> Tone:
    """The tone that gives one picture the statistics of another.

    Args:
        source, target: (H, W, 3) uint8 BGR, the same places of two faces.
        weight: (H, W) uint8; pixels above 128 count.

    Returns:
        A tone with gains of 0.5 to 2; the one that changes nothing if fewer than 64 pixels count.
    """
    counts = (weight > 128).astype(np.uint8)
    if np.count_nonzero(counts) < _FEWEST:
        return Tone(np.ones(3, np.float32), np.zeros(3, np.float32))
    (mean_a, spread_a), (mean_b, spread_b) = (
        cv2.meanStdDev(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB), mask=counts) for picture in (source, target)
    )
    gain = np.clip((spread_b + _FLOOR) / (spread_a + _FLOOR), *_GAIN)
    return Tone(gain[:, 0].astype(np.float32), (mean_b - gain * mean_a)[:, 0].astype(np.float32))


def move_tone(picture: Bytes, tone: Tone, share: float = 1.0) -> Bytes:
    """Apply a tone.

    Args:
        picture: (H, W, 3) uint8 BGR.
        tone: as ``measure_tone`` returns.
        share: 0 leaves the picture as it is, 1 moves it all the way.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    gain, offset = 1 + share * (tone.gain - 1), share * tone.offset
    levels = np.arange(256, dtype=np.float32)[:, None] * gain + offset
    table = np.clip(levels + 0.5, 0, 255).astype(np.uint8).reshape(1, 256, 3)
    moved = cv2.LUT(cv2.cvtColor(picture, cv2.COLOR_BGR2LAB), table)
    return np.asarray(cv2.cvtColor(moved, cv2.COLOR_LAB2BGR), np.uint8)
