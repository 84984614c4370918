"""Takes for tests: a face-like picture with a mesh, in any number and pose."""

from __future__ import annotations

import cv2
import numpy as np

from livefake.training.footage.takes import EMBEDDING, SIZE, Take
from tests.album import oval_mesh


def a_take(
    number: int = 0, *, file: str = "clip.mp4", yaw: float = 0.0, pitch: float = 0.0, sharpness: float = 0.1
) -> Take:
    """A smooth random picture that JPEG keeps well, and an oval mesh in its middle."""
    coarse = np.random.default_rng(number).integers(0, 256, (24, 24, 3), np.uint8)
    picture = np.asarray(cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.uint8)
    embedding = np.random.default_rng(number).normal(size=EMBEDDING).astype(np.float32) * 0.01
    points = oval_mesh((SIZE / 2, SIZE / 2), SIZE / 1.5)
    return Take(picture, points, file, number / 30, yaw, pitch, sharpness, 0.01, embedding)
