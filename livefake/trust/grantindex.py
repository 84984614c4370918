"""An index of the grants' files, so that asking for all of them does not read and check each one every time.

It is a copy: whatever a file says counts, each row is made anew when its file is another one than before, and the whole
index when it is damaged or gone.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from livefake.errors import LivefakeError, NotFound
from livefake.trust.consent import Grant

__all__ = ["GrantIndex", "Row"]

_GRANT: Final = re.compile(r"([0-9a-f]{16})\.json")
_REVOKED: Final = re.compile(r"([0-9a-f]{16})\.revoked\.json")
_WAIT: Final = 5.0

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS grants (
    stamp TEXT NOT NULL, sum TEXT NOT NULL, id TEXT PRIMARY KEY, subject TEXT NOT NULL, operator TEXT NOT NULL,
    template TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_until INTEGER NOT NULL, problem TEXT NOT NULL
) WITHOUT ROWID
"""
_COLUMNS: Final = "id, subject, operator, template, valid_from, valid_until, problem"


@dataclass(frozen=True, slots=True)
class Row:
    """A grant as far as a list needs it.

    Attributes:
        id: of the grant.
        subject: the person's name; empty when the file is damaged, as are the others then.
        operator: public key of the installation it was given to, 64 hexadecimal digits.
        template: salted hash of the face template, 64 hexadecimal digits.
        valid_from, valid_until: seconds since 1970 UTC.
        problem: why the file is damaged, a sentence; else empty.
        revoked: whether it was taken back.
    """

    id: str
    subject: str
    operator: str
    template: str
    valid_from: int
    valid_until: int
    problem: str
    revoked: bool


class GrantIndex:
    """The index of a folder of grants; any number of threads and programs may use it.

    Args:
        folder: with the grants; the index lies there too.
        read: reads one grant and checks its signatures.
    """

    def __init__(self, folder: Path, read: Callable[[str], Grant]) -> None:
        self._folder = folder
        self._path = folder / "index.sqlite"
        self._read = read

    def rows(self) -> tuple[Row, ...]:
        """All grants by id, damaged and revoked ones too, as their files are at this moment."""
        stamps, revoked = self._look()
        if not stamps:
            return ()
        try:
            with self._open(self._path) as index:
                return self._rows(index, stamps, revoked)
        except sqlite3.OperationalError:
            # Locked for too long, a full or a read-only disk: it still works, only slower.
            return self._without_file(stamps, revoked)
        except sqlite3.DatabaseError:
            self.forget()
            return self._without_file(stamps, revoked)

    def forget(self) -> None:
        """Throw the index away; the next question makes it anew."""
        for path in (self._path, self._path.with_name(f"{self._path.name}-journal")):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def _without_file(self, stamps: dict[str, str], revoked: set[str]) -> tuple[Row, ...]:
        with self._open(":memory:") as index:
            return self._rows(index, stamps, revoked)

    @contextmanager
    def _open(self, path: Path | str) -> Iterator[sqlite3.Connection]:
        if isinstance(path, Path) and not path.exists():
            # SQLite would make it readable for others.
            with suppress(OSError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        with closing(sqlite3.connect(path, timeout=_WAIT)) as index:
            # What a deleted grant said is overwritten, not only let go of.
            index.execute("PRAGMA secure_delete = ON")
            # Nothing is lost with it: a power failure costs the time to make it anew.
            index.execute("PRAGMA synchronous = OFF")
            index.execute(_TABLE)
            with index:
                yield index

    def _look(self) -> tuple[dict[str, str], set[str]]:
        """What tells one state of each grant's file from another, and which grants were revoked."""
        stamps: dict[str, str] = {}
        revoked: set[str] = set()
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if found := _GRANT.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        stat = entry.stat()
                        stamps[found[1]] = f"{stat.st_ino} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
                elif found := _REVOKED.fullmatch(entry.name):
                    revoked.add(found[1])
        return stamps, revoked

    def _rows(self, index: sqlite3.Connection, stamps: dict[str, str], revoked: set[str]) -> tuple[Row, ...]:
        known = dict(index.execute("SELECT id, stamp FROM grants"))
        for id, stamp in tuple(stamps.items()):
            if known.get(id) != stamp:
                try:
                    values = (id, *self._describe(id))
                except NotFound:
                    # Deleted since the folder was looked at.
                    del stamps[id]
                    continue
                index.execute(f"REPLACE INTO grants VALUES (?{', ?' * 8})", (stamp, _sum(values), *values))
        index.executemany("DELETE FROM grants WHERE id = ?", [(id,) for id in known.keys() - stamps.keys()])
        found: list[tuple[Any, ...]] = index.execute(f"SELECT sum, {_COLUMNS} FROM grants ORDER BY id").fetchall()
        if [row[1] for row in found] != sorted(stamps) or any(_sum(row[1:]) != row[0] for row in found):
            raise sqlite3.DatabaseError("rows are not as they were written")
        return tuple(Row(*(*row[1:], row[1] in revoked)) for row in found)

    def _describe(self, id: str) -> tuple[str, str, str, int, int, str]:
        try:
            grant = self._read(id)
        except NotFound:
            raise
        except LivefakeError as error:
            return "", "", "", 0, 0, error.problem
        return grant.subject, grant.operator, grant.template, grant.valid_from, grant.valid_until, ""


def _sum(values: Sequence[object]) -> str:
    """What tells a row that the disk damaged: SQLite itself would not notice every byte."""
    return hashlib.sha256(repr(tuple(values)).encode()).hexdigest()
