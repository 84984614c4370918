"""How far each eye is open: MediaPipe's iris network in a crop around the eye.

The face mesh alone cannot tell: its lids hardly move when the eyes close.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from livefake.engine.base import Engine
from livefake.frame import Floats, Frame

__all__ = ["EyeNet"]

_SIDE: Final = 64
_LIDS: Final = "output_eyes_contours_and_brows"
# A crop is this many times as wide as the eye: the geometry the network was trained with.
_ZOOM: Final = 2.3
# Mesh points: outer and inner corner. The network knows one eye; the other is mirrored for it.
_CORNERS: Final = ((33, 133, False), (263, 362, True))
# The network's points: both corners, and lower and upper lid from one corner to the other.
_OUTER, _INNER = 0, 8
_LOWER: Final = (3, 4, 5)
_UPPER: Final = (11, 12, 13)


class EyeNet:
    """Measures the gap between the lids. One thread only.

    Args:
        engine: the ``eyes`` weights.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._input = np.empty((1, _SIDE, _SIDE, 3), np.float32)

    def __call__(self, frame: Frame, points: Floats) -> tuple[float, float]:
        """How far the eyes are open, the left one in the picture first.

        Args:
            frame: the picture.
            points: (468, 2 or 3) mesh landmarks of the face, frame pixels.

        Returns:
            The gap between the lids as a share of the eye's width: about 0.3 for an open eye, under 0.2 for a closed
            one (rendered heads).

        Raises:
            EngineError: the network failed.
            ValueError: the corners of an eye coincide or are not finite.
        """
        left, right = (self._gap(frame, points[outer, :2], points[inner, :2], flip) for outer, inner, flip in _CORNERS)
        return left, right

    def _gap(self, frame: Frame, outer: Floats, inner: Floats, flip: bool) -> float:
        crop = frame.crop(_eye_crop(outer, inner, flip), (_SIDE, _SIDE)).rgb()
        np.multiply(crop, np.float32(1 / 255), out=self._input[0], casting="unsafe")
        outline = self._engine.run({"input_1": self._input})[_LIDS].reshape(-1, 3)[:, :2]
        width = float(np.linalg.norm(outline[_OUTER] - outline[_INNER]))
        gaps = np.linalg.norm(outline[list(_UPPER)] - outline[list(_LOWER)], axis=1)
        return float(gaps.mean()) / max(width, 1.0)


def _eye_crop(outer: Floats, inner: Floats, flip: bool) -> Floats:
    """(2, 3) float32, frame pixels to an upright crop with the outer corner on the left."""
    along = (outer - inner if flip else inner - outer).astype(np.float64)
    width = float(np.hypot(*along))
    if not 0 < width < np.inf:
        raise ValueError("an eye needs two corners apart from each other")
    cosine, sine = along / width * _SIDE / (_ZOOM * width)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    if flip:
        turn[0] *= -1
    shift = (_SIDE - 1) / 2 - turn @ ((outer + inner) / 2)
    return np.column_stack([turn, shift]).astype(np.float32)
