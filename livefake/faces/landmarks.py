"""468 landmarks of one face: MediaPipe's face mesh in a crop around the face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from livefake.engine.base import Engine
from livefake.faces.geometry import POINTS, Point, eye_middles, inverse, square_crop, transform
from livefake.frame import Box, Floats, Frame

__all__ = ["SIDE", "LandmarkNet", "Landmarks", "crop_for_box", "crop_for_points"]

SIDE: Final = 192
"""Side of the crop, pixels."""
_MESH: Final = "conv2d_20"
_PRESENCE: Final = "conv2d_30"


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """What the network says about one crop.

    Attributes:
        points: (468, 3) float32, frame pixels; z in the same unit, small = near.
        presence: 0..1, confidence that there is a face in the crop.
    """

    points: Floats
    presence: float


class LandmarkNet:
    """Reads the mesh from a crop.

    Args:
        engine: the ``face-mesh`` weights.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._input = np.empty((1, SIDE, SIDE, 3), np.float32)

    def __call__(self, frame: Frame, matrix: Floats) -> Landmarks:
        """Landmarks of the face in a crop.

        Args:
            frame: the picture.
            matrix: (2, 3), frame pixels to the pixels of a 192 x 192 crop, as ``square_crop`` makes it.

        Raises:
            EngineError: the network failed.
        """
        crop = frame.crop(matrix, (SIDE, SIDE)).rgb()
        np.multiply(crop, np.float32(1 / 255), out=self._input[0], casting="unsafe")
        results = self._engine.run({"input_1": self._input})
        points = results[_MESH].reshape(POINTS, 3)
        presence = 1 / (1 + float(np.exp(-results[_PRESENCE].item())))
        return Landmarks(transform(points, inverse(matrix)), presence)


def crop_for_box(box: Box, eyes: tuple[Point, Point]) -> Floats:
    """The crop in which to look for a face that was only detected: its box, and left and right eye."""
    corners = np.array([[box.left, box.top], [box.right, box.bottom]], np.float32)
    return square_crop(corners, eyes, SIDE)


def crop_for_points(points: Floats) -> Floats:
    """The crop in which to look for a face whose mesh was at (468, 3) ``points`` a frame ago."""
    return square_crop(points, eye_middles(points), SIDE)
