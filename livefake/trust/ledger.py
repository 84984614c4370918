"""The ledger: what this installation showed and under whose grant, in one file that only ever grows.

Each entry is a signed line that names the one before it (``livefake.trust.entries``), and is on the disk when
``append`` returns. Beside the file lies its signed head, so that an end that is cut off is noticed
(``livefake.trust.audit``).

It holds no picture, no name and no face: numbers of sessions, ids of grants, times, counts and fingerprints. The key
lies in the same data folder, so the ledger convicts whoever changes the file, not whoever owns the computer and starts
all over; a head that was noted elsewhere does that too.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from livefake.clock import Wall, wall
from livefake.errors import LivefakeError
from livefake.trust.audit import Findings, audit
from livefake.trust.durable import make_folder, sync_folder, write_durably
from livefake.trust.entries import (
    LONGEST_LINE,
    Damaged,
    Entry,
    Field,
    Head,
    Kind,
    digest_of,
    read_entry,
    read_head,
    root,
    write_entry,
)
from livefake.trust.keys import public_hex
from livefake.trust.records import Segment, SessionRecord, gather

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Ledger", "Segment", "SessionRecord"]

_FULL: Final = "Make room on the disk, or set LIVEFAKE_DATA to another folder."
_CHECK: Final = "See: livefake ledger verify"


@dataclass(frozen=True, slots=True)
class _Tail:
    """Where the complete part of the file ends, and the number and digest of its last entry."""

    end: int
    number: int
    digest: str


class Ledger:
    """The ledger of an installation; any number of threads and programs may write to it at once.

    Args:
        data: the data folder; the ledger lies in ``ledger/``, made with the first entry.
        key: the installation's key.
        time_of_day: the wall clock; a jump of it changes what an entry says about time, and nothing else.
    """

    def __init__(self, data: Path, key: Ed25519PrivateKey, *, time_of_day: Wall = wall) -> None:
        self._folder = data / "ledger"
        self._path = self._folder / "ledger.jsonl"
        self._head = self._folder / "head.json"
        self._key = key
        self._public = public_hex(key)
        self._time_of_day = time_of_day

    @property
    def path(self) -> Path:
        """The file with the entries; it need not be there yet."""
        return self._path

    def append(self, kind: str, fields: Mapping[str, Field]) -> Entry:
        """Write an entry; it is on the disk when this returns, and either all of it is there or nothing.

        A line at the end that was never completed, as when the power fails, makes room for it.

        Args:
            kind: one of ``Kind``.
            fields: texts, whole numbers, lists of texts or None by lower-case name.

        Raises:
            ValueError: there is no such kind, or a field is something else.
            LivefakeError: it cannot be written; the ledger is as it was.
        """
        what = Kind(kind)
        try:
            make_folder(self._folder)
            with self._alone(fcntl.LOCK_EX), os.fdopen(self._open(), "r+b", buffering=0) as file:
                tail, broken = self._tail(file.fileno())
                if broken:
                    _, tail = self._add(file.fileno(), tail, Kind.BREAK, {"reason": broken})
                return self._add(file.fileno(), tail, what, fields)[0]
        except OSError as error:
            raise LivefakeError(f"The ledger {self._path} cannot be written: {error.strerror}.", _FULL) from error

    def session(self, number: int) -> SessionRecord | None:
        """What the ledger says about a session; None when it has no such session.

        Args:
            number: as the watermark carries it.

        Raises:
            LivefakeError: the ledger cannot be read, or one of the session's entries was changed.
        """
        marks = (f'"session":{number},'.encode(), f'"session":{number}}}'.encode())
        lines = (line for line in self.lines() if any(mark in line for mark in marks))
        return self._gather(lines, checked=True).get(number)

    def sessions(self) -> tuple[SessionRecord, ...]:
        """All sessions in the order of their beginning, without fingerprints.

        Signatures are not checked, which would take minutes for a ledger of years; ``session`` and ``verify`` do.

        Raises:
            LivefakeError: the ledger cannot be read, or an entry is none.
        """
        return tuple(self._gather((line for line in self.lines() if b'"session":' in line), checked=False).values())

    def entries(self, *kinds: Kind) -> Iterator[Entry]:
        """Entries of some kinds, in order; those that were changed are left out, which ``verify`` tells.

        Raises:
            LivefakeError: the ledger cannot be read.
        """
        marks = tuple(f'"kind":"{kind}"'.encode() for kind in kinds)
        for line in self.lines():
            if any(mark in line for mark in marks):
                with suppress(Damaged):
                    yield read_entry(line, self._public)

    def verify(self, *, expect: str = "") -> Findings:
        """Check every entry; see ``livefake.trust.audit.audit``.

        Args:
            expect: ``Findings.head`` of an earlier check, noted where nobody could change it.

        Raises:
            LivefakeError: the ledger cannot be read.
        """
        try:
            with self._alone(fcntl.LOCK_SH):
                size, head = self._size(), self._read_head()
        except FileNotFoundError:
            return audit((), "", self._public, expect=expect)
        except OSError as error:
            raise self._unread(error) from error
        findings = audit(self._read(size), head, self._public, expect=expect)
        return replace(findings, unfinished=findings.unfinished or self._ends_unfinished(size))

    def lines(self) -> Iterator[bytes]:
        """The complete lines that there are now.

        Raises:
            LivefakeError: the ledger cannot be read.
        """
        return self._read(self._size())

    def _gather(self, lines: Iterator[bytes], *, checked: bool) -> dict[int, SessionRecord]:
        public = self._public if checked else None
        try:
            return gather((read_entry(line, public) for line in lines), prints=checked)
        except (ValueError, KeyError, TypeError) as error:
            raise LivefakeError(
                f"The ledger {self._path} has an entry that was changed: it {error}.", _CHECK
            ) from error

    def _open(self) -> int:
        fresh = not self._path.exists()
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if fresh:
            sync_folder(self._folder)
        return handle

    @contextmanager
    def _alone(self, how: int) -> Iterator[None]:
        """Hold the lock. Opened each time: a handle kept open would be shared with a forked child."""
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)

    def _tail(self, handle: int) -> tuple[_Tail, str]:
        """Where the ledger goes on, and what is wrong with the head if anything is."""
        head = self._read_head()
        count = head.count if isinstance(head, Head) else 0
        size = os.fstat(handle).st_size
        start = max(0, size - 2 * LONGEST_LINE)
        *lines, rest = _pread(handle, size - start, start).split(b"\n")
        end = size - len(rest)
        if not lines:
            if start:
                # No line of ours is that long: what is there stays as evidence, and ends here.
                end = size + _pwrite(handle, b"\n", size)
            return _Tail(end, count, root(self._public)), ""
        number = self._number(lines[-1])
        if number is None and len(lines) > 1 and isinstance(head, Head) and digest_of(lines[-2]) == head.digest:
            # The head was not moved on to it, so nobody was told that this line is written: half of it never was.
            end -= len(lines.pop()) + 1
        broken = head if isinstance(head, str) and (number or 2) > 1 else ""
        return _Tail(end, max(number or 0, count), digest_of(lines[-1])), broken

    def _number(self, line: bytes) -> int | None:
        try:
            return read_entry(line, self._public).number
        except Damaged:
            return None

    def _add(self, handle: int, tail: _Tail, kind: Kind, fields: Mapping[str, Field]) -> tuple[Entry, _Tail]:
        at = self._time_of_day()
        entry, line = write_entry(tail.number + 1, at, kind, fields, before=tail.digest, key=self._key)
        try:
            os.ftruncate(handle, tail.end)
            _pwrite(handle, line, tail.end)
            os.fdatasync(handle)
            write_durably(self._head, Head(entry.number, entry.digest).line(self._key))
        except OSError:
            # All or nothing: what was begun is taken back, or the next entry takes it back.
            with suppress(OSError):
                os.ftruncate(handle, tail.end)
                os.fdatasync(handle)
            raise
        return entry, _Tail(tail.end + len(line), entry.number, entry.digest)

    def _read_head(self) -> Head | str:
        try:
            return read_head(self._head.read_bytes(), self._public)
        except FileNotFoundError:
            return "The ledger's head is missing: nobody can tell whether entries were cut off at the end."
        except Damaged as error:
            return f"The ledger's head {error}: nobody can tell whether entries were cut off at the end."

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _read(self, size: int) -> Iterator[bytes]:
        """The complete lines of the first ``size`` bytes."""
        if not size:
            return
        try:
            with self._path.open("rb") as file:
                left = size
                while line := file.readline(min(left, LONGEST_LINE)):
                    left -= len(line)
                    if left or line.endswith(b"\n"):
                        yield line
        except OSError as error:
            raise self._unread(error) from error

    def _ends_unfinished(self, size: int) -> bool:
        if not size:
            return False
        with self._path.open("rb") as file:
            file.seek(size - 1)
            return file.read(1) != b"\n"

    def _unread(self, error: OSError) -> LivefakeError:
        return LivefakeError(f"The ledger {self._path} cannot be read: {error.strerror}.", "Make it readable.")


def _pread(handle: int, size: int, at: int) -> bytes:
    parts = []
    while size > 0 and (part := os.pread(handle, size, at)):
        parts.append(part)
        size -= len(part)
        at += len(part)
    return b"".join(parts)


def _pwrite(handle: int, content: bytes, at: int) -> int:
    size = len(content)
    while content:
        written = os.pwrite(handle, content, at)
        content = content[written:]
        at += written
    return size
