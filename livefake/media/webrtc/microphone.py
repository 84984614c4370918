"""The browser's microphone: decoded sound, handed on as it comes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos
from livefake.media.sound.bus import CHANNELS, RATE, Chunk

__all__ = ["Microphone"]

_SECOND: Final[Nanos] = 1_000_000_000


class Microphone:
    """Takes a track of sound and hands its chunks to one listener; without one they are dropped.

    Args:
        clock: stamps arrivals.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listener: Callable[[Chunk], None] | None = None
        self._resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE)

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        """Hand the sound to somebody from now on."""
        self._listener = listener

    async def run(self, track: MediaStreamTrack) -> None:
        """Take the track's sound until it ends."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.AudioFrame):
                    self._arrive(frame)

    def _arrive(self, frame: av.AudioFrame) -> None:
        now = self._clock()
        for piece in self._resampler.resample(frame):
            samples = np.ascontiguousarray(piece.to_ndarray(), np.int16).reshape(-1, CHANNELS)
            # What arrives whole was heard from its first sample on.
            begun = now - len(samples) * _SECOND // RATE
            if self._listener is not None:
                self._listener(Chunk(samples, begun))
