"""Protocol Buffers on the wire: fields of a message, nothing else. Reads what it is given and trusts none of it.

Source: "Encoding", Protocol Buffers documentation.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Field", "WireError", "fields"]

Field = tuple[int, int | memoryview]
"""Number of the field, and a whole number or bytes; numbers of fixed width come as their bytes."""


class WireError(ValueError):
    """The bytes are no message."""


def fields(content: memoryview) -> Iterator[Field]:
    """The fields of one message, in their order; nothing is copied.

    Raises:
        WireError: a field is cut off or of a kind that there is not.
    """
    at, end = 0, len(content)
    while at < end:
        tag, at = _number(content, at)
        kind, number = tag & 7, tag >> 3
        if not number:
            raise WireError("a field has the number 0")
        if kind == 0:
            value, at = _number(content, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _number(content, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise WireError(f"a field is of kind {kind}")
        if length > end - at:
            raise WireError("a field is cut off")
        yield number, content[at : at + length]
        at += length


def _number(content: memoryview, at: int) -> tuple[int, int]:
    total = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise WireError("a number is cut off")
        byte = content[at]
        at += 1
        total |= (byte & 127) << shift
        if byte < 128:
            return total & (1 << 64) - 1, at
    raise WireError("a number has more than ten bytes")
