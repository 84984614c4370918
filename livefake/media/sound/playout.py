"""What a listener hears next: sound at the time of its picture, kept there without a click.

Sound is put off or caught up by whole pieces of 20 ms. In a quiet moment that is done early, as nobody hears it; in a
loud one only when lips and voice would come apart, by fading from one piece into another.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.clock import Nanos
from livefake.media.sound.bus import CHANNELS, PIECE, Chunk, SoundTap

__all__ = ["PIECE_NANOS", "Playout"]

PIECE_NANOS: Final[Nanos] = 20_000_000
"""Length of a piece."""

_TIGHT: Final[Nanos] = 12_000_000
_LOOSE: Final[Nanos] = 32_000_000
_GAP: Final[Nanos] = 250_000_000
"""What lies further ahead is no drift: there was no sound for a while, or somebody moved the offset."""
_CUSHION: Final[Nanos] = 10_000_000
_MOST_CUSHION: Final[Nanos] = 60_000_000
_WEAR: Final[Nanos] = 20_000
"""How much of the cushion is given back a piece: a millisecond a second."""
_QUIET: Final = 200.0
"""Root mean square below which a piece counts as quiet: 44 dB below the loudest."""

_UP: Final = np.linspace(0.0, 1.0, PIECE, dtype=np.float32)[:, None]
_DOWN: Final = 1.0 - _UP

Samples = NDArray[np.int16]


class Playout:
    """Picks 20 ms of sound after another for one listener.

    Args:
        tap: where the sound waits; pieces have 960 samples.
    """

    def __init__(self, tap: SoundTap) -> None:
        self._tap = tap
        self._last: Samples | None = None
        self._rising = False
        self._cushion: Nanos = 0

    def next(self, due: Nanos) -> Samples:
        """The next piece, (960, 2) int16.

        Args:
            due: arrival instant of the picture that is shown when this piece is heard.
        """
        self._cushion = max(0, self._cushion - _WEAR)
        due -= self._cushion
        head = self._tap.peek()
        if self._last is None:
            return self._begin(due)
        if head is None:
            # Sound comes later than its picture: from now on there is a little more time for it.
            self._cushion = min(_MOST_CUSHION, self._cushion + _CUSHION)
            return self._end()
        early = head.arrived - due
        if early > _GAP:
            return self._end()
        slack = _TIGHT if _quiet(head.samples) and _quiet(self._last) else _LOOSE
        if early > slack:
            self._rising = True
            return _mix(head.samples * _DOWN)
        first = self._take()
        return self._play(self._catch_up(first, due) if early < -slack else first.samples)

    def _take(self) -> Chunk:
        chunk = self._tap.take_now()
        assert chunk is not None
        return chunk

    def _begin(self, due: Nanos) -> Samples:
        """Begin with the piece that is due, or go on being silent."""
        while (head := self._tap.peek()) is not None:
            away = head.arrived - due
            if away > PIECE_NANOS // 2:
                break
            newest = self._take()
            if away >= -PIECE_NANOS // 2 or self._tap.peek() is None:
                self._rising = True
                return self._play(newest.samples)
        return _silence()

    def _end(self) -> Samples:
        """Let the sound fade where there is none: the last piece backwards goes on where that one ended."""
        assert self._last is not None
        tail, self._last = _mix(self._last[::-1] * _DOWN), None
        return tail

    def _catch_up(self, first: Chunk, due: Nanos) -> Samples:
        """Leave out what is late, fading from its beginning into the piece that is due."""
        last = first
        while due - last.arrived > PIECE_NANOS // 2 and self._tap.peek() is not None:
            last = self._take()
        return first.samples if last is first else _mix(first.samples * _DOWN + last.samples * _UP)

    def _play(self, samples: Samples) -> Samples:
        self._last = samples
        if self._rising:
            self._rising = False
            return _mix(samples * _UP)
        return samples


def _quiet(samples: Samples) -> bool:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float32)))) < _QUIET


def _mix(samples: NDArray[np.float32]) -> Samples:
    return np.clip(np.rint(samples), -32_768, 32_767).astype(np.int16)


def _silence() -> Samples:
    return np.zeros((PIECE, CHANNELS), np.int16)
