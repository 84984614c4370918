"""Whose skin tone the face has: the performer's, the persona's, or something between."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Frame, Patch
from livefake.swap.guide import lay_over

__all__ = ["SkinTone"]


class SkinTone:
    """Moves patches back towards the persona's own colours, after everything else has worked in the performer's.

    Args:
        share: 0 for the performer's tone, 1 for the persona's; may be moved between two frames.
    """

    name = "tone"
    vital = True

    def __init__(self, share: float = 0.0) -> None:
        self.share = share

    def __call__(self, frame: Frame) -> Frame:
        if self.share > 0:
            frame.patches = tuple(self._moved(patch) for patch in frame.patches)
        return frame

    def _moved(self, patch: Patch) -> Patch:
        if patch.tone is None:
            return patch
        back = _undone(patch.tone)
        way = np.eye(3, 4) + self.share * (back - np.eye(3, 4))
        own = cv2.transform(patch.pixels, way)
        # Skin alone: eyes, teeth and tongue are the performer's.
        return replace(patch, pixels=lay_over(patch.pixels, np.asarray(own, np.uint8), patch.skin))


def _undone(tone: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (3, 4) map that takes back another; gains are bounded where tones are measured, so there is one."""
    gain = np.linalg.inv(tone[:, :3])
    return np.column_stack([gain, -gain @ tone[:, 3]])
