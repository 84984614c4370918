"""Trying sizes with the pilots themselves: where a picture is like itself anyhow, its own likeness says little."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from livefake.frame import Floats
from livefake.trust.watermark.carrier import LINES, TILE, Carrier, Complexes
from livefake.trust.watermark.tiles import Pose, straightened

__all__ = ["Guess", "Scanner"]

Guess = tuple[float, Pose, bool]
"""(how far the pilots stand out, pose, mirrored)."""

_SCALES: Final = (0.46, 2.25)
_STEP: Final = 0.008
_SIDE: Final = TILE // 2
_PART: Final = (3, 5)
_LARGER: Final = 1.3


class Scanner:
    """Scores poses in half the size, which holds all waves of the mark.

    A marked picture has ``LINES`` lines. Where a pose says that there are clearly more, the mark may fill a part
    only, a picture in a picture: windows of its size are tried in steps of a tile.

    Args:
        carrier: public.
        picture: whitened, at full size.
    """

    def __init__(self, carrier: Carrier, picture: Floats) -> None:
        size = (max(1, picture.shape[1] // 2), max(1, picture.shape[0] // 2))
        self._picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
        chosen = carrier.pilot
        self._rows, self._columns = carrier.rows[chosen], carrier.columns[chosen]
        self._ring = carrier.ring[chosen]
        self._phases = carrier.phases[chosen].conj()
        reach = int(max(self._rows.max(), np.abs(self._columns).max()))
        cycles = np.arange(_SIDE) / _SIDE
        self._down = np.exp(-2j * np.pi * np.outer(np.arange(reach + 1), cycles)).astype(np.complex64)
        self._right = np.exp(-2j * np.pi * np.outer(cycles, np.arange(-reach, reach + 1))).astype(np.complex64)
        self._reach = reach

    def sizes(self) -> list[Guess]:
        """Every size from 0.46 to 2.25, upright."""
        steps = np.arange(np.log(_SCALES[0]), np.log(_SCALES[1]), _STEP)
        return [guess for scale in np.exp(steps).tolist() for guess in self.score(Pose(scale, 0.0))]

    def score(self, pose: Pose) -> list[Guess]:
        """The best part of a picture in one pose: as it is, and mirrored."""
        tiles = self._modes(straightened(self._picture, pose))
        power = np.bincount(self._ring, np.square(np.abs(tiles)).mean((0, 1, 2)))
        count = np.maximum(np.bincount(self._ring), 1)
        tiles = tiles / (np.sqrt(power / count)[self._ring] + 1e-9)
        parts = self._parts(tiles.shape[0], tiles.shape[1])
        sums = np.stack([tiles[top:bottom, left:right].sum((0, 1)) for top, bottom, left, right in parts])
        guesses = []
        for mirrored in (False, True):
            scores = self._standing_out(sums, mirrored)
            best = int(scores.argmax())
            tiles_of = parts[best] if best else None
            guesses.append((float(scores[best]), Pose(pose.scale, pose.rotation, tiles_of), mirrored))
        return guesses

    def _parts(self, down: int, across: int) -> list[tuple[int, int, int, int]]:
        """All of it, then windows of one marked picture's size where there is room for more than one."""
        parts = [(0, down, 0, across)]
        if down * _SIDE * 2 < _LARGER * LINES + TILE:
            return parts
        for tall, wide in {_PART, _PART[::-1]}:
            if tall <= down and wide <= across:
                parts += [(y, y + tall, x, x + wide) for y in range(down - tall + 1) for x in range(across - wide + 1)]
        return parts

    def _modes(self, picture: Floats) -> Complexes:
        """(down, across, 2, pilots) modes of every tile at the pilots' places, and at the places of their mirrors."""
        height, width = picture.shape
        down, across = -(-height // _SIDE), -(-width // _SIDE)
        padded = np.zeros((down * _SIDE, across * _SIDE), np.float32)
        padded[:height, :width] = picture
        tiles = padded.reshape(down, _SIDE, across, _SIDE).swapaxes(1, 2)
        waves = self._down @ tiles @ self._right
        straight = waves[..., self._rows, self._columns + self._reach]
        mirrored = waves[..., self._rows, self._reach - self._columns]
        return np.stack([straight, mirrored], 2)

    def _standing_out(self, sums: Complexes, mirrored: bool) -> Floats:
        """For each of (P, 2, pilots) sums: how far the pilots stand out at their best place."""
        plain = sums[:, int(mirrored)] * self._phases
        spectrum = np.zeros((len(plain), _SIDE, _SIDE // 2 + 1), np.complex64)
        right = self._columns > 0
        spectrum[:, self._rows[right], self._columns[right]] = plain[:, right]
        spectrum[:, -self._rows[~right], -self._columns[~right]] = plain[:, ~right].conj()
        found = np.fft.irfft2(spectrum, (_SIDE, _SIDE))
        return np.asarray(found.max((1, 2)) / (found.std((1, 2)) + 1e-12), np.float32)
