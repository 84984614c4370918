"""A live session reads its own mark back: which pictures it looks at, what it may cost, what follows. Pure logic.

Hold cards carry the mark too. A session that was put on hold because its pictures could not be read goes on when a
card has proved that the way out keeps the mark; one that fails again and again stays on hold for a person to decide.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from livefake.clock import Nanos, nanos

__all__ = ["MISSES", "Allowance", "Judge", "Step", "Window"]

MISSES: Final = 3
"""Readings in a row that may fail before nothing but the card is shown."""

_PROOFS: Final = (1, 5)
"""Cards that must be read after the first and after the second fall; the third fall lasts."""

_FORGIVEN: Final = 60

_PERIOD: Final[Nanos] = nanos(1000)
_SPACING: Final[Nanos] = nanos(110)
_MOST_PICTURES: Final = 8
_LEAST_PICTURES: Final = 3
_FULL: Final = 0.9
_READ_AFTER: Final = (1, 2, 4)


class Judge:
    """Decides from the readings of one outgoing stream whether it may go on showing swapped pictures.

    Cards that are read or missed while nothing is wrong say nothing about the swapped pictures, and do not count.

    >>> judge = Judge()
    >>> for _ in range(3):
    ...     judge.miss(card=False)
    >>> judge.held
    True
    >>> judge.hit(card=True)
    >>> judge.held
    False

    Attributes:
        held: nothing but cards may be shown.
        lost: it is held until somebody decides, see ``retry``.
    """

    def __init__(self) -> None:
        self.held = False
        self.lost = False
        self._streak = 0
        self._good = 0
        self._falls = 0
        self._proofs = 0

    @property
    def in_doubt(self) -> bool:
        """Whether the next reading matters more than what it costs: the last one failed, or the stream is held."""
        return self.held or self._streak > 0

    def hit(self, *, card: bool) -> None:
        """The mark was read in swapped pictures, or in cards."""
        if card:
            self._prove()
        elif not self.held:
            self._streak = 0
            self._good += 1
            if self._good >= _FORGIVEN:
                self._falls = 0

    def miss(self, *, card: bool) -> None:
        """The mark was not there, or was another one."""
        if self.held:
            # A swapped picture that was under way when the hold began proves nothing, either way.
            self._proofs = 0 if card else self._proofs
        elif not card:
            self._good = 0
            self._streak += 1
            if self._streak >= MISSES:
                self._fall()

    def retry(self) -> None:
        """Somebody wants another try: one card that can be read is enough again."""
        if self.held:
            self.lost = False
            self._falls = 1
            self._proofs = 0

    def _fall(self) -> None:
        self.held = True
        self._falls += 1
        self._proofs = self._streak = 0
        self.lost = self._falls > len(_PROOFS)

    def _prove(self) -> None:
        if self.held and not self.lost:
            self._proofs += 1
            self.held = self._proofs < _PROOFS[self._falls - 1]


class Step(Enum):
    """What to do with a decoded picture."""

    SKIP = auto()
    ADD = auto()
    READ = auto()
    LAST = auto()


class Window:
    """Spreads the readings of one stream: about one a second, and up to eight pictures for one that is hard to read.

    Most streams are read from the first picture, and the rest of the second costs nothing. A stream of cards is
    slower than that, so its second lasts until there were three.
    """

    def __init__(self) -> None:
        self._start: Nanos | None = None
        self._last: Nanos = 0
        self._added = 0
        self._settled = False

    def step(self, at: Nanos) -> Step:
        """What to do with a picture.

        Args:
            at: when it was sent; never earlier than the one before.

        Returns:
            SKIP: nothing. ADD: add it up. READ: add it up, then look for the mark. LAST: likewise, and when there is
            none that is a miss.
        """
        if self._start is None or (self._settled and at - self._start >= _PERIOD):
            self._start, self._added, self._settled = at, 0, False
        if self._settled or (self._added and at - self._last < _SPACING):
            return Step.SKIP
        self._added += 1
        self._last = at
        if self._added >= _MOST_PICTURES or (at - self._start >= _PERIOD and self._added >= _LEAST_PICTURES):
            self._settled = True
            return Step.LAST
        return Step.READ if self._added in _READ_AFTER else Step.ADD

    def found(self) -> None:
        """The mark was read: no more pictures in this second."""
        self._settled = True

    def restart(self) -> None:
        """Begin anew with the next picture."""
        self._start = None


class Allowance:
    """Processor time for reading back, a share of one core; saved for a while, and overdrawn when it has to be.

    Args:
        now: the present instant.
        share: of one core, over 0.
        most: how much can be saved, and how much owed, nanoseconds.
    """

    def __init__(self, now: Nanos, *, share: float = 0.03, most: Nanos = 90_000_000) -> None:
        self._share = share
        self._most = most
        self._left: float = most
        self._now = now

    def spend(self, cost: Nanos, now: Nanos) -> None:
        """Take note of processor time that was used up to now."""
        self._earn(now)
        self._left = max(self._left - cost, -float(self._most))

    def spent(self, now: Nanos) -> bool:
        """Whether nothing is left."""
        self._earn(now)
        return self._left <= 0

    def full(self, now: Nanos) -> bool:
        """Whether nearly all that can be saved is there: looking at the time costs a little too."""
        self._earn(now)
        return self._left >= _FULL * self._most

    def _earn(self, now: Nanos) -> None:
        self._left = min(self._left + (now - self._now) * self._share, float(self._most))
        self._now = now
