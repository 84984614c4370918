"""Whose face is in a picture: the distance of dlib's public-domain network.

Two pictures of one person are usually less than 0.6 apart.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import dlib
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes

__all__ = ["descriptor", "distance"]


@cache
def _networks() -> tuple[dlib.fhog_object_detector, dlib.shape_predictor, dlib.face_recognition_model_v1]:
    # The package is found but never imported: its code needs a module that Python no longer has.
    found = importlib.util.find_spec("face_recognition_models")
    assert found is not None
    assert found.submodule_search_locations is not None
    folder = Path(next(iter(found.submodule_search_locations))) / "models"
    return (
        dlib.get_frontal_face_detector(),
        dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat")),
        dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat")),
    )


def descriptor(picture: Bytes) -> NDArray[np.float64] | None:
    """128 numbers for the largest face of a (H, W, 3) BGR picture; None where dlib sees no face."""
    detector, shape, network = _networks()
    rgb = np.ascontiguousarray(picture[..., ::-1])
    boxes = detector(rgb, 0)
    if not boxes:
        return None
    largest = max(boxes, key=lambda box: box.area())
    return np.array(network.compute_face_descriptor(rgb, shape(rgb, largest)))


def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Euclidean distance of two descriptors."""
    return float(np.linalg.norm(a - b))
