"""The browser's microphone: decoded sound, handed on as it comes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos
from livefake.media.sound.bus import CHANNELS, PIECE, RATE, Chunk
from livefake.media.sound.lipsync import LipSync

__all__ = ["Microphone"]

_SECOND: Final[Nanos] = 1_000_000_000


class Microphone:
    """Takes a track of sound and hands its chunks to one listener; without one they are dropped.

    Args:
        clock: stamps arrivals.
        sync: knows which picture a sound belongs to.
    """

    def __init__(self, clock: Clock, sync: LipSync) -> None:
        self._clock = clock
        self._sync = sync
        self._listener: Callable[[Chunk], None] | None = None
        self._resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE, frame_size=PIECE)

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        """Hand the sound to somebody from now on."""
        self._listener = listener

    async def run(self, track: MediaStreamTrack, stamp: Callable[[int], int]) -> None:
        """Take the track's sound until it ends.

        Args:
            track: of sound.
            stamp: gives the sender's RTP time stamp for a frame's ``pts``.
        """
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.AudioFrame):
                    self._arrive(frame, stamp)

    def _arrive(self, frame: av.AudioFrame, stamp: Callable[[int], int]) -> None:
        now = self._clock()
        # The time stamps of other codecs than Opus count at another rate, and browsers do not choose those.
        known = frame.time_base == Fraction(1, RATE)
        for piece in self._resampler.resample(frame):
            samples = np.ascontiguousarray(piece.to_ndarray(), np.int16).reshape(-1, CHANNELS)
            # What arrives whole was heard from its first sample on.
            begun = now - len(samples) * _SECOND // RATE
            if known and piece.pts is not None:
                begun = self._sync.sound(stamp(piece.pts), begun)
            if self._listener is not None:
                self._listener(Chunk(samples, begun))
