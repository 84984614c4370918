"""The microphone for one viewer: 20 ms after another, each with the instant at which it was taken.

A receiver holds sound back for longer than pictures: against gaps, and on its way to the loudspeaker. It can delay what
is early, and cannot hasten what is late. So sound goes out a little earlier than its picture, as far as it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import av
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos, seconds
from livefake.media.sound.bus import PIECE, SoundTap
from livefake.media.sound.lipsync import OPUS_LOOK_AHEAD
from livefake.media.sound.opus import OpusEncoder
from livefake.media.sound.playout import PIECE_NANOS, Playout
from livefake.media.stamped import MediaClock, StampedTrack

__all__ = ["LEAD", "SoundTrack"]

LEAD: Final[Nanos] = 80_000_000
"""How much earlier than its picture sound goes out at most."""

_BEHIND: Final = 5
"""Pieces that are made up for when the service was held up; more are left out."""


class SoundTrack(StampedTrack):
    """A track that keeps its own time and is never silent about it: where there is no sound it sends silence.

    Args:
        tap: of the session's sound; the track closes it when it stops.
        delay: how long pictures take from their instant until they are handed over.
        times: shared with the pictures' track.
        clock: the service's monotonic clock.
        sleep: waits, seconds.
    """

    kind = "audio"

    def __init__(
        self,
        tap: SoundTap,
        delay: Callable[[], Nanos],
        times: MediaClock,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(times)
        self._tap = tap
        self._delay = delay
        self._clock = clock
        self._sleep = sleep
        self._playout = Playout(tap)
        self._encoder = OpusEncoder()
        self._begun: Nanos | None = None
        self._count = 0

    async def recv(self) -> av.Packet[Any]:
        """The next 20 ms, encoded, at their time.

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
        samples = self._playout.next(at - self._delay() + LEAD)
        self._taken = self._playout.instant - OPUS_LOOK_AHEAD
        packet = self._encoder.encode(samples, self._count * PIECE)
        self._count += 1
        return packet

    def stop(self) -> None:
        """End the track and leave the sound. Safe to call twice."""
        self._tap.close()
        super().stop()
