"""Matching colours: the persona's features in the performer's skin tone and light.

All of it works on luma and the two colour differences apart, as they lie in the frame. First the light by the direction
of the skin (``livefake.compose.light``), then mean and spread of the levels, then what is left of soft shadows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import cv2
import numpy as np

from livefake.clock import Nanos, nanos, seconds
from livefake.compose.light import Light, Relief, find_light, light_plane
from livefake.frame import Bytes, Floats, Frame, Levels, Patch, Planes
from livefake.swap.mesh import face_triangles

__all__ = ["SHADING", "Match", "MatchColour", "Sample", "colour_transfer", "measure_match"]

SHADING: Final = 0.6
"""How much of the live soft shadows that no light by direction explains is taken over, 0..1."""
_SAMPLE: Final = 48
_BLACK: Final = 16.0
_GREY: Final = 128.0
_DARK: Final = 32
"""Luma that says too little of how bright a face is."""
_CELLS: Final = 8
_FEWEST: Final = 32
"""Fewer samples than that tell nothing."""
_HAIR: Final = 39.0
"""A difference of more levels of luma is not light but something else: hair at the temple, a hand, glasses."""
_AGAIN: Final[Nanos] = nanos(90)
"""Light and colours of a face are measured no sooner than this after the last time: every third frame of 30."""
_EXPOSURES: Final = (0.5, 2.0)
"""A larger change between two measurements is no change of exposure."""
_NOISE: Final = 0.87
"""Levels added to both spreads: keeps flat pictures from being stretched into noise."""
_LUMA_GAINS: Final = (1.0, 1.2)
"""Contrast is never taken from a persona: its features are what it is known by, and the light makes its own."""
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
        light: of both faces.
        colours: as ``colour_transfer`` returns, once the light is the live one.
        shade: (8, 8, 3) float32, levels of Y, U and V to add after that, from the left top to the right bottom of
            the patch.
    """

    light: Light
    colours: Levels
    shade: Floats

    def towards(self, newer: Match, share: float) -> Match:
        """A match between this one (share 0) and a newer one (share 1)."""
        return Match(
            self.light.towards(newer.light, share),
            self.colours.towards(newer.colours, share),
            (self.shade + np.float32(share) * (newer.shade - self.shade)).astype(np.float32),
        )

    def tone(self, gain: Floats) -> Levels:
        """What the light's mean and the colours together do to the persona's tone; ``gain`` as for ``apply``."""
        mean = float(gain.mean())
        (luma, *chroma), (level, *shifts) = self.colours.gains, self.colours.offsets
        black = _BLACK * (1 - mean)
        return Levels((mean * luma, chroma[0], chroma[1]), (black * luma + level, shifts[0], shifts[1]))

    def exposed(self, times: float) -> Match:
        """The match once everything that was measured is so many times brighter, black and grey in their places."""
        zeros = (_BLACK, _GREY, _GREY)
        offsets = [
            offset * times + zero * (1 - times) for offset, zero in zip(self.colours.offsets, zeros, strict=True)
        ]
        luma, blue, red = (gain * times for gain in self.colours.gains)
        colours = Levels((luma, blue, red), (offsets[0], offsets[1], offsets[2]))
        return Match(self.light, colours, self.shade * np.float32(times))

    def apply(self, picture: Planes, gain: Floats, shading: float = SHADING) -> Planes:
        """Move a whole patch.

        Args:
            picture: its planes.
            gain: (S, S) float32, how many times brighter its light makes each place of it.
            shading: how much of the soft shadows that are left is taken over, 0..1.
        """
        matched = Planes.empty(picture.width, picture.height)
        (luma, *gains), (level, *offsets) = self.colours.gains, self.colours.offsets
        shade = cv2.resize(self.shade * np.float32(shading), (_SAMPLE, _SAMPLE), interpolation=cv2.INTER_CUBIC)
        change = np.stack([gain * luma, _BLACK * (1 - gain) * luma + level + shade[..., 0]], 2).astype(np.float32)
        size = (picture.width, picture.height)
        spread = np.asarray(cv2.resize(change, size, interpolation=cv2.INTER_LINEAR), np.float32)
        light_plane(picture.y, spread, matched.y)
        # The soft differences of colour travel as bytes around 128: one saturating pass adds them and takes the 128
        # off again.
        lights = cv2.split(np.clip(shade[..., 1:] + 128.5, 0, 255).astype(np.uint8))
        half = (picture.width // 2, picture.height // 2)
        for plane, target, light, times, offset in zip(
            (picture.u, picture.v), (matched.u, matched.v), lights, gains, offsets, strict=True
        ):
            soft = cv2.resize(light, half, interpolation=cv2.INTER_LINEAR)
            cv2.addWeighted(plane, times, soft, 1.0, offset - 128.0, dst=target)
        return matched


def measure_match(source: Sample, target: Sample, weight: Bytes, relief: Relief) -> Match:
    """What gives a patch the colours and the light of the face behind it.

    Args:
        source, target: the same places of patch and live picture, 48 a side.
        weight: (S, S) uint8; pixels above 127 count, where the live face shows skin there.
        relief: of the same places.
    """
    chroma = np.stack([target.u, target.v], 2)
    light, skin = find_light(source.y, target.y, chroma, weight, relief)
    lit = np.empty_like(source.y)
    gain = light.gain(relief)
    light_plane(source.y, np.stack([gain, _BLACK * (1 - gain)], 2).astype(np.float32), lit)
    relit = Sample(lit, source.u, source.v)
    colours = colour_transfer(relit, target, skin)
    return Match(light, colours, _shade(relit, colours, target, skin))


@dataclass(slots=True, eq=False)
class _Memory:
    """Of one face: when it was measured, what was found and on which luma; up to when that was followed and to where.

    ``exposure`` is how bright the live face was then beside the first time, ``followed`` what ``shown`` is for.
    """

    measured: Nanos
    found: Match
    live: Bytes
    at: Nanos
    shown: Match
    exposure: float = 1.0
    followed: float = 1.0


class MatchColour:
    """Moves each patch into the colours of the face that it replaces.

    Args:
        settle: time constant of the smoothing, nanoseconds.
        shading: how much of the soft shadows that the light leaves is taken over, 0..1.
    """

    name = "colour"
    vital = True

    def __init__(self, *, settle: Nanos = 250_000_000, shading: float = SHADING) -> None:
        self._triangles = face_triangles()
        self._settle = seconds(settle)
        self._shading = shading
        self._memory: dict[int, _Memory] = {}

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
        relief = Relief.of(patch.face.points, self._triangles, patch.box, _SAMPLE)
        windows, weight = frame.windows(patch.box), _picked(patch.mask, _SAMPLE)
        live = _picked(windows[0], _SAMPLE)
        find = partial(_found, patch.picture, windows, weight, relief)
        match = self._settled(patch.face.track, frame.instant, find, live, weight)
        gain = match.light.gain(relief)
        return replace(patch, picture=match.apply(patch.picture, gain, self._shading), tone=match.tone(gain))

    def _settled(self, track: int, at: Nanos, find: Callable[[], Match], live: Bytes, weight: Bytes) -> Match:
        """Light and colours followed smoothly, because they are measured with errors; so not every frame has to be.

        How bright the face is as a whole is followed at once: what a camera or a lamp does to it, it does to the
        neck and the ears as well.
        """
        memory = self._memory.get(track)
        if memory is None or at < memory.at:
            found = find()
            self._memory[track] = _Memory(at, found, live, at, found)
            return found
        exposure = memory.exposure * _exposure(memory.live, live, weight)
        if at - memory.measured >= _AGAIN:
            memory.measured, memory.found, memory.live, memory.exposure = at, find(), live, exposure
        if at > memory.at:
            share = 1 - math.exp(-seconds(at - memory.at) / self._settle)
            memory.at, memory.shown = at, memory.shown.towards(memory.found, share)
            memory.followed += share * (memory.exposure - memory.followed)
        return memory.shown.exposed(exposure / memory.followed)


def _found(picture: Planes, live: tuple[Bytes, Bytes, Bytes], weight: Bytes, relief: Relief) -> Match:
    return measure_match(Sample.of(picture.y, picture.u, picture.v), Sample.of(*live), weight, relief)


def _exposure(before: Bytes, now: Bytes, weight: Bytes) -> float:
    """How many times brighter a face has become: the median, which a hand in front of less than half does not move."""
    before, now, weight = (plane[::2, ::2] for plane in (before, now, weight))
    seen = (weight > 128) & (before > _DARK) & (now > _DARK)
    if np.count_nonzero(seen) < _FEWEST:
        return 1.0
    ratio = float(np.median((now[seen] - np.float32(_BLACK)) / (before[seen] - np.float32(_BLACK))))
    return min(max(ratio, _EXPOSURES[0]), _EXPOSURES[1])


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
