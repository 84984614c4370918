"""In which size and rotation a mark may lie: a tiled pattern is like itself one tile further on."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Floats
from livefake.trust.watermark.carrier import TILE
from livefake.trust.watermark.tiles import Pose

__all__ = ["poses"]

_SCALES: Final = (0.46, 2.25)
_SCALE_STEP: Final = 0.002
_ROTATION: Final = 3.0
_ROTATION_STEP: Final = 0.1
_PLANE: Final = 2048
_LEAST_OVERLAP: Final = 0.12
_PROPOSALS: Final = 12
_PER_ROTATION: Final = 3
_APART: Final = (0.004, 0.25)


def poses(picture: Floats) -> list[Pose]:
    """Likely poses of a tiled pattern in a whitened picture, best guess first.

    Scales reach from 0.46 to 2.25, rotations to 3 degrees either way.
    """
    likeness, valid = _autocorrelation(picture)
    return [Pose(scale, rotation) for scale, rotation in _peaks(likeness, valid)]


def _autocorrelation(picture: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Self-likeness by displacement, in standard deviations, and where enough of the picture overlaps to tell.

    Both are (2048, 2048) with displacement (0, 0) in the middle. A picture's own likeness fades slowly with
    distance and is taken out; the peaks of a tiled pattern are narrow and stay.
    """
    picture = picture[:_PLANE, :_PLANE]
    height, width = picture.shape
    spectrum = np.fft.rfft2(picture, (_PLANE, _PLANE))
    likeness = np.fft.fftshift(np.fft.irfft2(spectrum.real**2 + spectrum.imag**2, (_PLANE, _PLANE)))
    distance = np.abs(np.arange(_PLANE) - _PLANE // 2)
    overlap = np.outer(np.maximum(height - distance, 0), np.maximum(width - distance, 0))
    valid = overlap > _LEAST_OVERLAP * height * width
    fair = np.where(valid, likeness / np.sqrt(np.maximum(overlap, 1)), 0.0).astype(np.float32)
    fair -= cv2.GaussianBlur(fair, (0, 0), 6)
    fair /= fair[valid].std() + 1e-9
    return np.clip(fair, -4, 8), valid


def _peaks(likeness: Floats, valid: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """The scales and rotations whose lattice of tile displacements is most like itself, best first."""
    lattice = np.array([(down, right) for down in range(4) for right in range(-5, 6) if down > 0 or right > 0])
    scales = np.exp(np.arange(np.log(_SCALES[0]), np.log(_SCALES[1]), _SCALE_STEP))
    found: list[tuple[float, float, float]] = []
    for rotation in np.arange(-_ROTATION, _ROTATION + _ROTATION_STEP / 2, _ROTATION_STEP):
        cosine, sine = np.cos(np.deg2rad(rotation)), np.sin(np.deg2rad(rotation))
        right = TILE * (cosine * lattice[:, 1] - sine * lattice[:, 0])
        down = TILE * (sine * lattice[:, 1] + cosine * lattice[:, 0])
        columns = np.rint(np.outer(scales, right)).astype(np.int64) + _PLANE // 2
        rows = np.rint(np.outer(scales, down)).astype(np.int64) + _PLANE // 2
        inside = (columns >= 0) & (columns < _PLANE) & (rows >= 0) & (rows < _PLANE)
        columns, rows = np.where(inside, columns, 0), np.where(inside, rows, 0)
        inside &= valid[rows, columns]
        count = inside.sum(1)
        total = np.where(inside, likeness[rows, columns], 0.0).sum(1)
        scores = np.where(count >= 2, total / np.sqrt(np.maximum(count, 1)), -np.inf)
        found += [(float(scores[i]), float(scales[i]), float(rotation)) for i in np.argsort(-scores)[:_PER_ROTATION]]
    chosen: list[tuple[float, float]] = []
    for _, scale, rotation in sorted(found, reverse=True):
        if all(abs(np.log(scale / s)) > _APART[0] or abs(rotation - r) > _APART[1] for s, r in chosen):
            chosen.append((scale, rotation))
            if len(chosen) == _PROPOSALS:
                break
    return chosen
