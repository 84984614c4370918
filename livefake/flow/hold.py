"""What to show when there is nothing new to show: the last picture for a moment, then the hold card."""

from __future__ import annotations

from enum import StrEnum

from livefake.clock import Nanos

__all__ = ["Hold", "State"]


class State(StrEnum):
    """What a viewer sees."""

    WAITING = "waiting"
    LIVE = "live"
    HELD = "held"
    CARD = "card"
    ENDED = "ended"


class Hold:
    """Tells the state from when the last finished picture was shown.

    Args:
        after: age of the last picture at which the session counts as held, nanoseconds.
        card: age at which the card takes its place; a frozen face looks like a fault after that.
        every: how often a card is shown again, for encoders and viewers that come later.
    """

    def __init__(self, *, after: Nanos = 300_000_000, card: Nanos = 1_200_000_000, every: Nanos = 500_000_000) -> None:
        self._after = after
        self._card = card
        self._every = every
        self._shown: Nanos | None = None
        self._carded: Nanos | None = None
        self._barred = False

    def bar(self, barred: bool) -> None:
        """Let nothing but the card be seen from now on, at once; or let the next finished picture end that."""
        if barred and not self._barred:
            self._shown = self._carded = None
        self._barred = barred

    def show(self, now: Nanos) -> None:
        """A finished picture was shown."""
        self._shown = now
        self._carded = None

    def state(self, now: Nanos) -> State:
        """What a viewer sees at that instant."""
        if self._barred:
            return State.CARD
        if self._shown is None:
            return State.WAITING
        age = now - self._shown
        if age < self._after:
            return State.LIVE
        return State.HELD if age < self._card else State.CARD

    def card_due(self, now: Nanos) -> bool:
        """Whether a card has to be shown now; answering yes counts as having shown it."""
        if self.state(now) in (State.LIVE, State.HELD):
            return False
        due = self._carded is None or now - self._carded >= self._every
        if due:
            self._carded = now
        return due
