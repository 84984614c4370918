"""Takes for tests: a smooth picture with a mesh in any number and pose, and takes of a persona that livefake ships."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from livefake.frame import Bytes
from livefake.resources import models_folder
from livefake.swap.persona import load_persona, read_card
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


def persona_take(number: int = 0, *, light: Bytes | None = None) -> Take:
    """A picture of a shipped persona as if it were a frame of footage: another place, size and grain each time.

    Args:
        light: (1024, 1024, 3) uint8, what the picture is multiplied with, 255 leaves it as it is.
    """
    persona = load_persona(read_card(models_folder() / "personas" / "mara"))
    random = np.random.default_rng(number)
    picture = persona.picture if light is None else cv2.multiply(persona.picture, light, scale=1 / 255)
    scale = SIZE / 1024 * random.uniform(1.0, 1.1)
    shift = SIZE / 2 - scale * persona.points[:, :2].mean(0) + random.uniform(-4, 4, 2)
    matrix = np.column_stack([np.eye(2) * scale, shift]).astype(np.float32)
    seen = cv2.warpAffine(
        cv2.GaussianBlur(picture, (0, 0), 1.2),
        matrix,
        (SIZE, SIZE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    grain = random.normal(size=seen.shape) * 2
    points = persona.points * scale
    points[:, :2] += shift
    pixels = np.clip(seen + grain, 0, 255).astype(np.uint8)
    return replace(a_take(number), picture=pixels, points=points.astype(np.float32), sharpness=0.02)
