"""Takes of a rendered person, made from a persona's picture: bent a little, so that no two are the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from livefake.faces.geometry import LEFT_EYE, RIGHT_EYE, square_crop
from livefake.frame import Bytes, Floats
from livefake.resources import models_folder
from livefake.swap.mesh import face_triangles
from livefake.swap.raster import Triangles
from livefake.training.footage.takes import MARGIN, SIZE, Take, write_takes

PERSONAS: Path = models_folder() / "personas"
PACK: Path = PERSONAS / "mara"


def triangles() -> Triangles:
    return face_triangles()


@cache
def _pack() -> tuple[Bytes, Floats]:
    picture = cv2.imread(str(PACK / "face.png"))
    assert picture is not None
    return np.asarray(picture, np.uint8), np.load(PACK / "landmarks.npy")


def a_take(seconds: float, *, seed: int = 0, file: str = "one.mp4") -> Take:
    """Mara, narrowed as a turned head is, leaning and in some light."""
    random = np.random.default_rng([seed, round(seconds * 100)])
    picture, points = _pack()
    eyes = (points[LEFT_EYE, :2].mean(0), points[RIGHT_EYE, :2].mean(0))
    bend = np.diag([random.uniform(0.8, 1.0), 1.0]) @ np.array([[1, random.uniform(-0.1, 0.1)], [0, 1]])
    matrix = square_crop(points, eyes, SIZE, MARGIN)
    middle = np.full(2, SIZE / 2)
    whole = np.column_stack([bend @ matrix[:, :2], bend @ (matrix[:, 2] - middle) + middle]).astype(np.float32)
    crop = cv2.warpAffine(picture, whole, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    lit = np.clip(crop * random.uniform(0.7, 1.1, 3), 0, 255).astype(np.uint8)
    moved: Floats = np.column_stack([points[:, :2] @ whole[:, :2].T + whole[:, 2], points[:, 2]]).astype(np.float32)
    embedding = random.normal(size=128).astype(np.float32)
    return Take(lit, moved, file, seconds, 0.0, 0.0, 1.0, 0.0, embedding)


def some_takes(folder: Path, count: int = 40, *, every: float = 0.5) -> Path:
    """Write takes of one file and return their folder."""
    write_takes(folder, [a_take(number * every) for number in range(count)])
    return folder
