"""Matching colours: the persona's features in the performer's skin tone and light."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.clock import Nanos, seconds
from livefake.frame import Bytes, Floats, Frame, Patch

__all__ = ["SHADING", "Match", "MatchColour", "colour_transfer", "measure_match"]

SHADING: Final = 0.6
"""How much of the live light (soft differences across the face) is taken over, 0..1."""
_SAMPLE: Final = 48
_CELLS: Final = 8
_HAIR: Final = 45.0
"""A difference of more levels than that is not light but something else: hair at the temple, a hand, glasses."""
_NOISE: Final = 1.0
"""Levels added to both spreads: keeps flat pictures from being stretched into noise."""
_LUMA_GAINS: Final = (0.5, 1.5)
_CHROMA_GAINS: Final = (0.3, 0.8)
_TO_YCC: Final = np.array([[0.114, 0.587, 0.299], [0.5, -0.331, -0.169], [-0.081, -0.419, 0.5]])
"""Blue, green, red to luma and the two colour differences (ITU-R BT.601, full range)."""
_FROM_YCC: Final = np.linalg.inv(_TO_YCC)
_YCC_OF_ROWS: Final = np.ascontiguousarray(_TO_YCC.T, np.float32)

Matrix = NDArray[np.float64]


def colour_transfer(source: Bytes, target: Bytes, weight: Bytes) -> Matrix:
    """The linear map that gives the skin of one picture the tone and contrast of another's.

    Mean and spread of luma and chroma are matched apart, as Reinhard et al. do in l-alpha-beta ("Color transfer
    between images", IEEE CG&A 21(5), 2001), with the spread of chroma never widened: neutral brows and highlights
    of dark skin would turn blue when that skin is moved to light, as they do with the full covariance.

    Args:
        source, target: (H, W, 3) uint8 BGR, the same pixels of two pictures.
        weight: (H, W) uint8; pixels above 128 count.

    Returns:
        (3, 4) float64 for ``cv2.transform``; the identity with a shift of zero if fewer than 32 pixels count.
    """
    counts = weight > 128
    if np.count_nonzero(counts) < 32:
        return np.eye(3, 4)
    a, b = (picture[counts].astype(np.float32) @ _YCC_OF_ROWS for picture in (source, target))
    mean_a, mean_b = a.mean(0, dtype=np.float64), b.mean(0, dtype=np.float64)
    ratio = (b.std(0, dtype=np.float64) + _NOISE) / (a.std(0, dtype=np.float64) + _NOISE)
    luma, chroma = np.clip(ratio[0], *_LUMA_GAINS), np.clip(ratio[1:].mean(), *_CHROMA_GAINS)
    gain = _FROM_YCC @ np.diag([luma, chroma, chroma]) @ _TO_YCC
    return np.column_stack([gain, _FROM_YCC @ mean_b - gain @ (_FROM_YCC @ mean_a)])


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What moves a patch into the colours and the light of a live face.

    Attributes:
        colours: (3, 4) float64, as ``colour_transfer`` returns.
        shade: (8, 8, 3) float32, levels to add after that, from the left top to the right bottom of the patch.
    """

    colours: Matrix
    shade: Floats

    def towards(self, newer: Match, share: float) -> Match:
        """A match between this one (share 0) and a newer one (share 1)."""
        return Match(
            self.colours + share * (newer.colours - self.colours),
            (self.shade + np.float32(share) * (newer.shade - self.shade)).astype(np.float32),
        )

    def apply(self, pixels: Bytes, shading: float = SHADING) -> Bytes:
        """Move a whole patch.

        Args:
            pixels: (H, W, 3) uint8 BGR.
            shading: how much of the live light is taken over, 0..1.

        Returns:
            (H, W, 3) uint8 BGR.
        """
        matched = cv2.transform(pixels, self.colours)
        offsets = np.clip(self.shade * shading + 128, 0, 255).astype(np.uint8)
        light = cv2.resize(offsets, (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_CUBIC)
        # The offsets travel as bytes around 128: one saturating pass adds them and takes the 128 off again.
        return np.asarray(cv2.addWeighted(matched, 1.0, light, 1.0, -128.0), np.uint8)


def measure_match(source: Bytes, target: Bytes, weight: Bytes) -> Match:
    """What gives a patch the colours and the light of the face behind it.

    Args:
        source, target: (H, W, 3) uint8 BGR, the same places of patch and live picture; some tens of pixels a side.
        weight: (H, W) uint8; pixels above 128 count.
    """
    colours = colour_transfer(source, target, weight)
    moved = np.asarray(cv2.transform(source, colours), np.uint8)
    return Match(colours, _shade(moved, target, weight))


class MatchColour:
    """Moves each patch into the colours of the face that it replaces.

    Args:
        settle: time constant of the smoothing, nanoseconds.
        shading: how much of the live light (soft differences across the face) is taken over, 0..1.
    """

    name = "colour"
    vital = True

    def __init__(self, *, settle: Nanos = 250_000_000, shading: float = SHADING) -> None:
        self._settle = seconds(settle)
        self._shading = shading
        self._memory: dict[int, tuple[Nanos, Match]] = {}

    def forget(self) -> None:
        """Start afresh: another persona is worn from the next frame on."""
        self._memory.clear()

    def __call__(self, frame: Frame) -> Frame:
        frame.patches = tuple(self._match(frame, patch) for patch in frame.patches)
        # Faces come and go; tracks that are not in the picture are not remembered for ever.
        present = {patch.face.track for patch in frame.patches}
        self._memory = {track: memory for track, memory in self._memory.items() if track in present}
        return frame

    def _match(self, frame: Frame, patch: Patch) -> Patch:
        # Samples, not means: statistics do not mind, and averaging a whole region costs more than all the rest.
        source = np.asarray(cv2.resize(patch.pixels, (_SAMPLE, _SAMPLE), interpolation=cv2.INTER_LINEAR), np.uint8)
        weight = np.asarray(cv2.resize(patch.mask, (_SAMPLE, _SAMPLE), interpolation=cv2.INTER_LINEAR), np.uint8)
        found = measure_match(source, _look(frame, patch), weight)
        match = self._settled(patch.face.track, frame.instant, found)
        return replace(patch, pixels=match.apply(patch.pixels, self._shading), tone=match.colours)

    def _settled(self, track: int, at: Nanos, found: Match) -> Match:
        """Smoothed over time, because exposure flickers and skin does not."""
        then, old = self._memory.get(track, (at, found))
        share = 1 - math.exp(-seconds(at - then) / self._settle) if at > then else 1.0
        match = old.towards(found, share)
        self._memory[track] = (at, match)
        return match


def _look(frame: Frame, patch: Patch) -> Bytes:
    """The live picture behind a patch, as small as the samples."""
    scale_x, scale_y = _SAMPLE / patch.box.width, _SAMPLE / patch.box.height
    matrix = np.array(
        [
            [scale_x, 0, scale_x * (0.5 - patch.box.left) - 0.5],
            [0, scale_y, scale_y * (0.5 - patch.box.top) - 0.5],
        ],
        np.float32,
    )
    return frame.crop(matrix, (_SAMPLE, _SAMPLE))


def _shade(source: Bytes, target: Bytes, weight: Bytes) -> Floats:
    """The soft difference of light between two pictures, averaged where both show the face.

    Returns:
        (8, 8, 3) float32, levels to add to ``source``.
    """
    difference = target.astype(np.float32) - source.astype(np.float32)
    strange = np.abs(difference.mean(2)) > _HAIR
    share = np.where(strange, np.float32(0), weight.astype(np.float32) / 255)[..., None]
    difference *= share
    cells = cv2.blur(cv2.resize(difference, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), (3, 3))
    shares = cv2.blur(cv2.resize(share, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), (3, 3))
    # The constant pulls cells that hardly see the face to zero instead of to noise.
    return np.asarray(cells / (shares[..., None] + 0.15), np.float32)
