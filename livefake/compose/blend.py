"""Putting replacements back into a frame."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from livefake.faces.geometry import OUTLINE
from livefake.frame import Drop, Frame, Patch
from livefake.overlay import lay

__all__ = ["Blend"]

_LEAST_COVER: Final = 0.45


class Blend:
    """Pastes the patches, the farthest face first, and makes sure that the performer is really covered."""

    name = "blend"
    vital = True

    def __call__(self, frame: Frame) -> Frame:
        """Empty ``frame.patches`` into the picture.

        Raises:
            Drop: the replacement covers too little of the performer's face.
        """
        for patch in frame.patches:
            if patch.face.performer and _cover(patch) < _LEAST_COVER:
                raise Drop("face hidden")
        for patch in sorted(frame.patches, key=lambda patch: patch.face.box.area):
            lay(frame, patch.picture, patch.mask, patch.box)
        frame.patches = ()
        frame.done.add(self.name)
        return frame


def _cover(patch: Patch) -> float:
    """How much of the face inside the picture the mask replaces, 0..1."""
    outline = patch.face.points[OUTLINE, :2] - np.array([patch.box.left, patch.box.top], np.float32)
    # A quarter of the size is plenty for a share; whole numbers from here on.
    size = (max(1, patch.box.width // 4), max(1, patch.box.height // 4))
    inside = cv2.fillPoly(np.zeros(size[::-1], np.uint8), [np.round(outline / 4).astype(np.int32)], 255)
    total = cv2.countNonZero(inside)
    mask = cv2.resize(patch.mask, size, interpolation=cv2.INTER_NEAREST)
    return float(cv2.mean(mask, inside)[0]) / 255 if total else 0.0
