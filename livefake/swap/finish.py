"""The inner loops of refining: what the network changes, turned into luma and chroma and laid onto a patch."""

from __future__ import annotations

import numba
import numpy as np

from livefake.frame import Bytes, Floats

__all__ = ["finish_plane", "open_mask", "split_change"]


@numba.njit(
    "void(float32[:, :, ::1], uint8[:, :, ::1], float32[:, ::1], float32[:, ::1], float32[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def split_change(made: Floats, guide: Bytes, luma: Floats, blueness: Floats, redness: Floats) -> None:
    """The difference of two pictures in luma and chroma (ITU-R BT.601, studio range).

    Args:
        made: (3, S, S) float32, 0..1: blue, green and red, as the network gives them.
        guide: (S, S, 3) uint8 BGR, what it started from.
        luma: (S, S) float32, written: levels of Y to add.
        blueness, redness: (S / 2, S / 2) float32, written: levels of U and V to add, each the mean of its four pixels.
    """
    for row in range(blueness.shape[0]):
        for column in range(blueness.shape[1]):
            blues, reds, lumas = np.float32(0), np.float32(0), np.float32(0)
            for y in range(2 * row, 2 * row + 2):
                for x in range(2 * column, 2 * column + 2):
                    blue = made[0, y, x] * np.float32(255) - np.float32(guide[y, x, 0])
                    green = made[1, y, x] * np.float32(255) - np.float32(guide[y, x, 1])
                    red = made[2, y, x] * np.float32(255) - np.float32(guide[y, x, 2])
                    # Full-range luma first; studio range is a share of it.
                    level = np.float32(0.114) * blue + np.float32(0.587) * green + np.float32(0.299) * red
                    luma[y, x] = level * np.float32(219 / 255)
                    blues, reds, lumas = blues + blue, reds + red, lumas + level
            blueness[row, column] = (blues - lumas) * np.float32(0.25 * 112 / 255 / 0.886)
            redness[row, column] = (reds - lumas) * np.float32(0.25 * 112 / 255 / 0.701)


@numba.njit("void(uint8[:, ::1], float32[:, ::1], float32, uint8[:, ::1])", cache=True, nogil=True, fastmath=True)
def open_mask(solid: Bytes, shown: Floats, strength: float, mask: Bytes) -> None:
    """The mask of a finished patch: as far as it may reach, less what is in front of the face.

    Args:
        solid: (H, W) uint8, see ``Patch``.
        shown: (H, W) float32, the network's mask, 0 where something is in front to 1 where the persona shows.
        strength: 0..1, how much of the network's work is taken.
        mask: (H, W) uint8, written.
    """
    share = np.float32(strength)
    for y in range(solid.shape[0]):
        reaches, seen, out = solid[y], shown[y], mask[y]
        for x in range(solid.shape[1]):
            reach = np.float32(reaches[x])
            # Where the network is in doubt the persona shows: better a hand painted over than a face laid bare.
            wanted = min(max(np.float32(510) * seen[x], np.float32(0)), reach)
            out[x] = np.uint8(reach + share * (wanted - reach) + np.float32(0.5))


@numba.njit(
    "void(uint8[:, ::1], int64, int64, uint8[:, ::1], uint8[:, ::1], uint8[:, ::1], float32[:, ::1], float32,"
    " uint8[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def finish_plane(  # noqa: PLR0917 - compiled code: arguments by position
    live: Bytes,
    top: int,
    left: int,
    warp: Bytes,
    skin: Bytes,
    solid: Bytes,
    change: Floats,
    strength: float,
    pixels: Bytes,
) -> None:
    """Finish one plane of a patch: the warp on its skin, live eyes and mouth, and the network's change on all of it.

    At strength 0 the result, once blended, is the mesh warp's; so strength can rise and fall without a jump.

    Args:
        live: (rows, columns) uint8, the plane of the frame.
        top, left: where the patch lies in it.
        warp: (H, W) uint8, the plane of the mesh warp in the live colours.
        skin, solid: (H, W) uint8, see ``Patch``, at the size of the plane.
        change: (H, W) float32, levels that the network adds.
        strength: 0..1, how much of the network's work is taken.
        pixels: (H, W) uint8, written.
    """
    width, share = solid.shape[1], np.float32(strength)
    for y in range(solid.shape[0]):
        behind, front = live[top + y, left : left + width], warp[y]
        reaches, skins, changes, out = solid[y], skin[y], change[y], pixels[y]
        for x in range(width):
            part = min(np.float32(1), np.float32(skins[x]) / max(np.float32(reaches[x]), np.float32(1)))
            level = np.float32(behind[x])
            level += part * (np.float32(front[x]) - level) + share * changes[x] + np.float32(0.5)
            out[x] = np.uint8(min(max(level, np.float32(16)), np.float32(240)))
