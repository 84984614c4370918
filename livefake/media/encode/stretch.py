"""From the instant a picture was taken to the time it is shown at: what puts sound beside the picture it belongs to."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

from livefake.clock import Nanos
from livefake.frame import RTP_CLOCK

__all__ = ["Stretch"]

_TICKS: Final = RTP_CLOCK.denominator
_SECOND: Final = 1_000_000_000
_PICTURES: Final = 31
"""A second of pictures."""
_LEAP: Final = _TICKS // 4


class Stretch:
    """Learns how ticks and instants lie to each other.

    The median of a second of pictures counts: one that was held up changes nothing, and a step is followed after half
    a second. A quarter of a second off is no unsteadiness: the stream began anew, and so does the median. A card was
    drawn just now, later than a camera's picture of the same ticks would have been taken: it counts only as long as
    there is nothing better.
    """

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=_PICTURES)
        self._offset: float | None = None
        self._cards = True

    def see(self, ticks: int, instant: Nanos, *, card: bool = False) -> None:
        """A picture with those ticks was taken, or a card drawn, at that instant."""
        if card and not self._cards:
            return
        offset = ticks - instant * _TICKS / _SECOND
        if card != self._cards or (self._offset is not None and abs(offset - self._offset) > _LEAP):
            self._offsets.clear()
        self._cards = card
        self._offsets.append(offset)
        self._offset = median(self._offsets)

    def ticks(self, instant: Nanos) -> int | None:
        """The ticks of an instant; None before the first picture."""
        return None if self._offset is None else round(instant * _TICKS / _SECOND + self._offset)

    def instant(self, ticks: int) -> Nanos | None:
        """The instant of those ticks; None before the first picture."""
        return None if self._offset is None else round((ticks - self._offset) * _SECOND / _TICKS)
