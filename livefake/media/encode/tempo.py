"""What to tell an encoder that counts pictures and not time, so that its bits a second come out right."""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

from livefake.frame import RTP_CLOCK

__all__ = ["NOMINAL", "Tempo"]

NOMINAL: Final = 30
"""Pictures a second that encoders are made for."""
_USUAL: Final = RTP_CLOCK.denominator // NOMINAL
_GAPS: Final = 15
_FAST: Final = 0.75


class Tempo:
    """Tells a source at 60 pictures a second from one at 30.

    x264, set for no delay at all, gives each picture its share of a nominal rate, whatever its time stamp says: at
    twice as many pictures twice as many bits would go out. A slower source sends less, which is welcome.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._gaps: deque[int] = deque(maxlen=_GAPS)

    def share(self, ticks: int) -> float:
        """Part of the wanted bits a second that the encoder is to be told, 0.5 or 1.

        Args:
            ticks: when the next picture is shown, 1/90000 s.
        """
        if self._last is not None and ticks > self._last:
            self._gaps.append(ticks - self._last)
        self._last = ticks
        full = len(self._gaps) == _GAPS
        return 0.5 if full and median(self._gaps) < _FAST * _USUAL else 1.0
