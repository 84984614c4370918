"""The nouns of one picture: ``Frame`` (I420 as decoded), ``Box``, ``Face``, ``Patch``; and ``Drop``, its end.

A frame stays in I420 (planar YUV 4:2:0, ITU-R BT.601 studio range) from decoder to encoder. Only the
few regions that are looked at or replaced ever become BGR.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.clock import Nanos

__all__ = ["RTP_CLOCK", "Box", "Bytes", "Drop", "Face", "Floats", "Frame", "Patch"]

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

RTP_CLOCK: Final = Fraction(1, 90_000)
"""Time base of video in RTP (RFC 3551, section 5)."""


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
class Patch:
    """A replacement for one region of a frame, before it is put back.

    Attributes:
        box: where it goes; even edges, inside the frame.
        pixels: (box.height, box.width, 3) uint8 BGR.
        mask: (box.height, box.width) uint8, 255 where the patch replaces the picture.
        face: the face it was made for.
        skin: (box.height, box.width) uint8, where the persona's own skin is: the mask without eyes and inner mouth.
        solid: (box.height, box.width) uint8, the same with eyes and mouth filled in; as far as a mask may ever reach.
        tone: (3, 4) float64 for ``cv2.transform``, what moved the persona's own colours into the live face's; None
            until that was done.
    """

    box: Box
    pixels: Bytes
    mask: Bytes
    face: Face
    skin: Bytes
    solid: Bytes
    tone: NDArray[np.float64] | None = None


@dataclass(slots=True, eq=False)
class Frame:
    """One picture on its way through the pipeline.

    Attributes:
        i420: (height * 3 // 2, width) uint8, C-contiguous: the Y plane, then U, then V. Width and height are even.
        pts: presentation time in units of ``time_base``.
        time_base: seconds per unit of ``pts``.
        arrived: when the picture reached the service, on the service's monotonic clock.
        faces: what was found, largest track history first.
        patches: replacements that wait to be put back.
        done: names of the stages that have finished with this frame; the seal reads it.
        grant: id of the consent under which it shows a real person's face; empty where it shows none.
    """

    i420: Bytes
    pts: int
    arrived: Nanos
    time_base: Fraction = RTP_CLOCK
    faces: tuple[Face, ...] = ()
    patches: tuple[Patch, ...] = ()
    done: set[str] = field(default_factory=set)
    grant: str = ""

    def __post_init__(self) -> None:
        shape, kind = self.i420.shape, self.i420.dtype
        if len(shape) != 2 or kind != np.uint8 or shape[0] % 3 or shape[1] % 2 or not self.i420.flags.c_contiguous:
            raise ValueError(
                f"a frame needs a C-contiguous uint8 array (height * 3 // 2, width) with even sides, got {kind} {shape}"
            )

    @classmethod
    def from_bgr(cls, picture: Bytes, *, pts: int = 0, arrived: Nanos = 0) -> Frame:
        """A frame from a (height, width, 3) uint8 BGR picture; odd sides lose their last row or column."""
        height, width = picture.shape[0] & ~1, picture.shape[1] & ~1
        even = np.ascontiguousarray(picture[:height, :width])
        return cls(np.asarray(cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420), np.uint8), pts, arrived)

    @property
    def width(self) -> int:
        return int(self.i420.shape[1])

    @property
    def height(self) -> int:
        return int(self.i420.shape[0]) * 2 // 3

    @property
    def instant(self) -> Nanos:
        """When the picture was taken, by its own time stamp: steadier than the time of its arrival."""
        return int(self.pts * self.time_base * 1_000_000_000)

    @property
    def y(self) -> Bytes:
        """(height, width) view of the luma plane."""
        return self.i420[: self.height]

    @property
    def u(self) -> Bytes:
        """(height // 2, width // 2) view of the blue-difference plane."""
        return self._chroma(0)

    @property
    def v(self) -> Bytes:
        """(height // 2, width // 2) view of the red-difference plane."""
        return self._chroma(1)

    def _chroma(self, index: int) -> Bytes:
        luma, size = self.width * self.height, self.width * self.height // 4
        start = luma + index * size
        return self.i420.reshape(-1)[start : start + size].reshape(self.height // 2, self.width // 2)

    def bgr(self) -> Bytes:
        """(height, width, 3) uint8 BGR copy of the whole picture: for tests and stills, never for the live path."""
        return np.asarray(cv2.cvtColor(self.i420, cv2.COLOR_YUV2BGR_I420), np.uint8)

    def roi(self, box: Box) -> Bytes:
        """(box.height, box.width, 3) uint8 BGR copy of a region with even edges inside the picture."""
        rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
        half_rows, half_columns = slice(box.top // 2, box.bottom // 2), slice(box.left // 2, box.right // 2)
        chroma = cv2.merge([self.u[half_rows, half_columns], self.v[half_rows, half_columns]])
        return np.asarray(cv2.cvtColorTwoPlane(self.y[rows, columns], chroma, cv2.COLOR_YUV2BGR_NV12), np.uint8)

    def shrink(self, size: tuple[int, int]) -> Bytes:
        """The whole picture at another size.

        Args:
            size: (width, height), both even, meant to be smaller than the frame.

        Returns:
            (height, width, 3) uint8 BGR, each pixel the mean of the area it covers.
        """
        return self.smaller(size).bgr()

    def smaller(self, size: tuple[int, int]) -> Frame:
        """A fresh frame with the same picture at another size: no faces, nothing done.

        Args:
            size: (width, height), both even, meant to be smaller than the frame.
        """
        width, height = size
        small = Frame(np.empty((height * 3 // 2, width), np.uint8), self.pts, self.arrived, self.time_base)
        for plane, target in ((self.y, small.y), (self.u, small.u), (self.v, small.v)):
            cv2.resize(plane, target.shape[::-1], dst=target, interpolation=cv2.INTER_AREA)
        return small

    def crop(self, matrix: Floats, size: tuple[int, int]) -> Bytes:
        """A resampled BGR crop, read straight from the planes.

        Args:
            matrix: (2, 3), maps frame pixels to crop pixels (pixel centres at whole numbers).
            size: (width, height) of the crop, both even.

        Returns:
            (height, width, 3) uint8 BGR; outside the picture the edge is repeated.
        """
        width, height = size
        out = Frame(np.empty((height * 3 // 2, width), np.uint8), self.pts, self.arrived)
        cv2.warpAffine(self.y, matrix, size, dst=out.y, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # A chroma sample sits in the middle of its 2 x 2 luma pixels: luma = 2 * chroma + 0.5 on both sides.
        half = np.asarray(matrix, np.float32).copy()
        half[:, 2] = (half[:, 2] + half[:, :2].sum(1) / 2 - 0.5) / 2
        for plane, target in ((self.u, out.u), (self.v, out.v)):
            cv2.warpAffine(
                plane,
                half,
                (width // 2, height // 2),
                dst=target,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return out.bgr()
