"""How many bits a second a picture of a given size gets, and when that number may move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from livefake.clock import Nanos, nanos

__all__ = ["Bitrate", "RateKeeper"]

_SMALL: Final = 640 * 360
_LARGE: Final = 1280 * 720

_PATIENCE: Final[Nanos] = nanos(3_000)
_PAUSE: Final[Nanos] = nanos(5_000)


@dataclass(frozen=True, slots=True)
class Bitrate:
    """Bits a second by picture size: a power law through two sizes, as detail grows slower than pixels.

    >>> Bitrate().of(1280, 720)
    3000000

    Attributes:
        at_360p: bits a second of a 640 x 360 picture; also the least the browser is asked to send.
        at_720p: bits a second of a 1280 x 720 picture; also where the browser is asked to start.
        floor: part of the target, 0..1, that an encoder keeps however little the receiver says it can take.

    Raises:
        ValueError: the rates are not ``0 < at_360p <= at_720p``, or the floor is outside 0..1.
    """

    at_360p: int = 1_200_000
    at_720p: int = 3_000_000
    floor: float = 0.35

    def __post_init__(self) -> None:
        if not 0 < self.at_360p <= self.at_720p or not 0 < self.floor <= 1:
            raise ValueError(f"expected 0 < at_360p <= at_720p and 0 < floor <= 1, got {self}")

    @property
    def most(self) -> int:
        """The most the browser is asked to send, in bits a second."""
        return self.at_720p * 4 // 3

    def of(self, width: int, height: int) -> int:
        """Target for a ``width`` x ``height`` picture, in bits a second."""
        exponent = math.log(self.at_720p / self.at_360p, _LARGE / _SMALL)
        return round(self.at_360p * math.pow(width * height / _SMALL, exponent))


class RateKeeper:
    """Keeps an encoder at its target, and gives way only to a receiver that asks for much less, for long.

    A receiver's estimate (REMB, draft-alvestrand-rmcat-remb) is not followed closely: it starts low, it
    wobbles, and it cannot rise far above what is sent, so that a still picture would pull it down for good.
    Only an estimate below 70 % of the present rate for three seconds lowers the rate, one that leaves room for
    30 % more for as long raises it again, and five seconds pass between two changes. The rate never goes
    below the floor: what arrives there lets the estimate recover.
    """

    def __init__(self, bitrate: Bitrate) -> None:
        self._bitrate = bitrate
        self._share = 1.0
        self._estimate: int | None = None
        self._since: Nanos | None = None
        self._changed: Nanos | None = None

    def report(self, estimate: int) -> None:
        """Note what the receiver says it can take, in bits a second."""
        self._estimate = estimate

    def rate(self, width: int, height: int, now: Nanos) -> int:
        """Bits a second for the next picture."""
        target = self._bitrate.of(width, height)
        if self._estimate is not None:
            self._weigh(self._estimate / target, now)
        return round(target * self._share)

    def _weigh(self, offered: float, now: Nanos) -> None:
        share = min(1.0, max(self._bitrate.floor, 0.85 * offered))
        strained = offered < 0.7 * self._share and share < self._share
        roomy = offered > 1.3 * self._share and share > self._share
        if not strained and not roomy:
            self._since = None
            return
        if self._since is None:
            self._since = now
        settled = self._changed is None or now - self._changed >= _PAUSE
        if settled and now - self._since >= _PATIENCE:
            self._share, self._changed, self._since = share, now, None
