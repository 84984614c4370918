"""Following faces from frame to frame. Pure logic; the stages around it run the networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from livefake.clock import Nanos
from livefake.faces.detect import Detection
from livefake.faces.geometry import Point
from livefake.faces.landmarks import Landmarks, crop_for_box, crop_for_points
from livefake.faces.smooth import OneEuro, scaled
from livefake.frame import Box, Floats

__all__ = ["Track", "Tracks"]

_PRESENT: Final = 0.5
_SMALLEST: Final = 24
_SAME: Final = 0.5


@dataclass(slots=True, eq=False)
class Track:
    """One person over time.

    Attributes:
        number: from 1, never used twice within a session.
        crop: (2, 3) float32, where to look for the face in the next frame.
        score: of the latest detection that met the track.
        box: around the latest points.
        points: (468, 3) float32, the latest points, smoothed; None before the first landmarks.
        presence: of the latest landmarks.
        unmet: detections in a row that did not see this face.
    """

    number: int
    crop: Floats
    score: float
    box: Box
    points: Floats | None = None
    presence: float = 0.0
    unmet: int = 0
    smooth: OneEuro = field(default_factory=OneEuro)


class Tracks:
    """The faces that are followed.

    Args:
        most: how many are followed at once; each costs one run of the landmark network a frame.
        doubt: after how many detections in a row without it a track ends, unless its landmarks are sure.
    """

    def __init__(self, *, most: int = 8, doubt: int = 3) -> None:
        self._tracks: list[Track] = []
        self._most = most
        self._doubt = doubt
        self._count = 0

    def __iter__(self) -> Iterator[Track]:
        return iter(tuple(self._tracks))

    def __len__(self) -> int:
        return len(self._tracks)

    def offer(self, detections: Sequence[Detection]) -> None:
        """Compare what the detector sees with what is followed: confirm, start, or end tracks.

        Args:
            detections: of this frame, the surest first.
        """
        unmet = set(self._tracks)
        for detection in detections:
            met = max(self._tracks, key=lambda track: _closeness(track, detection), default=None)
            if met is not None and _closeness(met, detection) > 0:
                met.score, met.unmet = detection.score, 0
                unmet.discard(met)
            elif len(self._tracks) < self._most:
                self._start(detection)
        for track in unmet:
            track.unmet += 1
            # Strongly turned heads escape the detector while the landmarks still hold.
            sure = track.presence > 0.9 and track.unmet < 3 * self._doubt
            if track.unmet >= self._doubt and not sure:
                self._tracks.remove(track)

    def _start(self, detection: Detection) -> None:
        self._count += 1
        crop = crop_for_box(detection.box, _eyes(detection))
        self._tracks.append(Track(self._count, crop, detection.score, detection.box))

    def update(self, track: Track, landmarks: Landmarks, size: tuple[int, int], at: Nanos) -> bool:
        """Take the landmarks of this frame for a track; end it when there is no face in its crop any more.

        Args:
            track: one of these tracks.
            landmarks: of its crop.
            size: width and height of the frame.
            at: instant of the frame by its own time stamp.

        Returns:
            Whether the track lives on.
        """
        box = Box.around(landmarks.points)
        middle_x, middle_y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        inside = 0 <= middle_x < size[0] and 0 <= middle_y < size[1]
        if landmarks.presence < _PRESENT or min(box.width, box.height) < _SMALLEST or not inside:
            self._tracks.remove(track)
            return False
        track.crop = crop_for_points(landmarks.points)
        track.points = track.smooth(landmarks.points, float(max(box.width, box.height)), at)
        track.box = Box.around(track.points)
        track.presence = landmarks.presence
        return True

    def rescale(self, across: float, down: float) -> None:
        """Carry the tracks over to pictures of another size that show the same.

        Args:
            across, down: the new width and height as shares of the old ones.
        """
        for track in self._tracks:
            track.crop = _rescaled_crop(track.crop, across, down)
            track.box = track.box.scaled(across, down)
            if track.points is not None:
                track.points = scaled(track.points, across, down)
            track.smooth.rescale(across, down)

    def merge(self) -> None:
        """End tracks that slid onto a face which an older track follows."""
        kept: list[Track] = []
        for track in self._tracks:
            if all(track.box.overlap(other.box) < _SAME for other in kept):
                kept.append(track)
        self._tracks = kept


def _eyes(detection: Detection) -> tuple[Point, Point]:
    (left_x, left_y), (right_x, right_y) = detection.points[:2].tolist()
    return (left_x, left_y), (right_x, right_y)


def _rescaled_crop(crop: Floats, across: float, down: float) -> Floats:
    """A matrix that leads to the same crop from a picture of another size."""
    sides = np.array([across, down])
    # Whole numbers are the middles of pixels, so the pictures' corners lie at -0.5: old = (new + 0.5) / side - 0.5.
    linear = crop[:, :2] / sides
    return np.column_stack([linear, crop[:, 2] + linear.sum(1) / 2 - crop[:, :2].sum(1) / 2]).astype(np.float32)


def _closeness(track: Track, detection: Detection) -> float:
    """Overlap of a track with a detection, 0 when they cannot be the same face."""
    overlap = track.box.overlap(detection.box)
    return overlap if overlap > 0.2 else 0.0
