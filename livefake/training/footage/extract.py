"""Reading one file of footage: faces, landmarks, measures and embeddings of its frames, and the best of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from livefake.clock import Clock
from livefake.errors import BadMedia
from livefake.faces.detect import Detector
from livefake.faces.geometry import eye_middles, square_crop, transform
from livefake.faces.landmarks import LandmarkNet
from livefake.faces.stages import Detect, ReadLandmarks
from livefake.faces.track import Track, Tracks
from livefake.frame import Bytes, Floats, Frame
from livefake.training.footage.measures import Measures, measure
from livefake.training.footage.pool import Pool, is_usable
from livefake.training.footage.sightings import Sightings
from livefake.training.footage.sources import read_frames
from livefake.training.footage.takes import EMBEDDING, MARGIN, SIZE, Take

__all__ = ["SMALLEST", "Embed", "Extract", "Eyes", "extract"]

SMALLEST: Final = 100
"""Longer side of the smallest face that is used, pixels of the footage; smaller ones are only looked at."""
_BATCH: Final = 16
"""Faces embedded in one run; more cost no less."""
_INTERVAL: Final = 4
"""Frames from one look over the whole picture to the next: somebody else in it is noticed after an eighth of a
second."""
_SURE: Final = 0.8
"""Confidence that there is a face in the crop, from which a frame is used."""

Embed = Callable[[Sequence[tuple[Bytes, Floats]]], Floats]
"""From pictures, (H, W, 3) uint8 BGR, and meshes in them, (468, 3) float32 pixels, to (N, 128) float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Eyes:
    """The networks that look at footage.

    Attributes:
        detector: finds faces.
        landmarks: reads their meshes.
        embed: says whose they are.
    """

    detector: Detector
    landmarks: LandmarkNet
    embed: Embed


@dataclass(frozen=True, slots=True, eq=False)
class Extract:
    """What a file gave.

    Attributes:
        takes: the best frames, in the order of the file.
        sightings: all frames with a face.
        small: how many frames were left out because the face in them was too small.
        damage: one sentence where the file broke off, empty where it was whole.
    """

    takes: list[Take]
    sightings: Sightings
    small: int
    damage: str


@dataclass(slots=True, eq=False)
class _Row:
    seconds: float
    faces: int
    track: int
    take: Take
    measures: Measures
    usable: bool


def extract(
    path: Path,
    eyes: Eyes,
    *,
    clock: Clock,
    tell: Callable[[int], None],
    begin: float = 0.0,
    end: float = math.inf,
) -> Extract:
    """Read a file, or some seconds of it.

    Args:
        path: a video or a picture.
        eyes: the networks.
        begin, end: see ``read_frames``.
        clock: stamps frames as they are read.
        tell: called with the number of frames that were looked at, after each one.

    Raises:
        BadMedia: it cannot be read at all.
        EngineError: a network failed.
    """
    pool, seen, small, damage, count = Pool(), [], 0, "", 0
    waiting: list[_Row] = []

    def flush() -> None:
        vectors = eyes.embed([(row.take.picture, row.take.points) for row in waiting])
        for row, vector in zip(waiting, vectors, strict=True):
            seen.append((row, np.asarray(vector, np.float32)))
            if row.usable:
                pool.offer(replace(row.take, embedding=seen[-1][1]), row.measures)
            # The picture is not needed any more, unless the pool keeps it.
            row.take = replace(row.take, picture=np.empty((0, 0, 3), np.uint8))
        waiting.clear()

    try:
        for seconds, frame, tracks in _follow(path, eyes, clock, begin, end):
            count += 1
            if tracks:
                row = _row(path.name, seconds, frame, tracks)
                small += _size(tracks[0]) < SMALLEST
                waiting.append(row)
            if len(waiting) >= _BATCH:
                flush()
            tell(count)
    except BadMedia as error:
        if not count:
            raise
        damage = error.problem
    if waiting:
        flush()
    return Extract(pool.takes(), _sightings(seen, count), small, damage)


def _follow(
    path: Path, eyes: Eyes, clock: Clock, begin: float, end: float
) -> Iterator[tuple[float, Frame, list[Track]]]:
    """Each frame with the faces in it, the largest first."""
    tracks = Tracks()
    detect, read = Detect(eyes.detector, tracks, interval=_INTERVAL), ReadLandmarks(eyes.landmarks, tracks)
    for seconds, frame in read_frames(path, clock=clock, begin=begin, end=end):
        detect(frame)
        read(frame)
        found = sorted((track for track in tracks if track.points is not None), key=_size, reverse=True)
        detect.searching = not found
        yield seconds, frame, found


def _size(track: Track) -> int:
    return max(track.box.width, track.box.height)


def _row(name: str, seconds: float, frame: Frame, tracks: Sequence[Track]) -> _Row:
    track = tracks[0]
    points = track.points
    if points is None:
        raise ValueError("a face is used before its landmarks were read")
    matrix = square_crop(points, eye_middles(points), SIZE, MARGIN)
    picture, inside = frame.crop(matrix, (SIZE, SIZE)).bgr(), transform(points, matrix)
    found = measure(picture, inside)
    take = Take(
        picture=picture,
        points=inside,
        file=name,
        seconds=seconds,
        yaw=found.yaw,
        pitch=found.pitch,
        sharpness=found.sharpness,
        open_mouth=found.open_mouth,
        embedding=np.zeros(EMBEDDING, np.float32),
    )
    box = track.box
    whole = box.left >= 0 and box.top >= 0 and box.right <= frame.width and box.bottom <= frame.height
    usable = len(tracks) == 1 and _size(track) >= SMALLEST and whole and track.presence >= _SURE and is_usable(found)
    return _Row(seconds, len(tracks), track.number, take, found, usable)


def _sightings(seen: Sequence[tuple[_Row, Floats]], count: int) -> Sightings:
    rows = [row for row, _ in seen]
    return Sightings(
        seconds=np.array([row.seconds for row in rows], np.float32),
        faces=np.array([row.faces for row in rows], np.int32),
        tracks=np.array([row.track for row in rows], np.int32),
        turns=np.array([(row.measures.yaw, row.measures.pitch) for row in rows], np.float32).reshape(-1, 2),
        embeddings=np.array([vector for _, vector in seen], np.float32).reshape(-1, EMBEDDING),
        looked_at=count,
    )
