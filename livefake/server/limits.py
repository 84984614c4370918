"""How often something costly may be asked for: token buckets, one for each who asks. Pure; time is an argument."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from livefake.clock import Nanos, nanos, seconds

__all__ = ["Bucket", "Buckets"]

_MOST_CALLERS: Final = 1024


class Bucket:
    """A bucket that holds ``burst`` tokens, gets ``per_minute`` new ones a minute, and is full at first.

    >>> bucket = Bucket(burst=1, per_minute=60)
    >>> bucket.take(now=0), bucket.take(now=0), bucket.take(now=1_000_000_000)
    (0.0, 1.0, 0.0)

    Args:
        burst: requests that may come at once, from 1.
        per_minute: requests a minute in the long run, above 0.
    """

    def __init__(self, *, burst: int, per_minute: float) -> None:
        self._burst = nanos(60_000 / per_minute) * burst
        self._cost = nanos(60_000 / per_minute)
        self._level: Nanos = self._burst
        self._last: Nanos | None = None

    def take(self, now: Nanos) -> float:
        """Take a token.

        Args:
            now: on a monotonic clock; an instant before the last one counts as that.

        Returns:
            0 where there was one, else the seconds until there is; nothing is taken then.
        """
        passed = 0 if self._last is None else max(0, now - self._last)
        self._last = now if self._last is None else max(now, self._last)
        self._level = min(self._burst, self._level + passed)
        if self._level < self._cost:
            return seconds(self._cost - self._level)
        self._level -= self._cost
        return 0.0

    def full(self, now: Nanos) -> bool:
        """Whether it holds all it can, so that a new one would do the same."""
        return self._last is None or self._level + max(0, now - self._last) >= self._burst


class Buckets:
    """One bucket for each who asks, and no more than ``most`` of them; not for two threads at once.

    Where more ask, those whose buckets are full again are forgotten first; while there is none of these, newcomers
    share one bucket, so that many addresses are no way around the limit.

    Args:
        burst, per_minute: of each bucket.
        most: callers that are remembered.
    """

    def __init__(self, *, burst: int, per_minute: float, most: int = _MOST_CALLERS) -> None:
        self._burst = burst
        self._per_minute = per_minute
        self._most = most
        self._known: OrderedDict[str, Bucket] = OrderedDict()
        self._others = self._new()

    def __len__(self) -> int:
        return len(self._known)

    def take(self, caller: str, now: Nanos) -> float:
        """Take a token of a caller's bucket; see ``Bucket.take``.

        Args:
            caller: who asks, such as an address.
            now: on a monotonic clock.
        """
        bucket = self._known.get(caller)
        if bucket is None:
            bucket = self._others if self._crowded(now) else self._known.setdefault(caller, self._new())
        else:
            self._known.move_to_end(caller)
        return bucket.take(now)

    def _crowded(self, now: Nanos) -> bool:
        """Whether there is no room for a newcomer, after the longest unheard-of were forgotten."""
        while len(self._known) >= self._most:
            oldest = next(iter(self._known))
            if not self._known[oldest].full(now):
                return True
            del self._known[oldest]
        return False

    def _new(self) -> Bucket:
        return Bucket(burst=self._burst, per_minute=self._per_minute)
