"""Glare painted onto performers: the hard light of a lamp or a window, which the renderer's soft lights never give.

A network that has never met it takes a burnt-out nose or cheek for something in front of the face, and would let the
performer's own show. So some performers get it while the answer stays the same: persona, not glare.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from livefake.frame import Bytes, Floats

__all__ = ["cast_glare"]

_PLACES: Final = ((30, 33), (28, 30), (31, 48), (35, 54), (2, 31), (14, 35), (19, 27), (24, 27), (8, 57))
"""Pairs of landmarks; glare lies somewhere between the two: nose, cheeks, brow, chin."""
_MOST: Final = 3


def cast_glare(live: Bytes, landmarks: Floats, random: np.random.Generator) -> Bytes:
    """A performer with one to three patches of glare, with edges from soft to hard.

    Args:
        live: (S, S, 3) uint8 BGR.
        landmarks: (68, 2) float32, true landmarks, pixels.
        random: source of places, shapes, strength and colour.

    Returns:
        (S, S, 3) uint8 BGR; nowhere darker than ``live``.
    """
    size = live.shape[0]
    span = float(np.ptp(landmarks[:, 0]))
    field = np.zeros((size, size), np.float32)
    for _ in range(int(random.integers(1, _MOST + 1))):
        first, second = _PLACES[int(random.integers(len(_PLACES)))]
        centre = landmarks[first] + (landmarks[second] - landmarks[first]) * random.uniform()
        patch = np.zeros((size, size), np.uint8)
        axes = span * random.uniform(0.03, 0.16, 2)
        place, spread = np.round(centre * 8).astype(int).tolist(), np.round(axes * 8).astype(int).tolist()
        cv2.ellipse(patch, place, spread, random.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA, 3)
        blur = max(float(axes.min()) * random.uniform(0.15, 0.9), 0.5)
        soft = cv2.GaussianBlur(patch.astype(np.float32) / 255, (0, 0), blur)
        field = np.maximum(field, soft * random.uniform(0.25, 1.0))
    # Light multiplies what skin sends back, and a shine adds the lamp's own colour.
    lamp = np.array([random.uniform(0.75, 1.05), random.uniform(0.9, 1.0), 1.0], np.float32) * 255
    gain, shine = random.uniform(0.0, 0.9), random.uniform(0.1, 0.7)
    lit = live * (1 + gain * field[..., None])
    lit += shine * field[..., None] * np.maximum(lamp - lit, 0)
    return np.asarray(np.maximum(np.clip(lit + 0.5, 0, 255), live), np.uint8)
