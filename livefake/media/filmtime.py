"""From a stream's own time stamps to the times of a recording, which begin at 0 and only ever rise."""

from __future__ import annotations

from typing import Final

from livefake.clock import Nanos
from livefake.media.encoder import TICKS

__all__ = ["FilmTime"]

_SLACK: Final[Nanos] = 500_000_000


class FilmTime:
    """Keeps the spacing of the source's time stamps, which is steadier than that of the arrivals.

    Where the two drift apart by more than half a second, because the source's clock jumped or another source took
    over, the arrivals count and the spacing goes on from there.
    """

    def __init__(self) -> None:
        self._start: Nanos | None = None
        self._offset: Nanos = 0
        self._last = -1

    def place(self, instant: Nanos, arrived: Nanos) -> int:
        """When to show a picture.

        Args:
            instant: when it was taken, by the source's time stamps.
            arrived: when it came, by the service's monotonic clock.

        Returns:
            In ``TICKS``, at least one later than the picture before.
        """
        if self._start is None or abs(instant + self._offset - arrived) > _SLACK:
            self._start = arrived if self._start is None else self._start
            self._offset = arrived - instant
        at = (instant + self._offset - self._start) * TICKS // 1_000_000_000
        self._last = max(self._last + 1, at)
        return self._last
