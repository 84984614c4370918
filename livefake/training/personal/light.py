"""Another light on a face, as far as a picture allows: a soft slope of shade and colour, and what is in the shade.

A picture knows no geometry, so this is the first-order part of real lighting only: low frequencies, multiplied (the
spherical harmonics of Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps",
SIGGRAPH 2001, reduced to constant and linear terms over the picture plane).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from livefake.frame import Bytes

__all__ = ["Light", "sample_light", "shine"]

_AS_IT_IS: Final = 0.3
"""Share of scenes whose light stays what the footage shows."""


@dataclass(frozen=True, slots=True)
class Light:
    """A change of light.

    Attributes:
        slope: how much brighter, as a share, one edge of the picture is than the middle; 0..1.
        angle: towards which edge, radians, 0 is to the right and a quarter turn is down.
        tint: gains of blue, green and red at that edge; their inverse is at the other.
        level: gain of all of it.
    """

    slope: float
    angle: float
    tint: tuple[float, float, float]
    level: float


def sample_light(random: np.random.Generator) -> Light:
    """A light: often that of the footage, else from another side, warmer or cooler."""
    angle, slope = float(random.uniform(0, 2 * np.pi)), float(random.uniform(0, 0.45))
    blue, green, red = (float(gain) for gain in np.clip(1 + random.normal(size=3) * 0.04, 0.88, 1.12))
    level = float(np.clip(1 + random.normal() * 0.12, 0.65, 1.35))
    if random.random() < _AS_IT_IS:
        return Light(0.0, angle, (1.0, 1.0, 1.0), 1.0)
    return Light(slope, angle, (blue, green, red), level)


def shine(picture: Bytes, light: Light) -> Bytes:
    """The picture in that light.

    Args:
        picture: (H, W, 3) uint8 BGR.
        light: what changes.

    Returns:
        (H, W, 3) uint8 BGR, clipped.
    """
    height, width = picture.shape[:2]
    across = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(light.angle))
    down = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(np.sin(light.angle))
    place = (across[None] + down[:, None]) / np.sqrt(2)
    gains = [light.level * (1 + light.slope * place) * np.float32(tint) ** place for tint in light.tint]
    return np.asarray(cv2.multiply(picture, cv2.merge(gains), dtype=cv2.CV_8U), np.uint8)
