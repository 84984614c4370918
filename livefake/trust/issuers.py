"""The address book of issuers: which other installations' numbers have a name here. One JSON file.

A name in it says that somebody was told this number, by a way that they trust. The number itself is public: it is in
every picture of that installation, and anybody could write it into theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from livefake.errors import BadRequest, LivefakeError, NotFound
from livefake.trust.durable import make_folder, write_durably

__all__ = ["IssuerBook", "read_issuer"]

_LARGEST: Final = 1 << 20
_NUMBER: Final = re.compile(r"(0x)?[0-9a-f]{6}")
_LONGEST_NAME: Final = 80


def read_issuer(text: str) -> int:
    """The number that somebody wrote: six hexadecimal digits.

    Raises:
        BadRequest: it is something else.
    """
    if not _NUMBER.fullmatch(text.strip().lower()):
        raise BadRequest(
            f"An issuer's number should be six hexadecimal digits, and is {text!r}.",
            "Ask for it: livefake issuers list",
        )
    return int(text.strip(), 16)


class IssuerBook:
    """The known issuers of an installation.

    Args:
        data: the data folder; the names lie in ``issuers.json``.
    """

    def __init__(self, data: Path) -> None:
        self._path = data / "issuers.json"

    def names(self) -> Mapping[int, str]:
        """Names by number, in the order of the numbers.

        Raises:
            LivefakeError: the file cannot be read, or is not such a book.
        """
        try:
            if self._path.stat().st_size > _LARGEST:
                raise ValueError("it is too long")
            found = json.loads(self._path.read_text("utf-8"))
            if not isinstance(found, dict):
                raise ValueError("it should be one object")
            return {read_issuer(number): _name(found[number]) for number in sorted(found)}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError, BadRequest) as error:
            raise LivefakeError(
                f"{self._path} should hold names by issuer's number, and cannot be read: {error}.",
                "Correct the file, or move it away to begin a new one.",
            ) from error

    def add(self, number: int, name: str) -> None:
        """Note a name, in place of the one that the number had.

        Raises:
            BadRequest: the name is no name.
            LivefakeError: the book cannot be read or written.
        """
        self._write({**self.names(), number: _name(name)})

    def remove(self, number: int) -> None:
        """Forget a name.

        Raises:
            NotFound: the number has none.
            LivefakeError: the book cannot be read or written.
        """
        names = dict(self.names())
        if number not in names:
            raise NotFound(f"The issuer {number:06x} is not among the known ones.", "See: livefake issuers list")
        del names[number]
        self._write(names)

    def _write(self, names: Mapping[int, str]) -> None:
        """Write the book; it appears under its name when it is whole."""
        text = json.dumps({f"{number:06x}": names[number] for number in sorted(names)}, indent=2, ensure_ascii=False)
        try:
            make_folder(self._path.parent)
            write_durably(self._path, text.encode() + b"\n")
        except OSError as error:
            raise LivefakeError(
                f"{self._path} cannot be written: {error.strerror}.",
                "Make room, or set LIVEFAKE_DATA to another folder.",
            ) from error


def _name(name: object) -> str:
    if not (isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME and name.isprintable() and name == name.strip()):
        raise BadRequest(
            f"An issuer's name should have 1 to {_LONGEST_NAME} printable characters, and is {name!r}.", "Shorten it."
        )
    return name
