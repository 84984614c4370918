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
        guide: (3, S, S) uint8, what it started from.
        luma: (S, S) float32, written: levels of Y to add.
        blueness, redness: (S / 2, S / 2) float32, written: levels of U and V to add, each the mean of its four pixels.
    """
    size = luma.shape[1]
    blues, reds = np.empty((2, size), np.float32), np.empty((2, size), np.float32)
    for half in range(blueness.shape[0]):
        # One simple loop a row: the compiler fills vector registers only then.
        for which in range(2):
            row = 2 * half + which
            blue_made, green_made, red_made = made[0, row], made[1, row], made[2, row]
            blue_from, green_from, red_from = guide[0, row], guide[1, row], guide[2, row]
            levels, to_blue, to_red = luma[row], blues[which], reds[which]
            for x in range(size):
                blue = blue_made[x] * np.float32(255) - np.float32(blue_from[x])
                green = green_made[x] * np.float32(255) - np.float32(green_from[x])
                red = red_made[x] * np.float32(255) - np.float32(red_from[x])
                # Full-range luma first; studio range is a share of it.
                level = np.float32(0.114) * blue + np.float32(0.587) * green + np.float32(0.299) * red
                levels[x] = level * np.float32(219 / 255)
                to_blue[x] = (blue - level) * np.float32(0.25 * 112 / 255 / 0.886)
                to_red[x] = (red - level) * np.float32(0.25 * 112 / 255 / 0.701)
        for x in range(size // 2):
            blueness[half, x] = blues[0, 2 * x] + blues[0, 2 * x + 1] + blues[1, 2 * x] + blues[1, 2 * x + 1]
            redness[half, x] = reds[0, 2 * x] + reds[0, 2 * x + 1] + reds[1, 2 * x] + reds[1, 2 * x + 1]


@numba.njit("void(uint8[:, ::1], uint8[:, ::1], float32, uint8[:, ::1])", cache=True, nogil=True, fastmath=True)
def open_mask(solid: Bytes, shown: Bytes, strength: float, mask: Bytes) -> None:
    """The mask of a finished patch: as far as it may reach, less what is in front of the face.

    Args:
        solid: (H, W) uint8, see ``Patch``.
        shown: (H, W) uint8, 0 where something is in front for certain to 255 where the persona shows.
        strength: 0..1, how much of the network's work is taken.
        mask: (H, W) uint8, written.
    """
    share = np.float32(strength)
    for y in range(solid.shape[0]):
        reaches, seen, out = solid[y], shown[y], mask[y]
        for x in range(solid.shape[1]):
            reach = np.float32(reaches[x])
            wanted = min(np.float32(seen[x]), reach)
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
