"""Which picture a sound belongs to.

A sender tells, in its reports, what its wall clock showed at one time stamp of each stream (RFC 3550, section 6.4.1).
That brings the time stamps of both streams to one clock, whatever way and however long each of them travelled. What is
left is to bring that clock to ours, once for both: by the picture that travelled least. How long any single picture or
sound took then says nothing any more about which belong together.
"""

from __future__ import annotations

from typing import Final

from livefake.clock import Nanos

__all__ = ["GUESS", "OPUS_LOOK_AHEAD", "LipSync", "SenderClock"]

GUESS: Final[Nanos] = 0
"""Added to the arrival of a sound's first sample while nothing better is known: both ways are about equally long."""

OPUS_LOOK_AHEAD: Final[Nanos] = 6_500_000
"""By which sound from a browser is later than its time stamp, once decoded (RFC 7845, section 4.2: 312 samples)."""

_SECOND: Final[Nanos] = 1_000_000_000
_WRAP: Final = 1 << 32
_FURTHEST: Final[Nanos] = 60 * _SECOND
"""A time stamp further than that from the last report belongs to another stream."""
_LEAP: Final[Nanos] = 250_000_000
"""A step that is no unsteadiness: somebody began anew."""
_CREDIBLE: Final[Nanos] = 2 * _SECOND
_STRANGE: Final = 15
"""Pictures in a row: half a second."""
_CREEP: Final = 2_000
"""One part in so many: clocks of computers differ by less, one part in 5000 at most."""


class SenderClock:
    """The sender's wall clock as a function of one stream's time stamps.

    The newest report counts. On a busy machine a browser loses some of its microphone's sound, up to 200 ms were seen:
    all later time stamps then belong to another moment than the reports before say, and the next one is right again.

    Args:
        rate: time stamps a second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._at: tuple[int, Nanos] | None = None

    def report(self, stream: int, ntp: int, stamp: int) -> None:
        """Take a sender's report.

        Args:
            stream: its synchronization source (SSRC); of no account, as the report of another stream is newer.
            ntp: the sender's wall clock, 64 bits: seconds since 1900 and their fraction.
            stamp: the RTP time stamp at that moment, 32 bits.
        """
        # No real clock is near 0: such a report is of a sender that has none (RFC 3550, 6.4.1).
        if not ntp:
            return
        self._at = stamp, ntp * _SECOND >> 32

    def instant(self, stamp: int) -> Nanos | None:
        """What the sender's wall clock showed at an RTP time stamp, nanoseconds; None where nothing is known of it."""
        if self._at is None:
            return None
        reported, at = self._at
        away = self._away(stamp, reported)
        return at + away if abs(away) <= _FURTHEST else None

    def _away(self, stamp: int, other: int) -> Nanos:
        """How much later a stamp is than another; the nearer way round, 32 bits of 90 000 a second take 13 hours."""
        ahead = (stamp - other + _WRAP // 2) % _WRAP - _WRAP // 2
        return ahead * _SECOND // self._rate


class LipSync:
    """Gives pictures and sound that were taken at one moment one instant of the service's monotonic clock.

    It is the instant at which they were taken, by the sender's reports, plus the shortest time in which a picture has
    travelled; that may grow by a two-thousandth of the time that passes, as no two clocks run alike.

    Args:
        picture_rate, sound_rate: RTP time stamps a second of the two streams.
        lag: by how much decoded sound is later than its time stamps.
    """

    def __init__(self, picture_rate: int = 90_000, sound_rate: int = 48_000, *, lag: Nanos = 0) -> None:
        self.pictures = SenderClock(picture_rate)
        self.sounds = SenderClock(sound_rate)
        self._lag = lag
        self._travel: Nanos | None = None
        self._seen: Nanos = 0
        self._strange = 0
        self._heard = False

    def picture(self, stamp: int, arrived: Nanos) -> Nanos:
        """When a picture was taken that arrived; its arrival until both streams have been reported on.

        Args:
            stamp: its RTP time stamp, 32 bits.
            arrived: by the service's monotonic clock.
        """
        taken = self.pictures.instant(stamp)
        if taken is None:
            self._travel = None
            return arrived
        travel, passed = arrived - taken, max(0, arrived - self._seen)
        self._seen = arrived
        if self._travel is None:
            self._travel = travel
        elif abs(travel - self._travel) <= _LEAP:
            self._travel = min(travel, self._travel + passed // _CREEP)
            self._strange = 0
        else:
            # One picture that was held up says nothing; when all are so far off, the way has changed.
            self._strange += 1
            if self._strange > _STRANGE:
                self._travel, self._strange = travel, 0
        at = taken + self._travel
        return at if self._heard and abs(at - arrived) <= _CREDIBLE else arrived

    def sound(self, stamp: int, begun: Nanos) -> Nanos:
        """When a sound was taken, by the clock of ``picture``.

        Args:
            stamp: RTP time stamp of its first sample, 32 bits.
            begun: when that sample would have arrived alone, by the service's monotonic clock: the answer is built on
                that until both streams have been reported on, and where the reports cannot be true.
        """
        taken = self.sounds.instant(stamp)
        self._heard = taken is not None and self._travel is not None
        if taken is None or self._travel is None:
            return begun + GUESS
        at = taken + self._travel - self._lag
        self._heard = abs(at - begun) <= _CREDIBLE
        return at if self._heard else begun + GUESS
