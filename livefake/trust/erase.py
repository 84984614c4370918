"""Taking a grant back, with everything that came from the face: template, persona packs, what they were trained from.

What stays is the signed record that the grant was given, and the book's signed note that it was taken back. What runs
asks about the grant once a second (``livefake.trust.gate``) and needs no word from here.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from livefake.errors import LivefakeError, NotFound
from livefake.trust.grants import GrantBook

__all__ = ["Erased", "Revoker", "packs_of"]


@dataclass(frozen=True, slots=True)
class Erased:
    """What a revocation did.

    Attributes:
        at: when the grant was taken back, seconds since 1970 UTC.
        packs: ids of the personas that were deleted this time.
    """

    at: int
    packs: tuple[str, ...]


class Revoker:
    """Takes grants back; any thread may ask.

    Args:
        book: the grants.
        data: the data folder: persona packs lie in ``personas/ID``, what they were trained from in ``training/*/ID``.
    """

    def __init__(self, book: GrantBook, data: Path) -> None:
        self._book = book
        self._data = data

    def __call__(self, id: str, *, now: float) -> Erased:
        """Take a grant back for good. Doing it again deletes what has come since, or could not be deleted before.

        Everything is tried, whatever of it fails: the signed note comes first, so that nothing is worn any more, and
        what cannot be deleted is told at the end.

        Args:
            id: of the grant.
            now: seconds since 1970 UTC.

        Raises:
            NotFound: there is no such grant.
            LivefakeError: something could not be written or deleted.
        """
        troubles: list[LivefakeError] = []
        try:
            self._book.revoke(id, now=now)
        except NotFound:
            raise
        except LivefakeError as error:
            troubles.append(error)
        packs = packs_of(self._data / "personas", id)
        for folder in self._folders(packs):
            try:
                shutil.rmtree(folder)
            except OSError as error:
                troubles.append(
                    LivefakeError(f"{folder} cannot be deleted: {error.strerror}.", f"Delete {folder} by hand.")
                )
        if troubles:
            raise troubles[0]
        at = self._book.revoked_at(id)
        return Erased(int(now) if at is None else at, tuple(pack.name for pack in packs))

    def _folders(self, packs: tuple[Path, ...]) -> Iterator[Path]:
        for pack in packs:
            # The work folders are found by the pack's name, so they go first.
            yield from (path for path in self._data.glob(f"training/*/{pack.name}") if path.is_dir())
            yield pack


def packs_of(personas: Path, grant: str) -> tuple[Path, ...]:
    """The folders of the packs that were made under a grant, damaged ones too.

    Args:
        personas: this installation's own personas; the folder need not be there.
        grant: its id.
    """
    # Read as plain bytes: a card that is damaged elsewhere must not save the pictures beside it.
    names = re.compile(rb"""^\s*grant\s*=\s*["']%s["']""" % grant.encode(), re.MULTILINE)
    return tuple(path.parent for path in sorted(personas.glob("*/persona.toml")) if names.search(_content(path)))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
