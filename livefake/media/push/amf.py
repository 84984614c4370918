"""AMF 0, the encoding of RTMP's commands, as far as a publisher needs it (Adobe, Action Message Format AMF 0, 2007)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

__all__ = ["Value", "decode", "encode"]

Value = float | bool | str | None | dict[str, "Value"]
"""What a command may carry."""

_NUMBER, _BOOLEAN, _STRING, _OBJECT, _NULL, _END = 0, 1, 2, 3, 5, 9
_DEEPEST: Final = 8


def encode(*values: float | bool | str | Mapping[str, Value] | None) -> bytes:
    """The bytes of some values, one after the other.

    Raises:
        ValueError: a text is longer than 65 535 bytes.
    """
    return b"".join(_encode(value) for value in values)


def _encode(value: float | bool | str | Mapping[str, Value] | None) -> bytes:
    match value:
        case None:
            return bytes([_NULL])
        case bool():
            return bytes([_BOOLEAN, value])
        case int() | float():
            return struct.pack(">Bd", _NUMBER, value)
        case str():
            return bytes([_STRING]) + _text(value)
        case _:
            inside = b"".join(_text(name) + _encode(item) for name, item in value.items())
            return bytes([_OBJECT]) + inside + bytes([0, 0, _END])


def _text(value: str) -> bytes:
    data = value.encode()
    if len(data) > 0xFFFF:
        raise ValueError(f"a text of AMF 0 has 65 535 bytes at most, got {len(data)}")
    return struct.pack(">H", len(data)) + data


def decode(data: bytes) -> list[Value]:
    """The values in some bytes.

    Raises:
        ValueError: they are no AMF 0, or hold a kind that no answer to a publisher has.
    """
    reader, values = _Reader(data), list[Value]()
    while reader.left:
        values.append(reader.value())
    return values


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def _take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError("AMF 0 ends too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def _whole(self, count: int) -> int:
        return int.from_bytes(self._take(count), "big")

    def value(self, depth: int = 0) -> Value:  # noqa: PLR0911 - a kind, a return
        if depth > _DEEPEST:
            raise ValueError("AMF 0 is nested too deeply")
        kind = self._whole(1)
        match kind:
            case 0:  # number
                return float(struct.unpack(">d", self._take(8))[0])
            case 1:  # boolean
                return bool(self._whole(1))
            case 2:  # text
                return self._take(self._whole(2)).decode("utf-8", "replace")
            case 3:  # object
                return self._members(depth)
            case 5 | 6:  # null, undefined
                return None
            case 8:  # array by name
                self._take(4)
                return self._members(depth)
            case 10:  # array by place
                return {str(index): self.value(depth + 1) for index in range(min(self._whole(4), self.left))}
            case 11:  # date
                return float(struct.unpack(">dxx", self._take(10))[0])
            case 12:  # long text
                return self._take(self._whole(4)).decode("utf-8", "replace")
        raise ValueError(f"AMF 0 of kind {kind} is unknown")

    def _members(self, depth: int) -> dict[str, Value]:
        members: dict[str, Value] = {}
        while True:
            name = self._take(self._whole(2)).decode("utf-8", "replace")
            if not name and self.left and self._data[self._at] == _END:
                self._at += 1
                return members
            members[name] = self.value(depth + 1)
