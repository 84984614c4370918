"""One line of the ledger: what it says, what stands before it, and the installation's signature under both.

Pure logic. A line is JSON in the one form there is for its content (after RFC 8785: names in order, no spaces, texts
and whole numbers only). Each names the SHA-256 of the line before it, so that a line can be neither changed nor taken
out nor moved without the next one telling.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from livefake.trust.keys import signed_by

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = [
    "LONGEST_LINE",
    "Damaged",
    "Entry",
    "Field",
    "Head",
    "Kind",
    "digest_of",
    "read_entry",
    "read_head",
    "root",
    "write_entry",
]

LONGEST_LINE: Final = 32_768
"""Bytes of a line with its line feed: enough for a segment of half an hour."""

Field = str | int | None | Sequence[str]
"""What an entry may hold under a name."""

_ENTRY: Final = b"livefake ledger entry 1\n"
_HEAD: Final = b"livefake ledger head 1\n"
_ROOT: Final = b"livefake ledger 1\n"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SAFE: Final = 1 << 53


class Kind(StrEnum):
    """What an entry is about."""

    START = "session-start"
    """A session begins: number, output, kind of persona, grant."""
    NOTICE = "notice"
    """Its performer agreed to the notice: which, and where the picture comes from."""
    PERSONA = "persona"
    """It changes the persona: kind, grant."""
    SEGMENT = "segment"
    """About ten seconds of it: fingerprints and counts."""
    END = "session-end"
    """It is over."""
    GRANT = "grant"
    """A grant was given: its id."""
    REVOCATION = "revocation"
    """A grant was taken back: its id."""
    BREAK = "break"
    """The ledger goes on although its head was missing or damaged; no check ever passes this by in silence."""


class Damaged(ValueError):
    """A line is not what this installation wrote; the text says why and completes 'entry 7 ...'."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry.

    Attributes:
        number: from 1.
        at: when it was written by the clock of that moment, seconds since 1970 UTC; order is by number, not by time.
        kind: what it is about.
        fields: what it says.
        before: SHA-256 of the line before it, 64 hexadecimal digits; ``root`` for the first.
        digest: SHA-256 of its own line.
    """

    number: int
    at: float
    kind: Kind
    fields: Mapping[str, Any]
    before: str
    digest: str


@dataclass(frozen=True, slots=True)
class Head:
    """How far the ledger goes: the signed count and the SHA-256 of the last line."""

    count: int
    digest: str

    def line(self, key: Ed25519PrivateKey) -> bytes:
        """The head as a signed line."""
        return _signed({"count": self.count, "digest": self.digest}, _HEAD, key)


def root(public: str) -> str:
    """What the first entry names as the line before it: the ledger of one installation does not continue another's.

    Args:
        public: the installation's public key, 64 hexadecimal digits.
    """
    return hashlib.sha256(_ROOT + public.encode()).hexdigest()


def write_entry(
    number: int, at: float, kind: Kind, fields: Mapping[str, Field], *, before: str, key: Ed25519PrivateKey
) -> tuple[Entry, bytes]:
    """An entry and its line, line feed included.

    Raises:
        ValueError: a field is no text, whole number or list of texts, or the line gets longer than ``LONGEST_LINE``.
    """
    content = {
        name: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in fields.items()
    }
    for name, value in content.items():
        if not (_NAME.fullmatch(name) and _is_field(value)):
            raise ValueError(f"an entry holds texts and whole numbers by lower-case name, got {name!r}: {value!r}")
    instant = round(at * 1000)
    values = {"at": instant, "before": before, "fields": content, "kind": str(kind), "n": number}
    line = _signed(values, _ENTRY, key)
    if len(line) > LONGEST_LINE:
        raise ValueError(f"an entry has {LONGEST_LINE} bytes at most, got {len(line)}")
    return Entry(number, instant / 1000, kind, MappingProxyType(content), before, digest_of(line)), line


def digest_of(line: bytes) -> str:
    """SHA-256 of a line without its line feed, 64 hexadecimal digits."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def read_entry(line: bytes, public: str | None) -> Entry:
    """Read a line that ``write_entry`` made.

    Args:
        line: with or without its line feed.
        public: the installation's public key, 64 hexadecimal digits; None leaves the signature unchecked.

    Raises:
        Damaged: it is not such a line, or the signature is not right.
    """
    values = _checked(line, _ENTRY, public)
    try:
        number, instant, before, fields = values["n"], values["at"], values["before"], values["fields"]
        kind = Kind(values["kind"])
    except (KeyError, ValueError) as error:
        raise Damaged("is no entry") from error
    if not (
        type(number) is int
        and 0 < number < _SAFE
        and type(instant) is int
        and isinstance(before, str)
        and _HASH.fullmatch(before)
        and isinstance(fields, dict)
        and all(_NAME.fullmatch(name) and _is_field(value) for name, value in fields.items())
        and len(values) == 5
    ):
        raise Damaged("is no entry")
    return Entry(number, instant / 1000, kind, MappingProxyType(fields), before, digest_of(line))


def read_head(line: bytes, public: str) -> Head:
    """Read a head.

    Raises:
        Damaged: it is none, or the signature is not right.
    """
    values = _checked(line, _HEAD, public)
    count, digest = values.get("count"), values.get("digest")
    if not (type(count) is int and 0 < count < _SAFE and isinstance(digest, str) and _HASH.fullmatch(digest)):
        raise Damaged("is no head")
    return Head(count, digest)


def _signed(values: Mapping[str, Any], prefix: bytes, key: Ed25519PrivateKey) -> bytes:
    signature = key.sign(prefix + _canonical(values)).hex()
    return _canonical({**values, "signature": signature}) + b"\n"


def _checked(line: bytes, prefix: bytes, public: str | None) -> dict[str, Any]:
    text = line.rstrip(b"\n")
    try:
        values = json.loads(text.decode())
        signature = values.pop("signature")
        whole = _canonical({**values, "signature": signature})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Damaged("cannot be read") from error
    # One content has one form: else a line could be changed without its meaning, and its hash with it.
    if whole != text:
        raise Damaged("was changed")
    if public is not None and not signed_by(public, str(signature), prefix + _canonical(values)):
        raise Damaged("does not carry this installation's signature")
    return dict(values)


def _canonical(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def _is_field(value: object) -> bool:
    if isinstance(value, list):
        return all(type(item) is str for item in value)
    # A bool is an int for isinstance, and JSON has no whole numbers beyond these that all readers agree on.
    return value is None or type(value) is str or (type(value) is int and abs(value) < _SAFE)
