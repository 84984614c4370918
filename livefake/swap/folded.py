"""The swap network's second form, for processors: its input in blocks, its output before it is put together.

In the plain form (``planes`` in, ``made`` out) a fifth of the arithmetic takes most of the time: convolutions of a few
planes with wide kernels, and passes over pictures of full size. Here the planes come as blocks of 4 x 4 pixels,
channels last, so that the first convolutions are as dense as the others; and what comes out is the change on skin in
cells of 8 pixels, the free change, and the mask, which are put together in one pass here. Same weights, same picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import cv2
import numba
import numpy as np

from livefake.frame import Bytes, Floats

__all__ = [
    "BLOCK",
    "CELL",
    "FRONT",
    "KEEP",
    "SEEN",
    "SHIFT",
    "Folded",
    "folded_shapes",
    "put_together",
    "spread_change",
]

BLOCK: Final = 4
"""Side of a block, pixels; its pixels are channels."""
SHIFT: Final = 2
"""By how much the blocks begin outside the crop, pixels: the padding of the first convolutions, zeros."""
CELL: Final = 8
"""Side of the cells of the change on skin, pixels."""
SEEN: Final = slice(0, 11)
"""Planes that the picture is made from; see ``net_planes``."""
FRONT: Final = slice(10, 14)
"""Planes that the mask looks at."""
KEEP: Final = 9
"""Plane of live eyes and mouth, where the picture is free."""
_LOW: Final = 6


def folded_shapes(side: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the inputs for crops of one size.

    Args:
        side: of the crop, pixels, a multiple of 32.

    Returns:
        ``seen`` and ``front``: (1, S / 4 + 1, S / 4 + 1, planes * 16); ``cells``: (1, 6, S / 8, S / 8).
    """
    blocks, size = side // BLOCK + 1, BLOCK**2
    return {
        "seen": (1, blocks, blocks, (SEEN.stop - SEEN.start) * size),
        "front": (1, blocks, blocks, (FRONT.stop - FRONT.start) * size),
        "cells": (1, _LOW, side // CELL, side // CELL),
    }


class Folded:
    """Makes the input, in memory of its own.

    Args:
        side: of the crop, pixels, a multiple of 32.
    """

    def __init__(self, side: int) -> None:
        self._arrays = {name: np.zeros(shape, np.float32) for name, shape in folded_shapes(side).items()}

    def __call__(self, planes: Bytes) -> Mapping[str, Floats]:
        """Fold (14, S, S) uint8 planes; valid until the next call."""
        for name, chosen in (("seen", SEEN), ("front", FRONT)):
            _fold(planes[chosen], self._arrays[name][0])
        _means(planes[:_LOW], self._arrays["cells"][0])
        return self._arrays


@numba.njit("void(uint8[:, :, ::1], float32[:, :, ::1])", cache=True, nogil=True, fastmath=True)
def _fold(planes: Bytes, blocks: Floats) -> None:
    """(P, S, S) levels to (S / 4 + 1, S / 4 + 1, P * 16) shares: plane, row and column in the block."""
    size, last, scale = planes.shape[1], blocks.shape[1] - 1, np.float32(1 / 255)
    for down in range(blocks.shape[0]):
        line = blocks[down]
        for plane in range(planes.shape[0]):
            for row in range(4):
                y = down * 4 + row - 2
                if y < 0 or y >= size:
                    continue
                levels, place = planes[plane, y], np.uintp(plane * 16 + row * 4)
                # Half of the first block and of the last lies outside.
                line[0, place + 2], line[0, place + 3] = levels[0] * scale, levels[1] * scale
                line[last, place] = levels[size - 2] * scale
                line[last, place + 1] = levels[size - 1] * scale
                for across in range(1, last):
                    left = np.uintp(across * 4 - 2)
                    line[across, place] = np.float32(levels[left]) * scale
                    line[across, place + 1] = np.float32(levels[left + 1]) * scale
                    line[across, place + 2] = np.float32(levels[left + 2]) * scale
                    line[across, place + 3] = np.float32(levels[left + 3]) * scale


@numba.njit("void(uint8[:, :, ::1], float32[:, :, ::1])", cache=True, nogil=True, fastmath=True)
def _means(planes: Bytes, cells: Floats) -> None:
    """(P, S, S) levels to the mean share of each cell, (P, S / 8, S / 8): not rounded, as the network has learnt it."""
    across = cells.shape[2]
    sums = np.empty(across * 8, np.uint16)
    for plane in range(cells.shape[0]):
        for down in range(cells.shape[1]):
            sums[:] = 0
            for row in range(8):
                levels = planes[plane, down * 8 + row]
                for x in range(across * 8):
                    sums[x] += np.uint16(levels[x])
            for cell in range(across):
                total = np.int32(0)
                for x in range(8):
                    total += np.int32(sums[cell * 8 + x])
                cells[plane, down, cell] = np.float32(total) * np.float32(1 / 255 / 64)


def spread_change(skin: Floats, fine: Floats, keep: Bytes) -> tuple[Floats, Floats, Floats]:
    """The change of a picture in luma and chroma (ITU-R BT.601, studio range).

    Args:
        skin: (3, S / 8, S / 8) float32, blue, green, red: what is added on skin, 1 for 255 levels.
        fine: (S / 4, S / 4, 48) float32, likewise where the picture is free: colour, row and column in the block.
        keep: (S, S) uint8, where it is.

    Returns:
        Levels to add, float32: of Y (S, S), and of U and V (S / 2, S / 2).
    """
    levels = np.float32(0.114) * skin[0] + np.float32(0.587) * skin[1] + np.float32(0.299) * skin[2]
    soft = levels * np.float32(219)
    blue, red = (skin[0] - levels) * np.float32(112 / 0.886), (skin[2] - levels) * np.float32(112 / 0.701)
    side = keep.shape[0]
    luma, blueness, redness = (
        np.asarray(cv2.resize(cells, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
        for cells, size in ((soft, side), (blue, side // 2), (red, side // 2))
    )
    _free(fine, keep, luma, blueness, redness)
    return luma, blueness, redness


@numba.njit(
    "void(float32[:, :, ::1], uint8[:, ::1], float32[:, ::1], float32[:, ::1], float32[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def _free(fine: Floats, keep: Bytes, luma: Floats, blueness: Floats, redness: Floats) -> None:
    """Move from the change on skin to the free one, where that is kept."""
    for half in range(blueness.shape[0]):
        for column in range(blueness.shape[1]):
            blues, reds, shares = np.float32(0), np.float32(0), np.float32(0)
            for y in range(2 * half, 2 * half + 2):
                for x in range(2 * column, 2 * column + 2):
                    if keep[y, x] == 0:
                        continue
                    share = np.float32(keep[y, x]) * np.float32(1 / 255)
                    block, place = fine[y >> 2, x >> 2], (y & 3) * 4 + (x & 3)
                    blue, green, red = block[place], block[16 + place], block[32 + place]
                    level = np.float32(0.114) * blue + np.float32(0.587) * green + np.float32(0.299) * red
                    luma[y, x] += share * (level * np.float32(219) - luma[y, x])
                    blues += share * (blue - level) * np.float32(0.25 * 112 / 0.886)
                    reds += share * (red - level) * np.float32(0.25 * 112 / 0.701)
                    shares += share * np.float32(0.25)
            if shares > 0:
                blueness[half, column] += blues - shares * blueness[half, column]
                redness[half, column] += reds - shares * redness[half, column]


def put_together(planes: Bytes, results: Mapping[str, Floats]) -> Floats:
    """What the plain form makes of the same planes.

    Args:
        planes: (14, S, S) uint8.
        results: ``skin``, ``fine`` and ``mask``, as the network gives them, (1, ...) each.

    Returns:
        (4, S, S) float32, 0..1: blue, green, red and mask.
    """
    size = (planes.shape[2], planes.shape[1])
    keep = planes[KEEP].astype(np.float32) / 255
    made = np.empty((4, *planes.shape[1:]), np.float32)
    blocks = results["fine"][0].reshape(size[1] // BLOCK, size[0] // BLOCK, 3, BLOCK, BLOCK)
    free = blocks.transpose(2, 0, 3, 1, 4).reshape(3, *planes.shape[1:])
    for channel, (cells, fine) in enumerate(zip(results["skin"][0], free, strict=True)):
        soft = np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR), np.float32)
        guide = planes[channel].astype(np.float32) / 255
        made[channel] = np.clip(guide + soft + keep * (fine - soft), 0, 1)
    made[3] = results["mask"][0, 0]
    return made
