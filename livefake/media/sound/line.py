"""Chunks that come as they come, as the unbroken line of samples that encoders want."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

from livefake.media.sound.bus import CHANNELS, RATE, Chunk

__all__ = ["Line"]

_SLACK: Final = RATE // 20
"""50 ms: a smaller difference is the unsteadiness of arrivals."""


class Line:
    """Puts chunks behind each other. Where one lies much later there is a gap; what would lie much earlier is left out.

    The one comes of sound that was not there for a while, both come of a hand on the offset.
    """

    def __init__(self) -> None:
        self._end: int | None = None

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
        if self._end is None or at - self._end > _SLACK:
            return self.put(chunk.samples, at)
        if self._end - at > _SLACK:
            return None
        return self.put(chunk.samples, self._end)

    def put(self, samples: NDArray[np.int16], at: int) -> av.AudioFrame:
        """Samples as a frame for an encoder, exactly there; the line goes on behind them.

        Args:
            samples: (n, 2) int16.
            at: where they belong, samples from the start.
        """
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts, frame.time_base = at, Fraction(1, RATE)
        self._end = at + samples.size // CHANNELS
        return frame
