"""A picture in I420 (planar YUV 4:2:0, ITU-R BT.601 studio range), whole or a region: three planes in one array.

Chroma has half the size of luma on both sides; a sample of it sits in the middle of its 2 x 2 luma pixels, so that
``luma = 2 * chroma + 0.5`` on both sides, with pixel centres at whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Bytes", "Floats", "Planes", "half_matrix"]

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def half_matrix(matrix: Floats) -> Floats:
    """What an affine map of luma pixels is for chroma samples.

    Args:
        matrix: (2, 3), luma pixels of one picture to those of another.

    Returns:
        (2, 3) float32, chroma samples of the one to those of the other.
    """
    half = np.asarray(matrix, np.float32).copy()
    half[:, 2] = (half[:, 2] + half[:, :2].sum(1) / 2 - 0.5) / 2
    return half


@dataclass(slots=True, eq=False)
class Planes:
    """A picture in I420.

    Attributes:
        i420: (height * 3 // 2, width) uint8, C-contiguous: the Y plane, then U, then V. Width and height are even.
    """

    i420: Bytes

    def __post_init__(self) -> None:
        shape, kind = self.i420.shape, self.i420.dtype
        if len(shape) != 2 or kind != np.uint8 or shape[0] % 3 or shape[1] % 2 or not self.i420.flags.c_contiguous:
            raise ValueError(
                f"a frame needs a C-contiguous uint8 array (height * 3 // 2, width) with even sides, got {kind} {shape}"
            )

    @staticmethod
    def empty(width: int, height: int) -> Planes:
        """Planes that are yet to be written; both sides even."""
        return Planes(np.empty((height * 3 // 2, width), np.uint8))

    @staticmethod
    def of_bgr(picture: Bytes) -> Planes:
        """Planes of a (height, width, 3) uint8 BGR picture; odd sides lose their last row or column."""
        height, width = picture.shape[0] & ~1, picture.shape[1] & ~1
        even = np.ascontiguousarray(picture[:height, :width])
        return Planes(np.asarray(cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420), np.uint8))

    @property
    def width(self) -> int:
        return int(self.i420.shape[1])

    @property
    def height(self) -> int:
        return int(self.i420.shape[0]) * 2 // 3

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
        """(height, width, 3) uint8 BGR copy. Of a whole frame: for tests and stills, never for the live path."""
        return np.asarray(cv2.cvtColor(self.i420, cv2.COLOR_YUV2BGR_I420), np.uint8)

    def rgb(self) -> Bytes:
        """(height, width, 3) uint8 RGB copy; see ``bgr``."""
        return np.asarray(cv2.cvtColor(self.i420, cv2.COLOR_YUV2RGB_I420), np.uint8)

    def copy(self) -> Planes:
        """The same planes in memory of their own."""
        return Planes(self.i420.copy())

    def shrunk(self, size: tuple[int, int]) -> Planes:
        """The whole picture at another size.

        Args:
            size: (width, height), both even, meant to be smaller than the picture.

        Returns:
            A picture whose pixels are means of the area they cover.
        """
        small = Planes.empty(*size)
        _shrink(self.y, small.y)
        _shrink(self.u, small.u)
        _shrink(self.v, small.v)
        return small

    def crop(self, matrix: Floats, size: tuple[int, int]) -> Planes:
        """A resampled part, read straight from the planes.

        Args:
            matrix: (2, 3), maps this picture's pixels to those of the crop.
            size: (width, height) of the crop, both even.

        Returns:
            The crop; outside the picture the edge is repeated.
        """
        out, half = Planes.empty(*size), half_matrix(matrix)
        for plane, target, move in ((self.y, out.y, matrix), (self.u, out.u, half), (self.v, out.v, half)):
            cv2.warpAffine(
                plane,
                move,
                (target.shape[1], target.shape[0]),
                dst=target,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return out


def _shrink(plane: Bytes, target: Bytes) -> None:
    # A pixel costs several times less at exactly half the size than at any other share.
    while plane.shape[0] >= 2 * target.shape[0] and plane.shape[1] >= 2 * target.shape[1]:
        half = (plane.shape[1] // 2, plane.shape[0] // 2)
        plane = np.asarray(cv2.resize(plane, half, interpolation=cv2.INTER_AREA), np.uint8)
    cv2.resize(plane, (target.shape[1], target.shape[0]), dst=target, interpolation=cv2.INTER_AREA)
