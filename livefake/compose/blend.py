"""Putting replacements back into a frame."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from livefake.compose.kernel import blend_plane
from livefake.faces.geometry import OUTLINE
from livefake.frame import Box, Bytes, Drop, Frame, Patch

__all__ = ["Blend", "paste"]

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
            paste(frame, patch.box, patch.pixels, patch.mask)
        frame.patches = ()
        frame.done.add(self.name)
        return frame


def paste(frame: Frame, box: Box, pixels: Bytes, mask: Bytes) -> None:
    """Blend a BGR picture into a region of a frame.

    Args:
        frame: changed in place.
        box: even edges, inside the frame.
        pixels: (box.height, box.width, 3) uint8 BGR.
        mask: (box.height, box.width) uint8, 255 where the pixels replace the frame.
    """
    converted = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2YUV_I420), np.uint8)
    patch = Frame(converted, frame.pts, frame.arrived)
    blend_plane(frame.y[box.top : box.bottom, box.left : box.right], patch.y, mask)
    half = np.asarray(cv2.resize(mask, (box.width // 2, box.height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    rows, columns = slice(box.top // 2, box.bottom // 2), slice(box.left // 2, box.right // 2)
    blend_plane(frame.u[rows, columns], patch.u, half)
    blend_plane(frame.v[rows, columns], patch.v, half)


def _cover(patch: Patch) -> float:
    """How much of the face inside the picture the mask replaces, 0..1."""
    outline = patch.face.points[OUTLINE, :2] - np.array([patch.box.left, patch.box.top], np.float32)
    # A quarter of the size is plenty for a share; whole numbers from here on.
    size = (max(1, patch.box.width // 4), max(1, patch.box.height // 4))
    inside = cv2.fillPoly(np.zeros(size[::-1], np.uint8), [np.round(outline / 4).astype(np.int32)], 255)
    total = cv2.countNonZero(inside)
    mask = cv2.resize(patch.mask, size, interpolation=cv2.INTER_NEAREST)
    return float(cv2.mean(mask, inside)[0]) / 255 if total else 0.0
