"""``python -m benchmarks.named serve ...``: livefake, with its threads named for the system too.

Python 3.11 keeps a thread's name to itself, so that all of them look alike in /proc. Measurements run the service by
this door to tell which thread took the time; nothing else about it differs.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Final

from livefake.cli.main import main

_PR_SET_NAME: Final = 15
"""prctl(2): name of the calling thread, at most 15 bytes."""


def _named(begin: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    libc = ctypes.CDLL(None)

    def run(thread: threading.Thread) -> None:
        libc.prctl(_PR_SET_NAME, thread.name.encode("ascii", "replace")[:15], 0, 0, 0)
        begin(thread)

    return run


if __name__ == "__main__":
    if sys.platform == "linux":
        threading.Thread.run = _named(threading.Thread.run)  # type: ignore[method-assign, assignment]
    main()
