"""From the instant a picture arrived to the time it is shown at: what puts sound beside the picture it belongs to."""

from __future__ import annotations

from typing import Final

from livefake.clock import Nanos
from livefake.frame import RTP_CLOCK

__all__ = ["Stretch"]

_TICKS: Final = RTP_CLOCK.denominator
_SECOND: Final = 1_000_000_000
_SHARE: Final = 0.02
_LEAP: Final = _TICKS // 4


class Stretch:
    """Learns how ticks and instants lie to each other.

    Pictures arrive unsteadily and their ticks are steady, so the difference is averaged over some fifty of them. A
    quarter of a second off is no unsteadiness: the stream began anew, and so does the average.
    """

    def __init__(self) -> None:
        self._offset: float | None = None

    def see(self, ticks: int, arrived: Nanos) -> None:
        """A picture with those ticks arrived at that instant."""
        offset = ticks - arrived * _TICKS / _SECOND
        if self._offset is None or abs(offset - self._offset) > _LEAP:
            self._offset = offset
        else:
            self._offset += (offset - self._offset) * _SHARE

    def ticks(self, arrived: Nanos) -> int | None:
        """The ticks of an instant; None before the first picture."""
        return None if self._offset is None else round(arrived * _TICKS / _SECOND + self._offset)
