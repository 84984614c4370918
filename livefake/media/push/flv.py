"""Tags out of the bytes of an FLV file (Adobe, Flash Video File Format 10.1, annex E): what RTMP carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["Tags"]

_FILE_HEADER: Final = 9 + 4
_TAG_HEADER: Final = 11


class Tags:
    """Splits a file that comes in pieces."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._begun = False

    def split(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Take a piece.

        Yields:
            Each whole tag: its kind (8 sound, 9 picture, 18 data), its time in milliseconds, what it holds.
        """
        self._data += data
        if not self._begun:
            if len(self._data) < _FILE_HEADER:
                return
            del self._data[:_FILE_HEADER]
            self._begun = True
        while len(self._data) >= _TAG_HEADER:
            head = self._data
            size = int.from_bytes(head[1:4], "big")
            if len(head) < _TAG_HEADER + size + 4:
                return
            at = int.from_bytes(head[4:7], "big") | head[7] << 24
            yield head[0], at, bytes(head[_TAG_HEADER : _TAG_HEADER + size])
            del self._data[: _TAG_HEADER + size + 4]
