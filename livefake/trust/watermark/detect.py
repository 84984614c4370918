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
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.combine import PILOT_GATE, beginnings, evidence, likeness, message
from livefake.trust.watermark.gather import Pieces, evened, whitened
from livefake.trust.watermark.scan import Guess, Scanner
from livefake.trust.watermark.search import poses
from livefake.trust.watermark.tiles import Pose, fold, straightened

__all__ = ["PILOT_GATE", "Detector", "Reading"]

_LONGEST: Final = 8
_SAME_SHAPE: Final = 4
_REFINED: Final = 6
_NUDGES: Final = (
    *((size, 0.0) for size in (0.0, -0.0015, 0.0015, -0.003, 0.003)),
    *((size, turn) for turn in (-0.06, 0.06) for size in (-0.0015, 0.0, 0.0015)),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a detector found; of the best attempt where nothing is present.

    Attributes:
        present: the pilots stood out and the check sum fitted.
        payload: what the mark says; ``None`` when it is not present.
        score: how far the pilots stood out, in standard deviations: of the place that was read, else of the best one.
            Where the picture is as it was made, a mark may be present from 3.5 on.
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
        self._pieces = Pieces()
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
        known = self._pieces.sums[0].shape[::-1] if self._frames else size
        if max(abs(size[0] - known[0]), abs(size[1] - known[1])) > _SAME_SHAPE:
            raise BadMedia(
                f"Every frame of a clip must have one shape, got {width} x {height} after others.",
                "Read the pieces of each shape on their own.",
            )
        size = (known[0], known[1])
        if size != (width, height):
            interpolation = cv2.INTER_LINEAR if height < size[1] else cv2.INTER_AREA
            luma = np.asarray(cv2.resize(luma, size, interpolation=interpolation), np.uint8)
        self._pieces.add(whitened(luma))
        self._frames += 1

    def absorb(self, other: Detector) -> None:
        """Take what another detector has gathered from the frames that follow.

        Raises:
            BadMedia: those frames have another shape.
        """
        for piece, frames in zip(other._pieces.sums, other._pieces.frames, strict=True):
            if self._frames and piece.shape != self._pieces.sums[0].shape:
                raise BadMedia("Pieces of a clip must have one shape.", "Read the pieces of each shape on their own.")
            self._pieces.add(piece, frames)
            self._frames += frames

    def read(self, search: bool = False) -> Reading:
        """Look for the mark in all frames so far.

        Args:
            search: also try other sizes, small rotations, and parts of the picture; takes seconds.
        """
        best = Reading(False, None, 0.0, self._frames, False, 1.0, 0.0)
        if not self._frames:
            return best
        total = self._pieces.total()
        weights = evened(total)
        total *= weights
        for attempt in self._attempts(total, weights, search):
            if attempt.present:
                return attempt
            if attempt.score > best.score:
                best = attempt
        return best

    def _attempts(self, total: Floats, weights: Floats, search: bool) -> Iterator[Reading]:
        """Readings of the sum as it is, then in every pose the search proposes; each straight and mirrored."""
        waves, usual = self._carrier.analyse(fold(total)), Pose()
        yield self._one(waves, usual, weights, False, 0)
        # Mirroring the sum of the tiles moves the beginning by what the last tile lacks.
        yield self._one(waves, usual, weights, True, -total.shape[1] % TILE)
        if search:
            scanner = Scanner(self._carrier, total)
            guesses = [guess for pose in poses(total) for guess in scanner.score(pose)]
            yield from self._closer(total, weights, guesses)
            # The picture's likeness to itself misled: every size is tried.
            yield from self._closer(total, weights, scanner.sizes())

    def _closer(self, total: Floats, weights: Floats, guesses: list[Guess]) -> Iterator[Reading]:
        """Readings of the best guesses and their neighbours."""
        for _, guess, flipped in sorted(guesses, key=lambda one: -one[0])[:_REFINED]:
            for size, turn in _NUDGES:
                pose = Pose(guess.scale * (1 + size), guess.rotation + turn, guess.tiles)
                waves = self._carrier.analyse(fold(straightened(total, pose)))
                yield self._one(waves, pose, weights, flipped)

    def _one(self, waves: Complexes, pose: Pose, weights: Floats, flipped: bool, begin: int | None = None) -> Reading:
        """What a tile says.

        Args:
            waves: its modes, as it lies in the picture.
            pose: of the picture it is from.
            weights: of the picture's places.
            flipped: take it as mirrored.
            begin: where it begins, pixels from the left, if the picture is as it was made; it may begin elsewhere.
        """
        carrier = self._carrier
        found = likeness(carrier, evidence(carrier, carrier.mirrored(waves) if flipped else waves))
        for score, down, right in beginnings(found, begin):
            payload = message(carrier, self._waves(pose, weights, flipped), down, right)
            if payload is not None:
                return Reading(True, payload, score, self._frames, flipped, pose.scale, pose.rotation)
        return Reading(False, None, float(found.max()), self._frames, flipped, pose.scale, pose.rotation)

    def _waves(self, pose: Pose, weights: Floats, flipped: bool) -> Complexes:
        """(K, N) modes of the tile in every piece of time."""
        carrier = self._carrier
        pieces = np.stack([carrier.analyse(fold(straightened(one * weights, pose))) for one in self._pieces.sums])
        return carrier.mirrored(pieces) if flipped else pieces
