"""The nouns of one picture: ``Frame`` (I420 as decoded), ``Box``, ``Face``, ``Patch``; and ``Drop``, its end.

A frame stays in I420 from decoder to encoder, and so does what is put into it. Only the small crops that a network
looks at ever become BGR.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import cv2
import numpy as np

from livefake.clock import Nanos
from livefake.planes import Bytes, Floats, Planes

__all__ = ["RTP_CLOCK", "Box", "Bytes", "Drop", "Face", "Floats", "Frame", "Levels", "Patch", "Planes"]

RTP_CLOCK: Final = Fraction(1, 90_000)
"""Time base of video in RTP (RFC 3551, section 5)."""
_STEPS: Final = np.arange(256)
_HIGHEST: Final = np.array([[235], [240], [240]])


class Drop(Exception):
    """Raised by a stage when a frame cannot become a picture that may be shown; nothing is wrong otherwise.

    Args:
        reason: a word or two for the counters and the page, such as "no face".
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels ``left <= x < right``, ``top <= y < bottom``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Number of pixels; 0 for a box that is empty or inside out."""
        return max(0, self.width) * max(0, self.height)

    @classmethod
    def around(cls, points: Floats, margin: float = 0.0) -> Box:
        """The smallest box that holds (N, 2 or more) points, grown by ``margin`` pixels on each side."""
        low = np.floor(points[:, :2].min(0) - margin).astype(int)
        high = np.ceil(points[:, :2].max(0) + margin).astype(int)
        return cls(int(low[0]), int(low[1]), int(high[0]), int(high[1]))

    def within(self, width: int, height: int) -> Box:
        """The part inside a ``width`` x ``height`` picture, grown outward to even edges where 4:2:0 needs it."""
        left, top = max(0, self.left) & ~1, max(0, self.top) & ~1
        right, bottom = min(width, self.right + (self.right & 1)), min(height, self.bottom + (self.bottom & 1))
        return Box(left, top, max(left, right), max(top, bottom))

    def halved(self) -> Box:
        """The same place in a plane of half the size; edges are even."""
        return Box(self.left // 2, self.top // 2, self.right // 2, self.bottom // 2)

    def scaled(self, across: float, down: float) -> Box:
        """The box in the same picture at another size, its sides multiplied by these shares."""
        return Box(
            round(self.left * across), round(self.top * down), round(self.right * across), round(self.bottom * down)
        )

    def overlap(self, other: Box) -> float:
        """Intersection over union with another box, 0..1."""
        shared = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area
        union = self.area + other.area - shared
        return shared / union if union else 0.0


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame.

    Attributes:
        box: bounding box of the points, in frame pixels; may reach over the edge of the picture.
        points: (468, 3) float32, mesh landmarks: x, y in frame pixels, z in the same unit (small = near).
        score: detector's confidence, 0..1, of the detection that started the track.
        presence: the landmark network's confidence that a face is in its crop, 0..1.
        track: number that stays with the person from frame to frame, from 1.
        performer: whether this is the person whose face is being replaced.
    """

    box: Box
    points: Floats
    score: float
    presence: float
    track: int
    performer: bool = False


@dataclass(frozen=True, slots=True)
class Levels:
    """What is done to each level of a picture's planes: ``level * gain + offset``.

    Attributes:
        gains, offsets: for Y, U and V; gains above 0.
    """

    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offsets: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def towards(self, other: Levels, share: float) -> Levels:
        """A change between this one (share 0) and another (share 1)."""
        gains = [a + share * (b - a) for a, b in zip(self.gains, other.gains, strict=True)]
        offsets = [a + share * (b - a) for a, b in zip(self.offsets, other.offsets, strict=True)]
        return Levels((gains[0], gains[1], gains[2]), (offsets[0], offsets[1], offsets[2]))

    def undone(self) -> Levels:
        """The change that takes this one back."""
        back = [1 / gain for gain in self.gains]
        offsets = [-offset * gain for offset, gain in zip(self.offsets, back, strict=True)]
        return Levels((back[0], back[1], back[2]), (offsets[0], offsets[1], offsets[2]))

    def tables(self) -> Bytes:
        """(3, 256) uint8, what becomes of each level of Y, U and V.

        Luma stays within 16 to 235 and chroma within 16 to 240 (ITU-R BT.601).
        """
        steps = _STEPS * np.array(self.gains)[:, None] + np.array(self.offsets)[:, None]
        return np.asarray(np.clip(steps + 0.5, 16, _HIGHEST), np.uint8)

    def apply(self, picture: Planes) -> Planes:
        """The changed picture."""
        out = Planes.empty(picture.width, picture.height)
        for plane, target, table in zip(
            (picture.y, picture.u, picture.v), (out.y, out.u, out.v), self.tables(), strict=True
        ):
            cv2.LUT(plane, table, dst=target)
        return out


@dataclass(frozen=True, slots=True)
class Patch:
    """A replacement for one region of a frame, before it is put back.

    Attributes:
        box: where it goes; even edges, inside the frame.
        picture: as large as the box.
        mask: (box.height, box.width) uint8, 255 where the patch replaces the picture.
        face: the face it was made for.
        skin: (box.height, box.width) uint8, where the persona's own skin is: the mask without eyes and inner mouth.
        solid: (box.height, box.width) uint8, the same with eyes and mouth filled in; as far as a mask may ever reach.
        tone: what moved the persona's own colours into the live face's; None until that was done.
    """

    box: Box
    picture: Planes
    mask: Bytes
    face: Face
    skin: Bytes
    solid: Bytes
    tone: Levels | None = None


@dataclass(slots=True, eq=False)
class Frame(Planes):
    """One picture on its way through the pipeline.

    Attributes:
        pts: presentation time in units of ``time_base``.
        time_base: seconds per unit of ``pts``.
        arrived: when the picture reached the service, on the service's monotonic clock.
        faces: what was found, largest track history first.
        patches: replacements that wait to be put back.
        done: names of the stages that have finished with this frame; the seal reads it.
        grant: id of the consent under which it shows a real person's face; empty where it shows none.
        taken: when it was taken plus the least time that any picture travels, on the same clock: sound of that instant
            belongs to it. None where nothing is known but its arrival.
    """

    pts: int
    arrived: Nanos
    time_base: Fraction = RTP_CLOCK
    faces: tuple[Face, ...] = ()
    patches: tuple[Patch, ...] = ()
    done: set[str] = field(default_factory=set)
    grant: str = ""
    taken: Nanos | None = None

    @classmethod
    def from_bgr(cls, picture: Bytes, *, pts: int = 0, arrived: Nanos = 0) -> Frame:
        """A frame from a (height, width, 3) uint8 BGR picture; odd sides lose their last row or column."""
        return cls(Planes.of_bgr(picture).i420, pts, arrived)

    @property
    def instant(self) -> Nanos:
        """When the picture was taken, by its own time stamp: steadier than the time of its arrival."""
        return int(self.pts * self.time_base * 1_000_000_000)

    def windows(self, box: Box) -> tuple[Bytes, Bytes, Bytes]:
        """Views of the three planes where a region with even edges inside the picture lies."""
        half = box.halved()
        rows, columns = slice(half.top, half.bottom), slice(half.left, half.right)
        return self.y[box.top : box.bottom, box.left : box.right], self.u[rows, columns], self.v[rows, columns]

    def roi(self, box: Box) -> Bytes:
        """(box.height, box.width, 3) uint8 BGR copy of a region with even edges inside the picture."""
        luma, *chroma = self.windows(box)
        return np.asarray(cv2.cvtColorTwoPlane(luma, cv2.merge(chroma), cv2.COLOR_YUV2BGR_NV12), np.uint8)
