"""Keeps the allocator from handing memory back between training steps."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

__all__ = ["hold_memory"]

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Numbers of the parameters of glibc's mallopt(3)."""
_NEVER: Final = 2**31 - 1


def hold_memory() -> bool:
    """Let glibc reuse large blocks in place of mapping and clearing fresh pages for each one.

    A training step allocates some hundred large tensors and frees them again; a fifth of the processor time went
    into page faults.

    Returns:
        Whether the C library took the settings; others than glibc have none to take.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all([mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, _NEVER), mallopt(_ARENA_MAX, 1)])
