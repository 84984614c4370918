"""The stage that finishes a warped persona with the swap network: light, teeth, lids, and what is in front.

The network works in a crop of fixed size and says what to change; the change is laid onto the patch at the patch's own
size, so a face that is larger on screen than the crop keeps the detail of the persona's picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from livefake.clock import Nanos
from livefake.faces.geometry import inverse, transform
from livefake.frame import Box, Bytes, Floats, Frame, Patch, Planes
from livefake.overlay import lay
from livefake.planes import half_matrix
from livefake.swap.finish import finish_plane, open_mask
from livefake.swap.finisher import Finisher
from livefake.swap.guide import crop_for_net, kept_alive, net_planes

__all__ = ["OFF", "Refine", "without_specks"]

OFF: Final = 0
"""The rung on which the mesh warp is shown as it is."""
_DOUBT: Final = 0.5
_SPECK: Final = 0.006
"""Area of the largest hole in the mask that is a speck, as a share of the crop."""
_RIM: Final = np.ones((7, 7), np.uint8)
"""What reaches so near to the edge of the cover comes from beyond it, as a neighbourhood of every second pixel."""
_FADE: Final[Nanos] = 300_000_000
"""From mesh warp to network and back, nanoseconds: nobody sees the moment."""


def without_specks(mask: Floats, cover: Bytes) -> Floats:
    """A mask without the holes that are mistakes.

    A hand, a fringe or a frame of glasses is one large piece, and comes from beyond the face. A speck and an island in
    the middle of it are a highlight, a mole or a nostril that was taken for something in front of the face, and would
    show the performer's.

    Args:
        mask: (S, S) float32, 1 where the persona shows.
        cover: (S, S) uint8, as far as the mask may reach; holes beyond it do not matter.

    Returns:
        (S, S) float32, the mask itself where there is no such hole.
    """
    # Every second pixel tells what is large, and chance specks cost four times less.
    reach = np.ascontiguousarray(cover[::2, ::2])
    holes = ((mask[::2, ::2] < _DOUBT) & (reach > 0)).astype(np.uint8)
    if not holes.any():
        return mask
    # Labels of 16 bits, found in a third of the time.
    count, labels, facts, _ = cv2.connectedComponentsWithStats(holes, connectivity=8, ltype=cv2.CV_16U)
    middle = cv2.erode(reach, _RIM, borderType=cv2.BORDER_CONSTANT, borderValue=(0.0,))
    chosen = np.full(count, 255, np.uint8)
    chosen[labels[middle == 0]] = 0
    chosen[facts[:, cv2.CC_STAT_AREA] < _SPECK * holes.size] = 255
    # The first label is all that is no hole.
    chosen[0] = 0
    if not chosen.any():
        return mask
    # A little wider, because a hole has a soft rim.
    specks = cv2.dilate(chosen[labels], np.ones((3, 3), np.uint8))
    size = (mask.shape[1], mask.shape[0])
    filled = mask.copy()
    filled[cv2.resize(specks, size, interpolation=cv2.INTER_NEAREST) > 0] = 1
    return filled


class Refine:
    """Finishes the performer's patch; optional, so that a busy machine still shows the mesh warp.

    Args:
        finishers: by their size, the rungs of the quality ladder.
    """

    name = "refine"
    vital = False

    def __init__(self, finishers: Mapping[int, Finisher]) -> None:
        self._finishers: Mapping[int, Finisher] = {}
        self.rung = OFF
        """The size to work at from the next frame on; may be set from another thread."""
        self._working = OFF
        self._strength = 0.0
        self._last: Nanos | None = None
        self.wear(finishers)

    @property
    def rungs(self) -> Sequence[int]:
        """Sizes from the best to the cheapest, and ``OFF``."""
        return (*sorted(self._finishers, reverse=True), OFF)

    def wear(self, finishers: Mapping[int, Finisher]) -> None:
        """Change the network, from the next frame on; as good as before where the new one has that size."""
        stays = bool(self._finishers) and self.rung in (*finishers, OFF)
        if not stays:
            # Part of both ladders: whoever looks in between finds a rung that there is.
            self.rung = OFF
        self._finishers = dict(finishers)
        if not stays:
            self.rung = self.rungs[0]
        self.restart()

    @property
    def strength(self) -> float:
        """How much of the network is shown, 0..1."""
        return self._strength

    def restart(self) -> None:
        """Fade in anew: the mesh warp was shown a moment ago."""
        self._last = None

    def __call__(self, frame: Frame) -> Frame:
        """Replace the performer's patches by finished ones."""
        self._fade(frame.instant)
        net = self._finishers.get(self._working)
        if self._strength > 0 and net is not None:
            frame.patches = tuple(
                self._refined(frame, patch, net) if patch.face.performer else patch for patch in frame.patches
            )
        return frame

    def _fade(self, now: Nanos) -> None:
        if self._last is None:
            self._strength = 0.0
        gap = 0 if self._last is None else max(0, now - self._last)
        self._last = now
        # It fades out at its cheapest: whoever turns it off has no time for it.
        self._working = self.rung or min(self._finishers, default=OFF)
        step = min(1.0, max(gap, _FADE // 20) / _FADE)
        self._strength = min(1.0, max(0.0, self._strength + (step if self.rung else -step)))

    def _refined(self, frame: Frame, patch: Patch, net: Finisher) -> Patch:
        side = (net.size, net.size)
        matrix = crop_for_net(patch.face.points, net.size)
        # From the patch's own pixels to the crop's.
        shift = np.array([[1, 0, patch.box.left], [0, 1, patch.box.top], [0, 0, 1]], np.float32)
        placed = (matrix @ shift).astype(np.float32)
        under, front = frame.crop(matrix, side), patch.picture.crop(placed, side)
        cover = np.asarray(cv2.warpAffine(patch.mask, placed, side), np.uint8)
        live = under.bgr()
        lay(under, front, cover)
        guide = under.bgr()
        keep = kept_alive(transform(patch.face.points, matrix), net.size)
        change, shown = net.change(net_planes(live, guide, keep, cover))
        # Where the network is in doubt the persona shows: better a hand painted over than a face laid bare.
        reach = np.asarray(cv2.warpAffine(patch.solid, placed, side), np.uint8)
        seen = cv2.convertScaleAbs(without_specks(shown, reach), alpha=255 / _DOUBT)
        return self._laid(frame, patch, change, np.asarray(seen, np.uint8), placed)

    def _laid(self, frame: Frame, patch: Patch, change: Sequence[Floats], shown: Bytes, placed: Floats) -> Patch:
        """The network's change, of Y, U and V, and its mask on the patch, at the patch's own size."""
        box, half, back = patch.box, patch.box.halved(), inverse(placed)
        old, new, mask = patch.picture, Planes.empty(box.width, box.height), np.empty_like(patch.mask)
        seen = np.asarray(cv2.warpAffine(shown, back, (box.width, box.height), flags=cv2.INTER_LINEAR), np.uint8)
        open_mask(patch.solid, seen, self._strength, mask)
        skin, solid = (
            np.asarray(cv2.resize(one, (half.width, half.height), interpolation=cv2.INTER_AREA), np.uint8)
            for one in (patch.skin, patch.solid)
        )
        finish_plane(
            frame.y,
            box.top,
            box.left,
            old.y,
            patch.skin,
            patch.solid,
            _spread(change[0], back, box),
            self._strength,
            new.y,
        )
        back = half_matrix(back)
        for behind, warp, added, out in ((frame.u, old.u, change[1], new.u), (frame.v, old.v, change[2], new.v)):
            spread = _spread(added, back, half)
            finish_plane(behind, half.top, half.left, warp, skin, solid, spread, self._strength, out)
        return replace(patch, picture=new, mask=mask)


def _spread(plane: Floats, matrix: Floats, box: Box) -> Floats:
    """A plane of the crop where the patch lies; nothing beyond its edge."""
    return np.asarray(cv2.warpAffine(plane, matrix, (box.width, box.height), flags=cv2.INTER_LINEAR), np.float32)
