"""What a listener hears next: sound at the time that is wanted, kept there without a click.

Sound is put off or caught up by whole pieces of 20 ms. In a quiet moment that is done early, as nobody hears it; in a
loud one only when lips and voice would come apart, by fading from one piece into another.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.clock import Nanos
from livefake.media.sound.bus import CHANNELS, PIECE, Chunk, SoundTap

__all__ = ["PIECE_NANOS", "Playout"]

PIECE_NANOS: Final[Nanos] = 20_000_000
"""Length of a piece."""

_TIGHT: Final[Nanos] = 12_000_000
_LOOSE: Final[Nanos] = 24_000_000
_GAP: Final[Nanos] = 250_000_000
"""What lies further ahead is no drift: there was no sound for a while, or somebody moved the offset."""
_MARGIN: Final[Nanos] = 5_000_000
_MOST_CUSHION: Final[Nanos] = 160_000_000
_MEMORY: Final = 500
"""Pieces: ten seconds."""
_EARLIEST: Final = 5
_REVIEW: Final = 25
"""Pieces after which the cushion is looked at, for the first time and then each half second."""
_COVERED: Final = 0.97
"""Share of the pieces that the cushion lets come in time: what comes later than all others is not worth a delay."""
_STEP: Final[Nanos] = 5_000_000
_QUIET: Final = 200.0
"""Root mean square below which a piece counts as quiet: 44 dB below the loudest."""

_UP: Final = np.linspace(0.0, 1.0, PIECE, dtype=np.float32)[:, None]
_DOWN: Final = 1.0 - _UP

Samples = NDArray[np.int16]


class Playout:
    """Picks 20 ms of sound after another for one listener.

    Args:
        tap: where the sound waits; pieces have 960 samples.

    Attributes:
        instant: of the first sample of what was picked last, or of the silence in its place.
    """

    def __init__(self, tap: SoundTap) -> None:
        self._tap = tap
        self._last: Samples | None = None
        self._rising = False
        self._cushion: Nanos = 0
        self._latest: Nanos | None = None
        self._lacks: deque[Nanos] = deque(maxlen=_MEMORY)
        self._dry: list[Nanos] = []
        self._picked = 0
        self.instant: Nanos = 0

    def next(self, due: Nanos) -> Samples:
        """The next piece, (960, 2) int16.

        Args:
            due: instant of the sound that is wanted; what is not there yet comes later, and so does all that follows.
        """
        self._review(due)
        due -= self._cushion
        self.instant = due
        head = self._tap.peek()
        if self._last is None:
            return self._begin(due)
        if head is None:
            return self._end()
        early = head.arrived - due
        if early > _GAP:
            return self._end()
        slack = _TIGHT if _quiet(head.samples) and _quiet(self._last) else _LOOSE
        if early > slack:
            self._rising = True
            self.instant = head.arrived
            return _mix(head.samples * _DOWN)
        first = self._take()
        self.instant = first.arrived
        return self._play(self._catch_up(first, due) if early < -slack else first.samples)

    def _review(self, due: Nanos) -> None:
        """Leave sound as much time as it has needed lately to be there when it is wanted."""
        newest = self._tap.newest
        if newest is not None:
            self._latest = newest.arrived
        elif self._latest is None or due - self._latest > _GAP:
            # It does not come late: it has stopped.
            self._dry.clear()
            return
        self._dry.append(due - self._latest)
        if newest is None:
            return
        self._lacks.extend(self._dry)
        self._dry.clear()
        self._picked += 1
        if self._picked % _REVIEW and self._picked != _EARLIEST:
            return
        lacks = sorted(self._lacks)
        wanted = lacks[int(len(lacks) * _COVERED)] + _MARGIN
        self._cushion = min(max(wanted, self._cushion - _STEP, 0), _MOST_CUSHION)

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
                self.instant = newest.arrived
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
        self.instant = last.arrived
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
