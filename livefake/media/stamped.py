"""Tracks that know when what they hand over was taken, so that a receiver can bring sound and picture together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiortc import MediaStreamTrack

from livefake.clock import Clock, Nanos, Wall

__all__ = ["MediaClock", "StampedTrack"]

_SECOND: Final[Nanos] = 1_000_000_000
_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905, figure 4)."""


@dataclass(frozen=True, slots=True)
class MediaClock:
    """Instants of the service's monotonic clock as a time of day that no correction of the computer's clock moves.

    Attributes:
        ahead: what is added to an instant for nanoseconds since 1970.
    """

    ahead: Nanos

    @classmethod
    def begin(cls, clock: Clock, wall: Wall) -> MediaClock:
        """Set by the time of day as it is now."""
        return cls(round(wall() * _SECOND) - clock())

    def ntp(self, instant: Nanos) -> int:
        """An instant as 64 bits: seconds since 1900 and their fraction (RFC 3550, section 4)."""
        return ((instant + self.ahead + _EPOCH * _SECOND) << 32) // _SECOND & 0xFFFF_FFFF_FFFF_FFFF


class StampedTrack(MediaStreamTrack):
    """A track that tells of what it handed over last when that was taken.

    Args:
        times: shared by all tracks of a connection.
    """

    def __init__(self, times: MediaClock) -> None:
        super().__init__()
        self._times = times
        self._taken: Nanos | None = None

    @property
    def ntp(self) -> int | None:
        """When what was handed over last was taken, 64 bits; None before the first."""
        return None if self._taken is None else self._times.ntp(self._taken)
