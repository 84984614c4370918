"""Beards and stubble painted onto performers, whose heads the kit draws clean-shaven.

A network that has never met a beard takes it for something in front of the face, and would let the performer's own
chin show. So some performers get one while the answer stays the same: persona, not beard.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from livefake.frame import Bytes, Floats

__all__ = ["grow_beard"]

_JAW: Final = slice(2, 15)
_LIPS: Final = slice(48, 60)
_UNDER_NOSE: Final = (33,)
_SHAPES: Final = ("full", "chin", "moustache")


def grow_beard(live: Bytes, landmarks: Floats, random: np.random.Generator) -> Bytes:
    """A performer with a beard, stubble or a moustache.

    Args:
        live: (S, S, 3) uint8 BGR.
        landmarks: (68, 2) float32, true landmarks, pixels.
        random: source of shape, density and colour.

    Returns:
        (S, S, 3) uint8 BGR.
    """
    size = live.shape[0]
    shape = _SHAPES[int(random.integers(len(_SHAPES)))]
    jaw, lips, nose = landmarks[_JAW], landmarks[_LIPS], landmarks[list(_UNDER_NOSE)]
    if shape == "full":
        # Along the jaw, and back below the cheekbones to the foot of the nose.
        middle = lips.mean(0)
        inner = jaw[::-1] + (middle - jaw[::-1]) * random.uniform(0.35, 0.6)
        outline = np.vstack([jaw, inner[:5], nose, inner[-5:]])
    elif shape == "chin":
        outline = np.vstack([jaw[4:9], lips[[0, 11, 10, 9, 8, 7, 6]][::-1]])
    else:
        outline = np.vstack([lips[:7], nose])
    area = np.zeros((size, size), np.uint8)
    cv2.fillPoly(area, [np.round(outline * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    cv2.fillPoly(area, [np.round(lips * 8).astype(np.int32)], 0, cv2.LINE_AA, 3)
    soft = cv2.GaussianBlur(area.astype(np.float32) / 255, (0, 0), size * random.uniform(0.008, 0.025))
    # Strands: noise that is longer than it is wide.
    noise = random.normal(size=(size, size)).astype(np.float32)
    strands = cv2.GaussianBlur(noise, (0, 0), sigmaX=size / 420, sigmaY=size / random.uniform(90, 250))
    strands = np.clip(0.5 + 0.35 * strands / (strands.std() + 1e-6), 0, 1)
    density = random.uniform(0.25, 1.0)
    alpha = (soft * density * (0.35 + 0.65 * strands))[..., None]
    grey = random.uniform(0.05, 0.45)
    colour = np.array([grey * 0.7, grey * 0.85, grey]) * 255 * random.uniform(0.6, 1.0)
    light = live.astype(np.float32).mean(2, keepdims=True) / 255
    hair = colour * (0.4 + 0.8 * light)
    return np.asarray(np.clip(live + alpha * (hair - live) + 0.5, 0, 255), np.uint8)
