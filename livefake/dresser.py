"""Prepares personas in the background, so that nobody waits for the first wearing of one."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["Dresser"]

_EVERY: Final = 2.0
_POLITE: Final = 10
"""How far a session's work goes before this thread's (nice(2)); what it starts inherits that."""

_LOG: Final = logging.getLogger(__name__)


class Dresser:
    """Prepares at the start, and again whenever a folder has changed: a persona was made, a grant was given.

    Args:
        prepare: does it; asked to stop by the function that it gets.
        folders: to watch; they need not be there.
        every: seconds between two looks at them.
    """

    def __init__(
        self, prepare: Callable[[Callable[[], bool]], None], folders: Sequence[Path], *, every: float = _EVERY
    ) -> None:
        self._prepare = prepare
        self._folders = tuple(folders)
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dresser", daemon=True)

    def start(self) -> None:
        """Begin. Returns at once."""
        self._thread.start()

    def close(self, within: float) -> None:
        """Stop after the persona that is being prepared.

        Args:
            within: seconds to wait for that at most; the thread does not hold up the end of the program.
        """
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(within)

    def _work(self) -> None:
        _be_polite()
        seen: object = None
        while not self._over.is_set():
            now = tuple(_stamp(folder) for folder in self._folders)
            if now != seen:
                # Read before the work: what changes meanwhile is another change.
                seen = now
                try:
                    self._prepare(self._over.is_set)
                except Exception:
                    _LOG.exception("The personas could not be prepared; the first wearing of each takes longer.")
            self._over.wait(self._every)


def _stamp(folder: Path) -> int:
    """What changes when something is added to a folder, removed or renamed; 0 where it is not there."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _be_polite() -> None:
    # Only Linux knows the niceness of a single thread; elsewhere it would be the whole program's.
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _POLITE)
