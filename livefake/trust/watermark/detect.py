"""Reading the mark: frames are whitened and added up, pilots say where the tile begins, the code says what it says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadMedia
from livefake.frame import Bytes, Floats
from livefake.trust.watermark.carrier import TILE, Carrier, Complexes, canvas_size
from livefake.trust.watermark.code import CODED_BITS, Payload, decode
from livefake.trust.watermark.search import poses

__all__ = ["PILOT_GATE", "Detector", "Reading"]

PILOT_GATE: Final = 5.8
"""Pilots must stand out by this many standard deviations before the code is looked at.

In an unmarked picture one position in 3e8 does; with 65,536 positions and a 24-bit check, a false reading
comes up once in 8e10 attempts.
"""

_FLOOR: Final = 1.0
_BAND: Final = 17
_NEIGHBOURHOOD: Final = 11
_LIMIT: Final = 2.5
_WEAKEST: Final = 0.02
_LONGEST: Final = 8
_SAME_SHAPE: Final = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """What a detector found; of the best attempt where nothing is present.

    Attributes:
        present: the pilots stood out and the check sum fitted.
        payload: what the mark says; ``None`` when it is not present.
        score: how far the best pilots stood out, in standard deviations.
        frames: how many frames were added up.
        flipped: the picture is mirrored left to right.
        scale: size of the mark in the picture over its usual size; over 1 after a crop.
        rotation: of the mark, in degrees, positive clockwise, to about a third of a degree.
    """

    present: bool
    payload: Payload | None
    score: float
    frames: int
    flipped: bool
    scale: float
    rotation: float


class Detector:
    """Adds frames of one clip up, then reads their common mark. About one second of video is usually enough."""

    def __init__(self) -> None:
        self._carrier = Carrier()
        self._sum: Floats | None = None
        self._frames = 0

    def add(self, luma: Bytes) -> None:
        """Take one more frame.

        Args:
            luma: (height, width) uint8 of any size; all frames of one shape.

        Raises:
            BadMedia: the frame is shaped unlike the ones before, or is a thin strip.
            ValueError: the array is something else.
        """
        if luma.ndim != 2 or luma.dtype != np.uint8 or not luma.size:
            raise ValueError(f"luma needs a uint8 array (height, width), got {luma.dtype} {luma.shape}")
        height, width = luma.shape
        if max(width, height) > _LONGEST * min(width, height):
            raise BadMedia(f"A picture may be {_LONGEST} times as long as wide at most, got {width} x {height}.")
        size = canvas_size(width, height)
        if self._sum is None:
            self._sum = np.zeros(size[::-1], np.float32)
        elif max(abs(size[0] - self._sum.shape[1]), abs(size[1] - self._sum.shape[0])) > _SAME_SHAPE:
            raise BadMedia(
                f"Every frame of a clip must have one shape, got {width} x {height} after others.",
                "Read the pieces of each shape on their own.",
            )
        else:
            size = (self._sum.shape[1], self._sum.shape[0])
        if size != (width, height):
            interpolation = cv2.INTER_LINEAR if height < size[1] else cv2.INTER_AREA
            luma = np.asarray(cv2.resize(luma, size, interpolation=interpolation), np.uint8)
        self._sum += _whiten(luma)
        self._frames += 1

    def read(self, search: bool = False) -> Reading:
        """Look for the mark in all frames so far.

        Args:
            search: also try other sizes and small rotations; takes seconds.
        """
        best = Reading(False, None, 0.0, self._frames, False, 1.0, 0.0)
        if self._sum is None:
            return best
        for attempt in self._attempts(self._sum, search):
            if attempt.present:
                return attempt
            if attempt.score > best.score:
                best = attempt
        return best

    def _attempts(self, picture: Floats, search: bool) -> Iterator[Reading]:
        """Readings of the sum as it is, then in every pose the search proposes; each straight and mirrored."""
        yield from self._both(picture, 1.0, 0.0)
        if search:
            for scale, rotation in poses(picture):
                yield from self._both(_straighten(picture, scale, rotation), scale, rotation)

    def _both(self, picture: Floats, scale: float, rotation: float) -> Iterator[Reading]:
        """Readings of a picture whose tiles stand upright in their usual size, and of its mirror image."""
        tile = _fold(picture)
        yield self._attempt(tile, False, scale, rotation)
        # Mirroring the sum of the tiles shifts it by some pixels, and the pilots find any shift.
        yield self._attempt(tile[:, ::-1], True, scale, rotation)

    def _attempt(self, tile: Floats, flipped: bool, scale: float, rotation: float) -> Reading:
        """What the sum of all tiles says."""
        carrier = self._carrier
        waves = carrier.analyse(tile)
        power = np.bincount(carrier.ring, np.square(np.abs(waves))) / np.bincount(carrier.ring)
        waves = waves / (np.sqrt(power)[carrier.ring] + 1e-9)
        likeness = carrier.synthesise((waves * carrier.phases.conj())[carrier.pilot], carrier.pilot)
        peak = int(likeness.argmax())
        score = float(likeness.flat[peak] / (likeness.std() + 1e-12))
        payload = self._decode(waves, *divmod(peak, TILE)) if score > PILOT_GATE else None
        return Reading(payload is not None, payload, score, self._frames, flipped, scale, rotation)

    def _decode(self, waves: Complexes, down: int, right: int) -> Payload | None:
        """The message in the modes of a tile that begins ``down``, ``right`` pixels late."""
        carrier = self._carrier
        turn = np.exp(2j * np.pi * (carrier.rows * down + carrier.columns * right) / TILE)
        evidence = (waves * carrier.phases.conj() * turn).real
        pilots = carrier.pilot
        known = np.bincount(carrier.ring[pilots], evidence[pilots], carrier.rings)
        gain = known / np.maximum(np.bincount(carrier.ring[pilots], minlength=carrier.rings), 1)
        gain = np.maximum(gain, _WEAKEST)
        # Each ring counts as its pilots prove it: signal over noise power, the maximum-ratio weight.
        weight = (gain / np.maximum(1.0 - gain**2, 0.05))[carrier.ring]
        soft = np.bincount(carrier.bits, (weight * evidence)[carrier.data], CODED_BITS)
        return decode(soft.astype(np.float64))


def _whiten(luma: Bytes) -> Floats:
    """The picture's short waves with loud regions turned down, so that no edge drowns the mark: float32."""
    height, width = luma.shape
    band = np.asarray(cv2.blur(luma.astype(np.float32), (3, 3)), np.float32)
    band -= np.asarray(cv2.blur(cv2.blur(band, (_BAND, _BAND)), (_BAND, _BAND)), np.float32)
    # Loudness changes slowly: a quarter of the size tells it.
    power = cv2.resize(np.square(band), (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    around = np.asarray(cv2.blur(power, (_NEIGHBOURHOOD, _NEIGHBOURHOOD)), np.float32)
    # A running sum of floats can end a little below zero where the picture is flat.
    quiet = np.asarray(1 / (np.sqrt(np.maximum(around, 0.0)) + _FLOOR), np.float32)
    band *= _enlarged(quiet, width, height)
    np.clip(band, -_LIMIT, _LIMIT, out=band)
    # The mark grows with about the square root of the loudness, the picture with the loudness: weight 1.5.
    band *= _enlarged(np.sqrt(quiet), width, height)
    return band


def _enlarged(coarse: Floats, width: int, height: int) -> Floats:
    """A slowly changing map at full size."""
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _fold(picture: Floats) -> Floats:
    """All tiles of a picture added into one (TILE, TILE)."""
    height, width = picture.shape
    down, across = -(-height // TILE), -(-width // TILE)
    padded = np.zeros((down * TILE, across * TILE), np.float32)
    padded[:height, :width] = picture
    return np.asarray(padded.reshape(down, TILE, across, TILE).sum((0, 2)), np.float32)


def _straighten(picture: Floats, scale: float, rotation: float) -> Floats:
    """The picture turned back by ``rotation`` degrees and divided by ``scale``, about its middle."""
    height, width = picture.shape
    out_width, out_height = int(width / scale), int(height / scale)
    cosine, sine = scale * np.cos(np.deg2rad(rotation)), scale * np.sin(np.deg2rad(rotation))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    shift = np.array([width, height]) / 2 - turn @ np.array([out_width, out_height]) / 2
    matrix = np.column_stack([turn, shift])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, (out_width, out_height), flags=flags), np.float32)
