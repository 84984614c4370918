"""Where the mark lives: the waves of a 256 x 256 tile, and which of them carry what.

Everything here follows from one public sentence, so that any implementation can build the same carrier:

1.  Modes. A mode is a wave with ``row`` and ``column`` whole cycles per tile, neither of them 0, and a radius
    ``sqrt(row**2 + column**2)`` from 4 to 26: wavelengths of 10 to 64 pixels, which a codec keeps at low rates.
    Of two opposite modes the one with ``row > 0`` counts. They are sorted by (radius, row, column).
2.  Chance. ``SHAKE-256(PUBLIC_SEED)``, read as big-endian 32-bit words: one per mode, ``2 pi word / 2**32`` is
    its phase; then ``CODED_BITS`` words per round of data modes.
3.  Pilots. 160 modes at even distances in the sorted list carry no data; they tell where the tile begins.
4.  Data. The other modes take the coded bits in rounds, each round in the order that sorts its words.
    Bit 0 keeps a wave's phase, bit 1 turns it by half a cycle.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.frame import Floats
from livefake.trust.watermark.code import CODED_BITS

__all__ = ["LINES", "PUBLIC_SEED", "TILE", "Carrier", "Complexes", "canvas_size"]

TILE: Final = 256
"""Side of the tile, in pixels of the canvas."""

LINES: Final = 720
"""Short side of the canvas: the size a picture is brought to before it is marked or read."""

PUBLIC_SEED: Final = b"livefake public watermark carrier, version 1"

_RADII: Final = (4.0, 26.0)
_PILOTS: Final = 160
_PILOT_GAIN: Final = 1.15
_RING: Final = 2.1
_REACH: Final = int(_RADII[1])
_CREST: Final = 2.6
_TILT: Final = 0.65

Complexes = NDArray[np.complex128]
Indices = NDArray[np.int64]


def canvas_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) of the canvas for a picture: same shape, short side ``LINES``."""
    scale = LINES / min(width, height)
    return round(width * scale), round(height * scale)


class Carrier:
    """The modes of the tile.

    Attributes:
        rows, columns: (N,) int64, cycles per tile of each mode.
        phases: (N,) complex128 of modulus 1, the phase of each mode before data.
        pilot: (N,) bool, modes without data.
        data: indices of the modes with data.
        bits: for each of ``data``, the index of the coded bit it carries, 0..CODED_BITS - 1.
        ring: (N,) int64, modes of similar wavelength share a number, from 0; they suffer alike in a codec.
    """

    def __init__(self) -> None:
        self.rows, self.columns = _half_plane()
        radius = np.hypot(self.rows, self.columns)
        count = len(radius)
        self.pilot = np.zeros(count, bool)
        self.pilot[np.round(np.linspace(0, count - 1, _PILOTS)).astype(np.int64)] = True
        self.data: Indices = np.flatnonzero(~self.pilot)
        rounds = -(-len(self.data) // CODED_BITS)
        stream = hashlib.shake_256(PUBLIC_SEED).digest(4 * (count + rounds * CODED_BITS))
        words = np.frombuffer(stream, ">u4").astype(np.int64)
        self.phases: Complexes = np.exp(2j * np.pi * words[:count] / 2**32)
        shuffled = words[count:].reshape(rounds, CODED_BITS).argsort(1, kind="stable")
        self.bits: Indices = shuffled.reshape(-1)[: len(self.data)]
        self.ring: Indices = ((radius - _RADII[0]) / _RING).astype(np.int64)
        # Natural pictures hold less at short wavelengths, codecs quantise those harder: a measured compromise.
        self._gain = (radius.mean() / radius) ** _TILT * np.where(self.pilot, _PILOT_GAIN, 1.0)

        cycles = np.arange(TILE) / TILE
        self._down = np.exp(-2j * np.pi * np.outer(np.arange(1, _REACH + 1), cycles)).astype(np.complex64)
        self._right = np.exp(-2j * np.pi * np.outer(cycles, np.arange(-_REACH, _REACH + 1))).astype(np.complex64)
        places = {
            place: index for index, place in enumerate(zip(self.rows.tolist(), self.columns.tolist(), strict=True))
        }
        opposite = zip(self.rows.tolist(), (-self.columns).tolist(), strict=True)
        self._opposite: Indices = np.array([places[place] for place in opposite], np.int64)
        self._mirror_turn = np.exp(2j * np.pi * self.columns / TILE)

    @property
    def rings(self) -> int:
        """How many groups of similar wavelength there are."""
        return int(self.ring.max()) + 1

    def tile(self, coded: NDArray[np.uint8]) -> Floats:
        """The pattern of (CODED_BITS,) bits 0 or 1: (TILE, TILE) float32, periodic, mean about 0, deviation 1."""
        signs = np.ones(len(self.phases))
        signs[self.data] = 1.0 - 2.0 * coded[self.bits]
        pattern = self.synthesise(self._gain * self.phases * signs)
        pattern /= pattern.std()
        # A lower crest spends the same energy with fewer visible spots.
        pattern = np.clip(pattern, -_CREST, _CREST)
        return np.asarray(pattern / pattern.std(), np.float32)

    def analyse(self, tile: Floats) -> Complexes:
        """The (N,) complex amplitude of every mode in a (TILE, TILE) picture."""
        waves = self._down @ np.asarray(tile, np.float32) @ self._right
        return np.asarray(waves[self.rows - 1, self.columns + _REACH], np.complex128)

    def synthesise(self, amplitudes: Complexes, chosen: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """The (TILE, TILE) real picture whose modes (or the ``chosen`` ones) have these complex amplitudes."""
        rows, columns = (self.rows, self.columns) if chosen is None else (self.rows[chosen], self.columns[chosen])
        spectrum = np.zeros((TILE, TILE // 2 + 1), np.complex128)
        right = columns > 0
        spectrum[rows[right], columns[right]] = amplitudes[right]
        spectrum[-rows[~right], -columns[~right]] = amplitudes[~right].conj()
        return np.asarray(np.fft.irfft2(spectrum, (TILE, TILE)), np.float64)

    def mirrored(self, waves: Complexes) -> Complexes:
        """The modes (..., N) of a tile that was turned left to right, from the modes of the tile as it was."""
        return np.asarray(waves[..., self._opposite] * self._mirror_turn, np.complex128)

    def turned(self, down: int, right: int) -> Complexes:
        """The (N,) factors that turn the modes of a tile begun ``down``, ``right`` pixels late into the tile's own."""
        return np.asarray(np.exp(2j * np.pi * (self.rows * down + self.columns * right) / TILE), np.complex128)


def _half_plane() -> tuple[Indices, Indices]:
    """Rows and columns of the modes, sorted by radius, then row, then column."""
    rows, columns = np.meshgrid(np.arange(1, _REACH + 1), np.arange(-_REACH, _REACH + 1), indexing="ij")
    squared = rows**2 + columns**2
    inside = (columns != 0) & (squared >= _RADII[0] ** 2) & (squared <= _RADII[1] ** 2)
    order = np.lexsort((columns[inside], rows[inside], squared[inside]))
    return rows[inside][order], columns[inside][order]
