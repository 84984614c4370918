"""The one thread that writes to the ledger, so that nobody who shows pictures waits for a disk."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping
from typing import Final

from livefake.clock import Clock, Nanos, monotonic, seconds
from livefake.errors import LivefakeError
from livefake.trust.entries import Field
from livefake.trust.ledger import Ledger

__all__ = ["Scribe"]

_log = logging.getLogger(__name__)

_SLOW: Final[Nanos] = 5_000_000_000
_Item = tuple[str, Mapping[str, Field]]


class Scribe:
    """Takes entries for the ledger and writes them in order.

    An entry that cannot be written is tried again every ``patience`` seconds. Entries wait in a bounded queue; when
    that is full a new one is dropped and counted. Until an entry has been written again there is a ``problem``, and
    while there is one no picture of a real person is shown (``livefake.trust.gate.RecordGate``).

    Args:
        ledger: where to.
        room: entries that may wait.
        patience: seconds from one attempt to the next.
        clock: the service's monotonic clock.
    """

    def __init__(self, ledger: Ledger, *, room: int = 64, patience: float = 1.0, clock: Clock = monotonic) -> None:
        self._ledger = ledger
        self._queue: queue.Queue[_Item | None] = queue.Queue(room)
        self._patience = patience
        self._clock = clock
        self._closing = threading.Event()
        self._problem = ""
        self._begun: Nanos | None = None
        self._in_hand = False
        self._counting = threading.Lock()
        self._written = self._lost = 0
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Entries that are not written yet."""
        return self._queue.qsize() + self._in_hand

    @property
    def written(self) -> int:
        """Entries that were written since the start."""
        return self._written

    @property
    def lost(self) -> int:
        """Entries that were given up since the start."""
        return self._lost

    @property
    def problem(self) -> str:
        """Why entries are not written at this moment, a sentence; empty when they are."""
        begun = self._begun
        if self._problem or begun is None or self._clock() - begun < _SLOW:
            return self._problem
        return f"The ledger's disk has not answered for {seconds(self._clock() - begun):.0f} seconds."

    def write(self, kind: str, fields: Mapping[str, Field]) -> None:
        """Write an entry now, on the calling thread; it is on the disk when this returns.

        Raises:
            LivefakeError: it cannot be written.
        """
        try:
            self._ledger.append(kind, fields)
        except LivefakeError as error:
            self._tell(error)
            raise
        self._wrote()

    def leave(self, kind: str, fields: Mapping[str, Field]) -> bool:
        """Leave an entry to the thread and return at once; False when there is no room and it was dropped."""
        try:
            if self._closing.is_set():
                raise queue.Full
            self._queue.put_nowait((kind, fields))
        except queue.Full:
            self._lose()
            self._problem = self._problem or "The ledger cannot be written as fast as entries come."
            _log.warning("An entry for the ledger was dropped: %d wait already.", self._queue.qsize())
            return False
        return True

    def close(self, within: float = 5.0) -> None:
        """Write what waits, each entry with one attempt, and end the thread. Safe to call twice.

        Args:
            within: seconds to wait at most.
        """
        if not self._closing.is_set():
            self._closing.set()
            # A full queue has something that wakes the thread anyway.
            if not self._queue.full():
                self._queue.put_nowait(None)
        self._thread.join(within)
        if self._thread.is_alive():
            _log.warning("The ledger's disk did not answer in %g s: %d entries are not written.", within, self.waiting)

    def _work(self) -> None:
        while not (self._closing.is_set() and self._queue.empty()):
            item = self._queue.get()
            if item is None:
                continue
            self._in_hand = True
            while not self._try(item):
                if self._closing.wait(self._patience):
                    self._lose()
                    break
            self._in_hand = False

    def _try(self, item: _Item) -> bool:
        """Whether an entry is done with."""
        self._begun = self._clock()
        try:
            self._ledger.append(*item)
        except LivefakeError as error:
            self._tell(error)
            return False
        except Exception as error:  # the thread must go on: without it every later entry would be lost too
            _log.exception("An entry of the kind %s was left out of the ledger", item[0])
            self._problem = f"The ledger refused an entry: {error}."
            self._lose()
            return True
        finally:
            self._begun = None
        self._wrote()
        return True

    def _tell(self, error: LivefakeError) -> None:
        if not self._problem:
            _log.warning("%s Real people's faces are not shown until it can.", error)
        self._problem = error.problem

    def _lose(self) -> None:
        with self._counting:
            self._lost += 1

    def _wrote(self) -> None:
        with self._counting:
            self._written += 1
        if self._problem:
            _log.info("The ledger is written again.")
        self._problem = ""
