"""Whether a ledger is as it was written: which entry was changed, taken out, moved or cut off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from livefake.trust.entries import Damaged, Entry, Head, Kind, digest_of, read_entry, root

__all__ = ["Findings", "Problem", "audit"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written.

    Attributes:
        first, last: numbers of the entries, from 1; both 0 for what is about the whole ledger.
        line: line of the file, from 1, where the first of them stands or should stand.
        reason: completes 'entry 7 ...' or 'entries 7 to 9 ...', or is a sentence of its own for the whole ledger.
    """

    first: int
    last: int
    line: int
    reason: str

    def __str__(self) -> str:
        if not self.first:
            return self.reason
        if self.first == self.last:
            return f"Entry {self.first} (line {self.line}) {self.reason}."
        return f"Entries {self.first} to {self.last} (line {self.line}): each {self.reason}."


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found.

    Attributes:
        entries: lines that were looked at.
        head: number and SHA-256 of the last entry, as ``NUMBER:DIGEST``; noted elsewhere, it tells later whether the
            ledger still goes as far as this. Empty for an empty ledger.
        problems: what is not as it was written, in the order of the file.
        unfinished: whether a line at the end was never completed, as when the power fails; no problem, the next entry
            takes its place.
    """

    entries: int
    head: str
    problems: tuple[Problem, ...]
    unfinished: bool = False

    @property
    def ok(self) -> bool:
        """Whether everything is as it was written."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class _Line:
    at: int
    digest: str
    entry: Entry | None
    reason: str = ""


def audit(lines: Iterable[bytes], head: Head | str, public: str, *, expect: str = "") -> Findings:
    """Check a ledger from its first line to its last.

    What is found is any line that was changed, exchanged, taken out, put in or moved, and, by the head, an end that was
    cut off. What cannot be found without a note kept elsewhere is a ledger put back, with its head, to how it once was.

    Args:
        lines: complete lines of the file.
        head: as it was read; a text says why there is none, and is empty where there need not be one yet.
        public: the installation's public key, 64 hexadecimal digits.
        expect: ``Findings.head`` of an earlier check.
    """
    problems: list[Problem] = []
    seen: set[int] = set()
    known: dict[int, str] = {}
    wanted = {number for number in (_number(expect), head.count if isinstance(head, Head) else 0) if number}
    before = _Line(0, root(public), None)
    last = count = 0
    jumps: list[tuple[int, int, int]] = []
    previous = before
    for at, text in enumerate(lines, 1):
        count, previous = at, before
        line = _look(at, text, public)
        entry = line.entry
        if entry is None:
            # Its number is what its place says, as long as nothing tells otherwise.
            last += 1
            seen.add(last)
            problems.append(Problem(last, last, at, line.reason))
            before = line
            continue
        if entry.number in wanted:
            known[entry.number] = entry.digest
        if entry.number in seen:
            problems.append(Problem(entry.number, entry.number, at, "stands twice or in another's place"))
        elif entry.number != last + 1:
            jumps.append((at, last, entry.number))
        elif entry.before != before.digest and not before.reason:
            problems.append(_unlinked(entry, before))
        if entry.kind is Kind.BREAK:
            problems.append(Problem(entry.number, entry.number, at, f"tells of a break: {entry.fields.get('reason')}"))
        seen.add(entry.number)
        last, before = entry.number, line
    unfinished = isinstance(head, Head) and before.entry is None and last == head.count + 1
    if unfinished:
        # Nobody was told that this line is written: the head was not moved on to it.
        del problems[-1]
        count, last, before = count - 1, last - 1, previous
    problems += _explain(jumps, seen)
    top = max(seen, default=0) - unfinished
    problems += _against_head(head, known, top, count)
    problems += _against_note(expect, known, top)
    problems.sort(key=lambda problem: (problem.first == 0, problem.line))
    return Findings(count, f"{last}:{before.digest}" if count else "", tuple(_joined(problems)), unfinished)


def _look(at: int, text: bytes, public: str) -> _Line:
    digest = digest_of(text)
    try:
        return _Line(at, digest, read_entry(text, public))
    except Damaged as error:
        return _Line(at, digest, None, str(error))


def _unlinked(entry: Entry, before: _Line) -> Problem:
    if before.entry is None:
        return Problem(entry.number, entry.number, 1, "is the first here and was not the first of this ledger")
    number = before.entry.number
    return Problem(number, number, before.at, f"was exchanged: entry {entry.number} followed another one")


def _explain(jumps: Iterable[tuple[int, int, int]], seen: set[int]) -> Iterable[Problem]:
    """What a jump in the numbers means: entries that stand nowhere are missing, else this one was moved."""
    for at, last, number in jumps:
        missing = [one for one in range(last + 1, number) if one not in seen]
        if not missing:
            yield Problem(number, number, at, f"was moved: it stands after entry {last}" if last else "was moved")
        for one in missing:
            yield Problem(one, one, at, "is missing")


def _against_head(head: Head | str, known: dict[int, str], top: int, count: int) -> Iterable[Problem]:
    if isinstance(head, str):
        if head and count > 1:
            yield Problem(0, 0, count, head)
    elif head.count > top:
        for number in range(top + 1, head.count + 1):
            yield Problem(number, number, count + 1, "is missing at the end")
    elif known.get(head.count, head.digest) != head.digest:
        yield Problem(head.count, head.count, count, "is not the one that the head names")


def _against_note(expect: str, known: dict[int, str], top: int) -> Iterable[Problem]:
    number = _number(expect)
    if not expect:
        return
    if number > top:
        yield Problem(0, 0, 0, f"The ledger went as far as entry {number} once, and goes as far as {top} now.")
    elif known.get(number) != expect.partition(":")[2]:
        yield Problem(number, number, 0, "is not the one that was noted")


def _number(expect: str) -> int:
    number = expect.partition(":")[0]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 17 else 0


def _joined(problems: Iterable[Problem]) -> Iterable[Problem]:
    """Neighbours with the same reason become one."""
    waiting: Problem | None = None
    for problem in problems:
        if waiting and problem.first and problem.first == waiting.last + 1 and problem.reason == waiting.reason:
            waiting = Problem(waiting.first, problem.last, waiting.line, waiting.reason)
            continue
        if waiting:
            yield waiting
        waiting = problem
    if waiting:
        yield waiting
