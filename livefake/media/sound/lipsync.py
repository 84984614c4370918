"""Which picture a sound belongs to.

A sender tells, in its reports, what its wall clock showed at one time stamp of each stream (RFC 3550, section 6.4.1).
That brings the time stamps of both streams to one clock, whatever way and however long each of them travelled.
"""

from __future__ import annotations

from typing import Final

from livefake.clock import Nanos

__all__ = ["GUESS", "LipSync", "SenderClock"]

GUESS: Final[Nanos] = 0
"""Added to the arrival of a sound's first sample while nothing better is known: both ways are about equally long."""

_SECOND: Final[Nanos] = 1_000_000_000
_WRAP: Final = 1 << 32
_FURTHEST: Final[Nanos] = 60 * _SECOND
"""A time stamp further than that from the last report belongs to another stream."""
_LEAP: Final[Nanos] = 250_000_000
"""A step that is no unsteadiness: somebody began anew."""
_CREDIBLE: Final[Nanos] = 2 * _SECOND
_STRANGE: Final = 15
"""Pictures in a row: half a second."""
_REPORT_SHARE: Final = 0.25
_PICTURE_SHARE: Final = 0.02


class SenderClock:
    """The sender's wall clock as a function of one stream's time stamps.

    Args:
        rate: time stamps a second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._stream: int | None = None
        self._at: tuple[int, Nanos] | None = None

    def report(self, stream: int, ntp: int, stamp: int) -> None:
        """Take a sender's report; small differences between reports are averaged.

        Args:
            stream: its synchronization source (SSRC); another one means another stream.
            ntp: the sender's wall clock, 64 bits: seconds since 1900 and their fraction.
            stamp: the RTP time stamp at that moment, 32 bits.
        """
        # No real clock is near 0: such a report is of a sender that has none (RFC 3550, 6.4.1).
        if not ntp:
            return
        instant = ntp * _SECOND >> 32
        expected = self.instant(stamp) if stream == self._stream else None
        self._stream = stream
        if expected is not None and abs(instant - expected) <= _LEAP:
            instant = expected + round((instant - expected) * _REPORT_SHARE)
        self._at = stamp, instant

    def instant(self, stamp: int) -> Nanos | None:
        """What the sender's wall clock showed at an RTP time stamp, nanoseconds; None where nothing is known of it."""
        if self._at is None:
            return None
        reported, at = self._at
        # The nearer way round: 32 bits of 90 000 a second come around every 13 hours.
        ahead = (stamp - reported + _WRAP // 2) % _WRAP - _WRAP // 2
        away = ahead * _SECOND // self._rate
        return at + away if abs(away) <= _FURTHEST else None


class LipSync:
    """Gives sound the arrival instant of the picture that was taken with it.

    Args:
        picture_rate, sound_rate: RTP time stamps a second of the two streams.
    """

    def __init__(self, picture_rate: int = 90_000, sound_rate: int = 48_000) -> None:
        self.pictures = SenderClock(picture_rate)
        self.sounds = SenderClock(sound_rate)
        self._travel: Nanos | None = None
        self._strange = 0

    def picture(self, stamp: int, arrived: Nanos) -> None:
        """A picture arrived.

        Args:
            stamp: its RTP time stamp, 32 bits.
            arrived: by the service's monotonic clock.
        """
        taken = self.pictures.instant(stamp)
        if taken is None:
            self._travel = None
            return
        travel = arrived - taken
        if self._travel is None:
            self._travel = travel
        elif abs(travel - self._travel) <= _LEAP:
            self._travel += round((travel - self._travel) * _PICTURE_SHARE)
            self._strange = 0
        else:
            # One picture that was held up says nothing; when all are so far off, the way has changed.
            self._strange += 1
            if self._strange > _STRANGE:
                self._travel, self._strange = travel, 0

    def sound(self, stamp: int, begun: Nanos) -> Nanos:
        """When the picture arrived that belongs to a sound.

        Args:
            stamp: RTP time stamp of its first sample, 32 bits.
            begun: when that sample would have arrived alone, by the service's monotonic clock: the answer is built on
                that until both streams have been reported on, and where the reports cannot be true.
        """
        taken = self.sounds.instant(stamp)
        if taken is None or self._travel is None:
            return begun + GUESS
        at = taken + self._travel
        return at if abs(at - begun) <= _CREDIBLE else begun + GUESS
