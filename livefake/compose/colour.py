"""Matching colours: the persona's features in the performer's skin tone and light.

All of it works on luma and the two colour differences apart, as they lie in the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from livefake.clock import Nanos, seconds
from livefake.frame import Bytes, Floats, Frame, Levels, Patch, Planes

__all__ = ["SHADING", "Match", "MatchColour", "Sample", "colour_transfer", "measure_match"]

SHADING: Final = 0.6
"""How much of the live light (soft differences across the face) is taken over, 0..1."""
_SAMPLE: Final = 48
_CELLS: Final = 8
_FINE: Final = 32
"""Cells a side at which the light is smooth."""
_FEWEST: Final = 32
"""Fewer samples than that tell nothing."""
_HAIR: Final = 39.0
"""A difference of more levels of luma is not light but something else: hair at the temple, a hand, glasses."""
_NOISE: Final = 0.87
"""Levels added to both spreads: keeps flat pictures from being stretched into noise."""
_LUMA_GAINS: Final = (0.5, 1.5)
_CHROMA_GAINS: Final = (0.3, 0.8)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A region of a picture at a few tens of pixels a side, chroma as fine as luma.

    Attributes:
        y, u, v: (S, S) uint8.
    """

    y: Bytes
    u: Bytes
    v: Bytes

    @classmethod
    def of(cls, y: Bytes, u: Bytes, v: Bytes, side: int = _SAMPLE) -> Sample:
        """Pixels picked from three planes of a region, not means: statistics do not mind, and means cost more."""
        return cls(*(_picked(plane, side) for plane in (y, u, v)))


def _picked(plane: Bytes, side: int) -> Bytes:
    return np.asarray(cv2.resize(plane, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def colour_transfer(source: Sample, target: Sample, weight: Bytes) -> Levels:
    """What gives the skin of one picture the tone and contrast of another's.

    Mean and spread of luma and chroma are matched apart, as Reinhard et al. do in l-alpha-beta ("Color transfer
    between images", IEEE CG&A 21(5), 2001), with the spread of chroma never widened: neutral brows and highlights
    of dark skin would turn blue when that skin is moved to light, as they do with the full covariance.

    Args:
        source, target: the same places of two pictures.
        weight: (S, S) uint8; pixels above 128 count.

    Returns:
        The change; none at all if fewer than 32 pixels count.
    """
    counts = (weight > 128).astype(np.uint8)
    if cv2.countNonZero(counts) < _FEWEST:
        return Levels()
    means_a, spreads_a = _statistics(source, counts)
    means_b, spreads_b = _statistics(target, counts)
    ratios = [(b + _NOISE) / (a + _NOISE) for a, b in zip(spreads_a, spreads_b, strict=True)]
    luma = min(max(ratios[0], _LUMA_GAINS[0]), _LUMA_GAINS[1])
    chroma = min(max((ratios[1] + ratios[2]) / 2, _CHROMA_GAINS[0]), _CHROMA_GAINS[1])
    gains = (luma, chroma, chroma)
    y, u, v = (b - gain * a for a, b, gain in zip(means_a, means_b, gains, strict=True))
    return Levels(gains, (y, u, v))


def _statistics(sample: Sample, counts: Bytes) -> tuple[list[float], list[float]]:
    means, spreads = cv2.meanStdDev(cv2.merge([sample.y, sample.u, sample.v]), mask=counts)
    return means[:, 0].tolist(), spreads[:, 0].tolist()


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """What moves a patch into the colours and the light of a live face.

    Attributes:
        colours: as ``colour_transfer`` returns.
        shade: (8, 8, 3) float32, levels of Y, U and V to add after that, from the left top to the right bottom of
            the patch.
    """

    colours: Levels
    shade: Floats

    def towards(self, newer: Match, share: float) -> Match:
        """A match between this one (share 0) and a newer one (share 1)."""
        return Match(
            self.colours.towards(newer.colours, share),
            (self.shade + np.float32(share) * (newer.shade - self.shade)).astype(np.float32),
        )

    def apply(self, picture: Planes, shading: float = SHADING) -> Planes:
        """Move a whole patch.

        Args:
            picture: its planes.
            shading: how much of the live light is taken over, 0..1.
        """
        matched = Planes.empty(picture.width, picture.height)
        # The light travels as bytes around 128: one saturating pass adds it and takes the 128 off again. Smooth at a
        # few cells more; from there on straight lines cannot be told from it, at a tenth of the work.
        cells = np.clip(self.shade * shading + 128.5, 0, 255).astype(np.uint8)
        lights = cv2.split(cv2.resize(cells, (_FINE, _FINE), interpolation=cv2.INTER_CUBIC))
        planes = (picture.y, picture.u, picture.v), (matched.y, matched.u, matched.v)
        for plane, target, light, gain, offset in zip(
            *planes, lights, self.colours.gains, self.colours.offsets, strict=True
        ):
            spread = cv2.resize(light, (plane.shape[1], plane.shape[0]), interpolation=cv2.INTER_LINEAR)
            cv2.addWeighted(plane, gain, spread, 1.0, offset - 128.0, dst=target)
        return matched


def measure_match(source: Sample, target: Sample, weight: Bytes) -> Match:
    """What gives a patch the colours and the light of the face behind it.

    Args:
        source, target: the same places of patch and live picture.
        weight: (S, S) uint8; pixels above 128 count.
    """
    colours = colour_transfer(source, target, weight)
    return Match(colours, _shade(source, colours, target, weight))


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
        picture = patch.picture
        source = Sample.of(picture.y, picture.u, picture.v)
        found = measure_match(source, Sample.of(*frame.windows(patch.box)), _picked(patch.mask, _SAMPLE))
        match = self._settled(patch.face.track, frame.instant, found)
        return replace(patch, picture=match.apply(picture, self._shading), tone=match.colours)

    def _settled(self, track: int, at: Nanos, found: Match) -> Match:
        """Smoothed over time, because exposure flickers and skin does not."""
        then, old = self._memory.get(track, (at, found))
        share = 1 - math.exp(-seconds(at - then) / self._settle) if at > then else 1.0
        match = old.towards(found, share)
        self._memory[track] = (at, match)
        return match


def _shade(source: Sample, colours: Levels, target: Sample, weight: Bytes) -> Floats:
    """The soft difference of light between two pictures, averaged where both show the face.

    Returns:
        (8, 8, 3) float32, levels to add to ``source`` once it has the other's ``colours``.
    """
    moved = [
        cv2.LUT(plane, table) for plane, table in zip((source.y, source.u, source.v), colours.tables(), strict=True)
    ]
    difference = np.asarray(
        cv2.subtract(cv2.merge([target.y, target.u, target.v]), cv2.merge(moved), dtype=cv2.CV_32F), np.float32
    )
    strange = np.abs(difference[:, :, 0]) > _HAIR
    share = weight.astype(np.float32) / np.float32(255)
    share[strange] = 0
    difference *= share[..., None]
    cells = cv2.blur(cv2.resize(difference, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), (3, 3))
    shares = cv2.blur(cv2.resize(share, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA), (3, 3))
    # The constant pulls cells that hardly see the face to zero instead of to noise.
    return np.asarray(cells / (shares[..., None] + 0.15), np.float32)
