"""Chunks that come as they come, as the unbroken line of samples that encoders want."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from livefake.media.sound.bus import CHANNELS, RATE, Chunk

__all__ = ["Line"]

_GAP: Final = RATE // 20
"""50 ms: what lies further off than that is no drift."""
_SHARE: Final = 0.1
_NOTICED: Final = RATE // 125
_DONE: Final = RATE // 1000
"""From 8 ms off, samples are put in or left out until less than 1 ms is missing."""
_BEND: Final = 100
"""One sample in so many: a sixth of a semitone, and 10 ms a second."""


class Line:
    """Puts chunks behind each other. Where one lies much later there is a gap; what would lie much earlier is left out.

    The one comes of sound that was not there for a while, both come of a hand on the offset. What is off by little,
    as two clocks drift apart, is made good unheard: sound is played a hundredth slower or faster for a while.
    """

    def __init__(self) -> None:
        self._end: int | None = None
        self._off = 0.0
        self._bending = False

    @property
    def end(self) -> int | None:
        """Where the line ends, samples from the start; None before the first."""
        return self._end

    def place(self, chunk: Chunk, at: int) -> av.AudioFrame | None:
        """The chunk as a frame for an encoder; None where it is left out.

        Args:
            chunk: sound.
            at: where it belongs, samples from the start.
        """
        if self._end is None or at - self._end > _GAP:
            return self.put(chunk.samples, at)
        if self._end - at > _GAP:
            return None
        # Arrivals are unsteady: what counts is where chunks belong on average.
        self._off += (at - self._end - self._off) * _SHARE
        self._bending = abs(self._off) > (_DONE if self._bending else _NOTICED)
        if not self._bending:
            return self._append(chunk.samples, self._end)
        count = len(chunk.samples)
        more = min(max(round(self._off), -(count // _BEND)), count // _BEND)
        self._off -= more
        return self._append(_bent(chunk.samples, count + more), self._end)

    def put(self, samples: NDArray[np.int16], at: int) -> av.AudioFrame:
        """Samples as a frame for an encoder, exactly there; the line goes on behind them.

        Args:
            samples: (n, 2) int16.
            at: where they belong, samples from the start.
        """
        self._off, self._bending = 0.0, False
        return self._append(samples, at)

    def _append(self, samples: NDArray[np.int16], at: int) -> av.AudioFrame:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts, frame.time_base = at, Fraction(1, RATE)
        self._end = at + samples.size // CHANNELS
        return frame


def _bent(samples: NDArray[np.int16], count: int) -> NDArray[np.int16]:
    """The same sound in another number of samples, straight lines between those that there are."""
    places = np.linspace(0, len(samples) - 1, count)
    rows = np.arange(len(samples))
    sides = [np.interp(places, rows, samples[:, side]) for side in range(CHANNELS)]
    return np.rint(np.stack(sides, 1)).astype(np.int16)
