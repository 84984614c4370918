"""When each picture is shown, in RTP ticks."""

from __future__ import annotations

from typing import Final

from livefake.clock import Nanos
from livefake.frame import RTP_CLOCK
from livefake.trust.seal import Sealed

__all__ = ["Timeline"]

_TICKS: Final = RTP_CLOCK.denominator
_LEAP: Final = _TICKS
"""A step of more than a second away from the clock is not jitter: the source began anew."""


class Timeline:
    """Turns the times of swapped pictures and of cards into one line of RTP ticks that only rises.

    A swapped picture keeps the camera's own spacing, which is steadier than ours. A card has no camera time:
    it is placed by the clock, counted from what was shown before.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._shown: Nanos = 0
        self._offset = 0

    def place(self, sealed: Sealed, now: Nanos) -> int:
        """Ticks of 1/90000 s for a picture shown at ``now``; the first one gets 0."""
        frame = sealed.frame
        own = int(frame.pts * frame.time_base * _TICKS)
        if self._last is None:
            ticks, self._offset = 0, -own
        else:
            due = self._last + (now - self._shown) * _TICKS // 1_000_000_000
            ticks = due if sealed.card else own + self._offset
            if abs(ticks - due) > _LEAP:
                ticks, self._offset = due, due - own
            ticks = max(ticks, self._last + 1)
        self._last, self._shown = ticks, now
        return ticks
