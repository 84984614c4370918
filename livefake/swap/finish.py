"""The inner loop of refining: what the network changes, laid onto a patch at its full size."""

from __future__ import annotations

import numba

from livefake.frame import Bytes, Floats

__all__ = ["finish"]


@numba.njit(
    "void(uint8[:, :, ::1], uint8[:, :, ::1], uint8[:, ::1], uint8[:, ::1], float32[:, :, ::1], float32,"
    " uint8[:, :, ::1], uint8[:, ::1])",
    cache=True,
    nogil=True,
    fastmath=True,
)
def finish(  # noqa: PLR0917 - compiled code: arguments by position
    live: Bytes,
    warp: Bytes,
    skin: Bytes,
    solid: Bytes,
    change: Floats,
    strength: float,
    pixels: Bytes,
    mask: Bytes,
) -> None:
    """Finish a patch: warp where its skin shows, live eyes and mouth, and the network's change on all of it.

    At strength 0 the result, once blended, is the mesh warp's; so strength can rise and fall without a jump.

    Args:
        live: (H, W, 3) uint8 BGR, the picture behind the patch.
        warp: (H, W, 3) uint8 BGR, the mesh warp in the live colours.
        skin, solid: (H, W) uint8, see ``Patch``.
        change: (H, W, 4) float32: what the network adds to blue, green and red, levels; and its mask, -255 where
            something is in front of the face to 0 where the persona shows.
        strength: 0..1, how much of the network's work is taken.
        pixels: (H, W, 3) uint8, written.
        mask: (H, W) uint8, written.
    """
    for y in range(solid.shape[0]):
        for x in range(solid.shape[1]):
            reach = float(solid[y, x])
            if reach == 0:
                mask[y, x] = 0
                for channel in range(3):
                    pixels[y, x, channel] = warp[y, x, channel]
                continue
            share = min(1.0, float(skin[y, x]) / reach)
            # Where the network is in doubt the persona shows: better a hand painted over than a face laid bare.
            wanted = max(0.0, min(reach, 2.0 * (255.0 + change[y, x, 3])))
            mask[y, x] = int(reach + strength * (wanted - reach) + 0.5)
            for channel in range(3):
                behind = float(live[y, x, channel])
                level = behind + share * (float(warp[y, x, channel]) - behind) + strength * change[y, x, channel]
                pixels[y, x, channel] = int(min(255.0, max(0.0, level + 0.5)))
