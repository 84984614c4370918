"""A place for one item between a maker and a taker: the newest wins, the older one is dropped and counted.

``Mailbox`` stands between two threads, ``AsyncMailbox`` between two tasks of one event loop. Neither can
grow, so neither can hold a delay.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Generic, TypeVar

__all__ = ["AsyncMailbox", "Mailbox"]

T = TypeVar("T")


class _Place(Generic[T]):
    """The place itself and its counters; guards against nothing, its owner does.

    Attributes:
        deepest: largest depth seen, 0 or 1.
        dropped: items that were replaced, or that came or waited when the box was closed.
        passed: items that were taken.
        closed: whether the box takes nothing more.
    """

    def __init__(self) -> None:
        self._items: list[T] = []
        self.deepest = 0
        self.dropped = 0
        self.passed = 0
        self.closed = False

    @property
    def depth(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        if self.closed:
            self.dropped += 1
            return
        self.dropped += len(self._items)
        self._items = [item]
        self.deepest = 1

    def take(self) -> T | None:
        if not self._items:
            return None
        self.passed += 1
        return self._items.pop()

    def close(self) -> None:
        self.dropped += len(self._items)
        self._items.clear()
        self.closed = True


class _Counted(Generic[T]):
    """What both kinds of mailbox tell about themselves."""

    def __init__(self) -> None:
        self._place: _Place[T] = _Place()

    @property
    def depth(self) -> int:
        """Items that wait now: 0 or 1."""
        return self._place.depth

    @property
    def deepest(self) -> int:
        """Largest depth seen so far: 0 or 1."""
        return self._place.deepest

    @property
    def dropped(self) -> int:
        """Items nobody got: replaced by a newer one, or caught by the closing."""
        return self._place.dropped

    @property
    def passed(self) -> int:
        """Items that were taken."""
        return self._place.passed

    @property
    def closed(self) -> bool:
        """Whether the box was closed."""
        return self._place.closed


class Mailbox(_Counted[T]):
    """One place between two threads.

    >>> box: Mailbox[str] = Mailbox()
    >>> box.put("old")
    >>> box.put("new")
    >>> box.take(), box.dropped
    ('new', 1)
    """

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Leave an item and return at once; one that still waits is dropped. A closed box drops the item."""
        with self._changed:
            self._place.put(item)
            self._changed.notify()

    def take(self, timeout: float | None = None) -> T | None:
        """Wait for the next item and take it.

        Args:
            timeout: seconds to wait at most; None waits until there is an item or the box is closed.

        Returns:
            The item; None when the time is up or the box is closed (``closed`` tells which).
        """
        with self._changed:
            self._changed.wait_for(lambda: self._place.depth > 0 or self._place.closed, timeout)
            return self._place.take()

    def close(self) -> None:
        """Take nothing more, drop what waits and wake every taker. Safe to call twice."""
        with self._changed:
            self._place.close()
            self._changed.notify_all()


class AsyncMailbox(_Counted[T]):
    """One place between two tasks of one event loop; every method belongs on that loop."""

    def __init__(self) -> None:
        super().__init__()
        self._stirred = asyncio.Event()

    def put(self, item: T) -> None:
        """Leave an item and return at once; one that still waits is dropped. A closed box drops the item."""
        self._place.put(item)
        self._stirred.set()

    async def take(self) -> T | None:
        """Wait for the next item and take it; None once the box is closed."""
        while not self._place.depth and not self._place.closed:
            self._stirred.clear()
            await self._stirred.wait()
        return self._place.take()

    def close(self) -> None:
        """Take nothing more, drop what waits and wake every taker. Safe to call twice."""
        self._place.close()
        self._stirred.set()
