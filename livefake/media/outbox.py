"""Where a container writes to, so that somebody else can send it."""

from __future__ import annotations

import io
from typing import Any

__all__ = ["Outbox"]


class Outbox(io.RawIOBase):
    """A file that cannot be searched; emptied after each packet."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any) -> int:
        """Keep some bytes until they are taken."""
        self._parts.append(bytes(data))
        return len(data)

    def empty(self) -> bytes:
        """Take what was written since the last time."""
        parts, self._parts = self._parts, []
        return b"".join(parts)
