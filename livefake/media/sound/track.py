"""The microphone for one viewer: every 20 ms what belongs to the picture that is handed over then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Final

import av
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos, seconds
from livefake.media.sound.bus import PIECE, RATE, SoundTap
from livefake.media.sound.playout import PIECE_NANOS, Playout

__all__ = ["SoundTrack"]

_BEHIND: Final = 5
"""Pieces that are made up for when the service was held up; more are left out."""


class SoundTrack(MediaStreamTrack):
    """A track that keeps its own time and is never silent about it: where there is no sound it sends silence.

    Args:
        tap: of the session's sound; the track closes it when it stops.
        delay: how long pictures take from their arrival until they are handed over.
        clock: the service's monotonic clock.
        sleep: waits, seconds.
    """

    kind = "audio"

    def __init__(
        self,
        tap: SoundTap,
        delay: Callable[[], Nanos],
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__()
        self._tap = tap
        self._delay = delay
        self._clock = clock
        self._sleep = sleep
        self._playout = Playout(tap)
        self._begun: Nanos | None = None
        self._count = 0

    async def recv(self) -> av.AudioFrame:
        """The next 20 ms, at their time.

        Raises:
            MediaStreamError: the track has ended.
        """
        now = self._clock()
        if self._begun is None:
            self._begun = now
        at = self._begun + self._count * PIECE_NANOS
        if now - at > _BEHIND * PIECE_NANOS:
            self._count = (now - self._begun) // PIECE_NANOS
            at = self._begun + self._count * PIECE_NANOS
        if at > now:
            await self._sleep(seconds(at - now))
        if self._tap.closed or self.readyState != "live":
            self.stop()
            raise MediaStreamError
        samples = self._playout.next(at - self._delay())
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts, frame.time_base = self._count * PIECE, Fraction(1, RATE)
        self._count += 1
        return frame

    def stop(self) -> None:
        """End the track and leave the sound. Safe to call twice."""
        self._tap.close()
        super().stop()
