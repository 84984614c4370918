"""Pictures for timing the pipeline: a clip, scaled and laid out so that its face has a given size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.clock import monotonic
from livefake.errors import BadMedia, BadRequest
from livefake.faces.detect import Detector
from livefake.faces.landmarks import LandmarkNet
from livefake.faces.performer import Performer
from livefake.faces.stages import Detect, Follow, ReadLandmarks
from livefake.faces.track import Tracks
from livefake.frame import Box, Bytes, Drop, Frame
from livefake.media.file import FileReader

__all__ = ["LINES", "Layout", "Reel", "find_faces", "lay_out", "read_clip"]

LINES: Final = {360: 640, 720: 1280, 1080: 1920}
"""Widths by the number of lines."""

_LARGEST: Final = 0.8
"""Share of the picture's height that a face may have, so that it stays inside while its owner moves."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How large picture and face are.

    Attributes:
        lines: height of the picture, one of ``LINES``; 0 leaves the clip as it is.
        face: height of a face, pixels; 0 leaves the clip as it is.
        faces: 1 or 2.

    Raises:
        BadRequest: it cannot be laid out like that.
    """

    lines: int = 0
    face: int = 0
    faces: int = 1

    def __post_init__(self) -> None:
        if self.lines not in (0, *LINES):
            known = ", ".join(map(str, LINES))
            raise BadRequest(f"A picture should have {known} lines (0: the clip's own), asked for were {self.lines}.")
        if self.faces not in (1, 2):
            raise BadRequest(f"There should be 1 or 2 faces, asked for were {self.faces}.")
        if (self.lines == 0) != (self.face == 0) or (self.face == 0 and self.faces == 2):
            raise BadRequest(
                "Lines and the height of the face belong together, and a second face needs both.",
                "Give both, such as 720 lines and 240 pixels, or neither.",
            )
        if self.face and not self.fits:
            raise BadRequest(
                f"A face of {self.face} pixels does not fit into {self.lines} lines: "
                f"it should have 32 to {int(_LARGEST * self.lines)}."
            )

    @property
    def fits(self) -> bool:
        """Whether the face has room to move in."""
        return 32 <= self.face <= _LARGEST * self.lines


class Reel:
    """Decoded pictures that are played there and back again without end: a loop with a cut would lose the face.

    Args:
        pictures: (H * 3 // 2, W) uint8 each, I420.
    """

    def __init__(self, pictures: Sequence[Bytes]) -> None:
        self._pictures = pictures
        self._played = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self._pictures[0].shape
        return width, height * 2 // 3

    def next(self) -> Frame:
        """The next picture at 30 frames a second, with pixels of its own."""
        count, number = len(self._pictures), self._played
        place = number % (2 * count - 2) if count > 1 else 0
        picture = self._pictures[place if place < count else 2 * count - 2 - place]
        self._played += 1
        return Frame(picture.copy(), pts=number * 3000, arrived=monotonic())


def read_clip(clip: Path, count: int) -> list[Frame]:
    """The first pictures of a clip.

    Raises:
        BadMedia: it cannot be read, or has none.
    """
    with FileReader(clip, clock=monotonic) as reader:
        frames = list(islice((item for item in reader if isinstance(item, Frame)), count))
    if not frames:
        raise BadMedia(f"{clip} has no picture that can be decoded.")
    return frames


def find_faces(frames: Sequence[Frame], networks: tuple[Detector, LandmarkNet]) -> list[Box]:
    """Where the performer's face is in each picture; the last place again where none is found.

    Raises:
        BadMedia: there is no face at all.
    """
    detector, landmarks = networks
    tracks = Tracks()
    detect = Detect(detector, tracks)
    stages: tuple[Callable[[Frame], Frame], ...] = (
        detect,
        ReadLandmarks(landmarks, tracks),
        Follow(tracks, Performer(), detect),
    )
    boxes: list[Box | None] = []
    for picture in frames:
        # The stages write into what they are given.
        frame = Frame(picture.i420, picture.pts, picture.arrived, picture.time_base)
        try:
            for stage in stages:
                frame = stage(frame)
        except Drop:
            boxes.append(boxes[-1] if boxes else None)
        else:
            boxes.append(frame.faces[0].box)
    found = next((box for box in boxes if box is not None), None)
    if found is None:
        raise BadMedia("The clip should show a face, and none was found in it.", "Name another with --file.")
    return [box or found for box in boxes]


def lay_out(frames: Sequence[Frame], boxes: Sequence[Box], layout: Layout) -> Reel:
    """Scale a clip so that its face has the height that is asked for, and crop or continue it to the picture's size.

    A second face is the first one in a mirror, half a clip later, in a half of its own.

    Args:
        frames: of the clip.
        boxes: of the face, as ``find_faces`` finds them.
        layout: what is asked for.
    """
    if not layout.lines:
        return Reel([frame.i420 for frame in frames])
    scale = layout.face / float(np.median([box.height for box in boxes]))
    width, height = LINES[layout.lines] // layout.faces & ~1, layout.lines
    middle = (
        float(np.median([(box.left + box.right) / 2 for box in boxes])) * scale,
        float(np.median([(box.top + box.bottom) / 2 for box in boxes])) * scale,
    )
    halves = [_placed(frame.bgr(), scale, middle, (width, height)) for frame in frames]
    if layout.faces == 1:
        return Reel([Frame.from_bgr(half).i420 for half in halves])
    later = len(halves) // 2
    pairs = zip(halves, halves[later:] + halves[:later][::-1], strict=True)
    return Reel([Frame.from_bgr(np.hstack([one, other[:, ::-1]])).i420 for one, other in pairs])


def _placed(picture: Bytes, scale: float, middle: tuple[float, float], size: tuple[int, int]) -> Bytes:
    """The picture at another scale with a point of it in the middle; its edge goes on where it is too small."""
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)
    shift = np.array([[1, 0, size[0] / 2 - middle[0]], [0, 1, size[1] / 2 - middle[1]]], np.float32)
    return np.asarray(cv2.warpAffine(scaled, shift.round(), size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
