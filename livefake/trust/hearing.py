"""Listening to a code that is read aloud: how long somebody spoke, and a hash of what was heard.

No sound is kept and no word is understood: the hash lets a recording that the person or the operator kept be matched
with the grant later, and the loudness tells speech from silence, a steady hum and a single bang.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.clock import Nanos

__all__ = ["RATE", "Hearing"]

RATE: Final = 16_000
"""Samples a second."""

_PIECE: Final = 320
_PIECE_LASTS: Final[Nanos] = _PIECE * 1_000_000_000 // RATE
_JITTER: Final[Nanos] = 500_000_000
_LONGEST: Final = 60 * RATE // _PIECE
# Decibels below full scale: a whisper into a good microphone, and how far speech stands above the room.
_FAINT: Final = -50.0
_ABOVE: Final = 9.0
_FLOOR: Final = 20
# Shorter gaps are inside a word.
_GAP: Final = 4


class Hearing:
    """Takes sound in order of time, from one instant on.

    Args:
        since: what was said before does not count.
    """

    def __init__(self, since: Nanos) -> None:
        self._since = since
        self._end = since
        self._hash = hashlib.sha256()
        self._left = np.empty(0, np.int16)
        self._levels: list[float] = []

    def hear(self, pcm: NDArray[np.int16], at: Nanos) -> None:
        """Take a piece of sound.

        Args:
            pcm: (N,) int16, mono, 16 kHz.
            at: instant of its first sample, on the clock of the pictures. Half a second of jitter is forgiven; what is
                older than the sound before it, as when a clock jumps back, is not heard. After a minute
                nothing is.

        Raises:
            ValueError: it is something else.
        """
        if pcm.ndim != 1 or pcm.dtype != np.int16:
            raise ValueError(f"sound should be (N,) int16, got {pcm.dtype} {pcm.shape}")
        if at < max(self._since, self._end - _JITTER) or len(self._levels) >= _LONGEST:
            return
        if at > self._end + _JITTER:
            self._left = np.empty(0, np.int16)
        self._end = max(self._end, at + len(pcm) * 1_000_000_000 // RATE)
        self._hash.update(pcm.astype("<i2").tobytes())
        joined = np.concatenate([self._left, pcm])
        count = len(joined) // _PIECE
        self._left = joined[count * _PIECE :]
        pieces = joined[: count * _PIECE].reshape(count, _PIECE).astype(np.float64) / 32768
        power = np.maximum((pieces**2).mean(1), 1e-12)
        self._levels.extend((10 * np.log10(power)).tolist())

    @property
    def heard(self) -> bool:
        """Whether any sound arrived that is not plain silence."""
        return max(self._levels, default=-120.0) > _FAINT

    @property
    def spoken(self) -> Nanos:
        """For how long somebody spoke, gaps left out."""
        return int(self._loud().sum()) * _PIECE_LASTS

    @property
    def groups(self) -> int:
        """How many times somebody began to speak."""
        loud = np.flatnonzero(self._loud())
        return int(loud.size > 0) + int((np.diff(loud) > _GAP).sum())

    @property
    def quiet(self) -> Nanos:
        """How long ago somebody spoke last, at the end of what was heard."""
        loud = np.flatnonzero(self._loud())
        return (len(self._levels) - 1 - int(loud[-1]) if loud.size else len(self._levels)) * _PIECE_LASTS

    @property
    def digest(self) -> str:
        """SHA-256 of all that was heard, as little-endian 16-bit samples, hexadecimal."""
        return self._hash.hexdigest()

    def _loud(self) -> NDArray[np.bool_]:
        levels = np.array(self._levels)
        if not levels.size:
            return np.zeros(0, np.bool_)
        # A steady hum is its own floor and never stands above it.
        return np.asarray(levels > max(_FAINT, float(np.percentile(levels, _FLOOR)) + _ABOVE), np.bool_)
