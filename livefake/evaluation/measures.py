"""Measures of one swapped picture against the truth, the live picture and itself a moment ago. Pure arithmetic.

None of them is what the network is trained with: SSIM has Gaussian windows on luma here and square ones on colours in
training; sharpness is a band of fine detail here and gradients in training; identity is dlib's here and a small
network's of our own in training.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from livefake.faces.geometry import INNER_MOUTH, LEFT_EYE, RIGHT_EYE
from livefake.frame import Bytes, Floats

__all__ = [
    "Shape",
    "detail_ratio",
    "gradient_distance",
    "gradient_ratio",
    "mean_error",
    "normalised_error",
    "openings",
    "seam",
    "structural_similarity",
    "unrest",
]

Shape = tuple[float, float, float]
_TINY: Final = 1e-6
_FINE, _COARSE = 0.7, 1.4
"""Standard deviations, pixels, of the two blurs whose difference is fine detail."""


def _luma(picture: Bytes) -> Floats:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.float32)


def _share(weight: Bytes) -> Floats:
    return np.asarray(weight.astype(np.float32) / 255, np.float32)


def mean_error(made: Bytes, truth: Bytes, weight: Bytes) -> float:
    """Weighted mean absolute difference, levels of 255.

    Args:
        made, truth: (H, W, 3) uint8 BGR.
        weight: (H, W) uint8.
    """
    share = _share(weight)
    difference = cv2.absdiff(made, truth).mean(2)
    return float((difference * share).sum() / (share.sum() + _TINY))


def structural_similarity(made: Bytes, truth: Bytes, weight: Bytes) -> float:
    """SSIM of luma, Gaussian windows of sigma 1.5 (Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004); at most 1.

    Args:
        made, truth: (H, W, 3) uint8 BGR.
        weight: (H, W) uint8.
    """

    def smooth(plane: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(plane, (11, 11), 1.5), np.float32)

    a, b = _luma(made), _luma(truth)
    mean_a, mean_b = smooth(a), smooth(b)
    var_a, var_b, both = smooth(a * a) - mean_a**2, smooth(b * b) - mean_b**2, smooth(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    quality = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    share = _share(weight)
    return float((quality * share).sum() / (share.sum() + _TINY))


def gradient_distance(made: Bytes, truth: Bytes, weight: Bytes) -> float:
    """Gradient magnitude similarity deviation, a perceptual distance; 0 is the same picture.

    Xue, Zhang, Mou, Bovik, "Gradient Magnitude Similarity Deviation", IEEE TIP 23(2), 2014.

    Args:
        made, truth: (H, W, 3) uint8 BGR.
        weight: (H, W) uint8; pixels above 128 count.
    """
    strengths: list[Floats] = []
    for picture in (made, truth):
        half = cv2.resize(_luma(picture), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        # Prewitt's operator, as in the paper.
        ramp = np.array([[1, 0, -1]] * 3, np.float32) / 3
        strengths.append(np.hypot(cv2.filter2D(half, -1, ramp), cv2.filter2D(half, -1, ramp.T)))
    a, b = strengths
    similarity = (2 * a * b + 170) / (a * a + b * b + 170)
    counts = cv2.resize(weight, (a.shape[1], a.shape[0]), interpolation=cv2.INTER_AREA) > 128
    return float(similarity[counts].std()) if counts.any() else 0.0


def detail_ratio(made: Bytes, truth: Bytes, weight: Bytes) -> float:
    """How much fine detail there is, as a share of the truth's: 1 is as sharp, less is softer.

    The root mean square of a difference of Gaussians of luma: what a pixel or two hold.

    Args:
        made, truth: (H, W, 3) uint8 BGR.
        weight: (H, W) uint8.
    """
    share = _share(weight)

    def detail(picture: Bytes) -> float:
        luma = _luma(picture)
        band = cv2.GaussianBlur(luma, (0, 0), _FINE) - cv2.GaussianBlur(luma, (0, 0), _COARSE)
        return float(np.sqrt((band**2 * share).sum() / (share.sum() + _TINY)))

    return detail(made) / (detail(truth) + _TINY)


def gradient_ratio(made: Bytes, truth: Bytes, weight: Bytes) -> float:
    """The mean strength of all edges, as a share of the truth's.

    Args:
        made, truth: (H, W, 3) uint8 BGR.
        weight: (H, W) uint8.
    """
    share = _share(weight)[:-1, :-1]

    def strength(picture: Bytes) -> float:
        levels = picture.astype(np.float32)
        right = np.abs(levels[:-1, 1:] - levels[:-1, :-1]).sum(2)
        down = np.abs(levels[1:, :-1] - levels[:-1, :-1]).sum(2)
        return float(((right + down) * share).sum())

    return strength(made) / (strength(truth) + _TINY)


def seam(shown: Bytes, live: Bytes, mask: Bytes) -> float:
    """How much harder the edges are where the swap ends than those of the live picture there, levels; 0 is unseen.

    Args:
        shown: (H, W, 3) uint8 BGR, the finished picture.
        live: (H, W, 3) uint8 BGR.
        mask: (H, W) uint8, as it was blended.
    """
    edge = ((mask > 12) & (mask < 243)).astype(np.uint8)
    if not edge.any():
        return 0.0
    ring = cv2.dilate(edge, np.ones((3, 3), np.uint8)) > 0
    edges = [np.abs(cv2.Laplacian(_luma(picture), cv2.CV_32F))[ring].mean() for picture in (shown, live)]
    return max(0.0, float(edges[0] - edges[1]))


def unrest(made: Bytes, before: Bytes, truth: Bytes, truth_before: Bytes, weight: Bytes) -> float:
    """Flicker: what changes from one moment to the next beside the truth's own change, levels.

    Args:
        made, before: (H, W, 3) uint8 BGR, this moment and the one before it.
        truth, truth_before: the same of the truth.
        weight: (H, W) uint8.
    """
    change = made.astype(np.float32) - before
    right = truth.astype(np.float32) - truth_before
    share = _share(weight)
    return float((np.abs(change - right).mean(2) * share).sum() / (share.sum() + _TINY))


def openings(points: Floats) -> Shape:
    """Opening of the left eye, the right eye and the mouth, each as a share of its width.

    Args:
        points: (468, 2 or 3) float32, mesh landmarks.
    """

    def ratio(ring: Floats, corner: int) -> float:
        along = ring[corner] - ring[0]
        width = float(np.linalg.norm(along)) + _TINY
        across = np.array([-along[1], along[0]]) / width
        return float(np.ptp(ring @ across) / width)

    plane = points[:, :2]
    # The first and the ninth point of an eye's ring are its corners; of the mouth's twenty, the first and the eleventh.
    left, right = ratio(plane[LEFT_EYE], 8), ratio(plane[RIGHT_EYE], 8)
    return left, right, ratio(plane[INNER_MOUTH], 10)


def normalised_error(found: Floats, wanted: Floats) -> float:
    """Mean distance of landmarks as a share of the distance between the outer eye corners (NME).

    Args:
        found, wanted: (468, 2 or 3) float32, mesh landmarks of the same picture.
    """
    scale = float(np.linalg.norm(wanted[263, :2] - wanted[33, :2])) + _TINY
    return float(np.linalg.norm(found[:, :2] - wanted[:, :2], axis=1).mean()) / scale
