"""What one taker of an encoded stream gets: a bounded queue that drops whole runs, up to the next key frame."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from livefake.clock import Nanos

__all__ = ["Encoded", "Feed"]

_PLACES: Final = 45
"""Pictures that may wait: a second and a half at 30 a second. A taker further behind than that is late for good."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded picture.

    Attributes:
        data: the bit stream of the picture. H.264 in Annex B form, with its parameter sets before each key frame.
        key: whether it can be decoded alone.
        ticks: when to show it, 1/90000 s, rising from picture to picture.
        arrived: when the camera's picture arrived, or the card was drawn: by the service's monotonic clock.
        width, height: of the picture, pixels.
        grant: id of the consent under which it shows a real person's face; empty where it shows none.
        card: whether it is a hold card.
        taken: when the camera's picture was taken, see ``Frame``; None where only the arrival is known.
    """

    data: bytes = field(repr=False)
    key: bool
    ticks: int
    arrived: Nanos
    width: int
    height: int
    grant: str = ""
    card: bool = False
    taken: Nanos | None = None

    @property
    def instant(self) -> Nanos:
        """Sound of that instant belongs to the picture: by the service's monotonic clock."""
        return self.arrived if self.taken is None else self.taken


class Feed:
    """Encoded pictures for one taker; every method belongs on the event loop.

    It begins with a key frame. A taker that falls behind loses everything up to the next one, which is asked for, so
    that what it gets can always be decoded.

    Args:
        name: of the taker, for people.
        ask: called when a key frame is wanted.
        leave: called once when the feed is closed.
        places: pictures that may wait.
    """

    def __init__(
        self, name: str, *, ask: Callable[[], None], leave: Callable[[Feed], None], places: int = _PLACES
    ) -> None:
        self.name = name
        self.taken = 0
        self.dropped = 0
        self.bytes = 0
        self.deepest = 0
        self._ask = ask
        self._leave = leave
        self._places = places
        self._waiting: deque[Encoded] = deque()
        self._stirred = asyncio.Event()
        self._skipping = True
        self.closed = False
        ask()

    @property
    def depth(self) -> int:
        """Pictures that wait now."""
        return len(self._waiting)

    def put(self, picture: Encoded) -> None:
        """Let a picture wait, or drop it. Returns at once."""
        if self.closed:
            return
        if len(self._waiting) >= self._places:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._skipping = True
        if self._skipping and not picture.key:
            self.dropped += 1
            self._ask()
            return
        self._skipping = False
        self._waiting.append(picture)
        self.deepest = max(self.deepest, len(self._waiting))
        self._stirred.set()

    async def take(self) -> Encoded | None:
        """Wait for the next picture; None once the feed is closed."""
        while not self._waiting and not self.closed:
            self._stirred.clear()
            await self._stirred.wait()
        if not self._waiting:
            return None
        picture = self._waiting.popleft()
        self.taken += 1
        self.bytes += len(picture.data)
        return picture

    def ask_for_key_frame(self) -> None:
        """Ask for a picture that can be decoded alone; it comes soon, and to every taker of the stream."""
        self._ask()

    def close(self) -> None:
        """Take nothing more and wake the taker. Safe to call twice."""
        if self.closed:
            return
        self.closed = True
        self.dropped += len(self._waiting)
        self._waiting.clear()
        self._stirred.set()
        self._leave(self)
