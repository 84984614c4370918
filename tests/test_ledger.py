from __future__ import annotations

import json
import multiprocessing
import re
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from livefake.errors import LivefakeError
from livefake.trust.entries import LONGEST_LINE, Damaged, Kind, read_entry
from livefake.trust.keys import public_hex
from livefake.trust.ledger import Ledger
from livefake.trust.records import Segment, segment_fields
from tests.grantkit import SERVICE, START, STRANGER

PUBLIC = public_hex(SERVICE)
GRANT = "0123456789abcdef"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, SERVICE, time_of_day=lambda: START + 0.5)


def segment(at: float = START, *, grant: str | None = None, cards: int = 0) -> Segment:
    return Segment(at, at + 10, (1, (1 << 64) - 1, 5), 300, cards, grant)


def filled(folder: Path, count: int = 8) -> Ledger:
    ledger = Ledger(folder, SERVICE, time_of_day=lambda: float(START))
    for index in range(count):
        ledger.append("segment", segment_fields(7, segment(START + 10 * index)))
    return ledger


def lines(ledger: Ledger) -> list[bytes]:
    return ledger.path.read_bytes().splitlines(keepends=True)


def told(ledger: Ledger, **options: str) -> list[str]:
    return [str(problem) for problem in ledger.verify(**options).problems]


def test_a_session_comes_back_as_it_was_written(ledger: Ledger) -> None:
    ledger.append("session-start", {"session": 1 << 35, "persona_kind": "fictional", "grant": None, "output": "live"})
    ledger.append("notice", {"session": 1 << 35, "notice": "0011223344556677", "source": "camera"})
    ledger.append("session-start", {"session": 2, "persona_kind": "person", "grant": GRANT, "output": "file"})
    ledger.append("segment", segment_fields(1 << 35, segment()))
    ledger.append("persona", {"session": 1 << 35, "persona_kind": "person", "grant": GRANT})
    ledger.append("segment", segment_fields(1 << 35, segment(START + 10, grant=GRANT, cards=4)))
    ledger.append("session-end", {"session": 1 << 35})
    record = ledger.session(1 << 35)
    assert record is not None
    assert record.segments == (segment(), segment(START + 10, grant=GRANT, cards=4))
    assert (record.started, record.ended) == (START + 0.5, START + 0.5)
    assert (record.grant, record.grants, record.persona_kind, record.output) == (GRANT, (GRANT,), "person", "live")
    assert [(tick.notice, tick.source) for tick in record.ticks] == [("0011223344556677", "camera")]
    other = ledger.session(2)
    assert other is not None
    assert (other.segments, other.ended, other.output) == ((), None, "file")
    assert ledger.session(3) is None
    assert [one.number for one in ledger.sessions()] == [1 << 35, 2]
    assert ledger.verify().ok


def test_there_is_no_session_where_there_is_no_ledger(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.session(1) is None
    assert ledger.sessions() == ()
    assert ledger.verify().ok
    assert list(tmp_path.iterdir()) == [], "asking makes nothing"


def test_files_are_for_their_user_only(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append("grant", {"grant": GRANT})
    folder = tmp_path / "ledger"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name for path in folder.iterdir()} == {"ledger.jsonl", "head.json", "lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_entries_of_a_kind_are_found(ledger: Ledger) -> None:
    ledger.append("grant", {"grant": GRANT})
    ledger.append("revocation", {"grant": GRANT})
    ledger.append("grant", {"grant": "ff" * 8})
    assert [entry.fields["grant"] for entry in ledger.entries(Kind.GRANT)] == [GRANT, "ff" * 8]
    assert [entry.number for entry in ledger.entries(Kind.GRANT, Kind.REVOCATION)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda rows: rows.__setitem__(3, rows[3].replace(b'"frames":300', b'"frames":301')),
            r"Entry 4 \(line 4\) does",
        ),
        (lambda rows: rows.__setitem__(3, b"junk\n"), r"Entry 4 \(line 4\) cannot be read"),
        (lambda rows: rows.__setitem__(3, rows[3].replace(b",", b", ", 1)), r"Entry 4 \(line 4\) was changed"),
        (lambda rows: rows.__delitem__(3), r"Entry 4 \(line 4\) is missing"),
        (lambda rows: rows.__delitem__(slice(2, 5)), r"Entries 3 to 5 \(line 3\): each is missing"),
        (lambda rows: rows.__delitem__(0), r"Entry 1 \(line 1\) is missing"),
        (lambda rows: rows.__delitem__(7), r"Entry 8 \(line 8\) is missing"),
        (lambda rows: rows.__delitem__(slice(5, 8)), r"Entries 6 to 8 \(line 6\): each is missing"),
        (lambda rows: rows.clear(), r"Entries 1 to 8 \(line 1\): each is missing"),
        (lambda rows: rows.insert(3, rows.pop(5)), r"Entry 6 \(line 4\) was moved"),
        (lambda rows: rows.insert(3, rows[5]), r"Entry 6 \(line 4\) was moved"),
        (lambda rows: rows.append(rows[5]), r"Entry 6 \(line 9\) stands twice"),
        (lambda rows: rows.__setitem__(7, b"junk\n"), r"Entry 8 \(line 8\) cannot be read"),
    ],
)
def test_a_ledger_that_was_tampered_with_tells_where(
    tmp_path: Path, change: Callable[[list[bytes]], object], sentence: str
) -> None:
    ledger = filled(tmp_path)
    rows = lines(ledger)
    change(rows)
    ledger.path.write_bytes(b"".join(rows))
    for _ in range(2):
        [first, *_] = told(ledger)
        assert re.search(sentence, first)
        # Going on does not cover it up.
        ledger.append("grant", {"grant": GRANT})


@settings(max_examples=30, deadline=None)
@given(some.data())
def test_no_byte_of_a_ledger_changes_unnoticed(data: some.DataObject) -> None:
    with TemporaryDirectory() as folder:
        ledger = filled(Path(folder), 4)
        content = bytearray(ledger.path.read_bytes())
        at = data.draw(some.integers(0, len(content) - 1))
        content[at] ^= data.draw(some.integers(1, 255))
        ledger.path.write_bytes(content)
        assert told(ledger)


@settings(max_examples=30, deadline=None)
@given(some.permutations(range(6)), some.sets(some.integers(0, 5)))
def test_lines_in_any_other_order_or_number_are_noticed(order: list[int], without: set[int]) -> None:
    with TemporaryDirectory() as folder:
        ledger = filled(Path(folder), 6)
        rows = lines(ledger)
        ledger.path.write_bytes(b"".join(rows[index] for index in order if index not in without))
        assert bool(told(ledger)) == (order != list(range(6)) or bool(without))


def test_an_entry_that_was_signed_here_and_put_elsewhere_is_noticed(tmp_path: Path) -> None:
    ledger, other = filled(tmp_path / "a"), filled(tmp_path / "b", 2)
    for index in range(6):
        other.append("grant", {"grant": f"{index:016x}"})
    rows = lines(ledger)
    rows[4] = lines(other)[4]
    ledger.path.write_bytes(b"".join(rows))
    assert told(ledger) == [
        "Entry 4 (line 4) was exchanged: entry 5 followed another one.",
        "Entry 5 (line 5) was exchanged: entry 6 followed another one.",
    ]


def test_a_missing_head_is_told_and_going_on_keeps_telling(tmp_path: Path) -> None:
    ledger = filled(tmp_path)
    (tmp_path / "ledger" / "head.json").unlink()
    assert told(ledger) == ["The ledger's head is missing: nobody can tell whether entries were cut off at the end."]
    ledger.append("grant", {"grant": GRANT})
    [sentence] = told(ledger)
    assert sentence.startswith("Entry 9 (line 9) tells of a break: The ledger's head is missing")


@pytest.mark.parametrize("content", [b"", b"junk", b"{}\n", b'{"count":8,"digest":"00","signature":"00"}\n'])
def test_a_damaged_head_is_told(tmp_path: Path, content: bytes) -> None:
    ledger = filled(tmp_path)
    (tmp_path / "ledger" / "head.json").write_bytes(content)
    [sentence] = told(ledger)
    assert sentence.startswith("The ledger's head ")


def test_another_installations_head_or_ledger_does_not_pass(tmp_path: Path) -> None:
    ledger, stranger = filled(tmp_path / "a"), Ledger(tmp_path / "b", STRANGER)
    for _ in range(8):
        stranger.append("grant", {"grant": GRANT})
    for name in ("ledger.jsonl", "head.json"):
        (tmp_path / "a" / "ledger" / name).write_bytes((tmp_path / "b" / "ledger" / name).read_bytes())
    first, second = told(ledger)
    assert first.startswith("Entries 1 to 8 (line 1): each does not carry this installation's signature")
    assert second.startswith("The ledger's head does not carry")


def test_a_ledger_that_was_put_back_is_noticed_by_a_note(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 3)
    old = {path: path.read_bytes() for path in (tmp_path / "ledger").iterdir()}
    ledger.append("grant", {"grant": GRANT})
    noted = ledger.verify().head
    ledger.append("grant", {"grant": GRANT})
    assert ledger.verify(expect=noted).ok
    for path, content in old.items():
        path.write_bytes(content)
    assert ledger.verify().ok, "nothing inside the folder can tell"
    assert told(ledger, expect=noted) == ["The ledger went as far as entry 4 once, and goes as far as 3 now."]
    ledger.append("grant", {"grant": "ff" * 8})
    assert told(ledger, expect=noted) == ["Entry 4 (line 0) is not the one that was noted."]


@pytest.mark.parametrize("note", ["x", "4", "-1:00", "²:00", ":", "9" * 30 + ":00"])
def test_a_note_that_is_none_does_not_pass(tmp_path: Path, note: str) -> None:
    assert told(filled(tmp_path, 3), expect=note)


@pytest.mark.parametrize("torn", [b'{"at":18000', b"\0" * 300, b"\0" * 300 + b"\n"])
def test_a_line_that_was_never_completed_makes_room(tmp_path: Path, torn: bytes) -> None:
    ledger = filled(tmp_path, 3)
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + torn)
    findings = ledger.verify()
    assert (findings.ok, findings.unfinished, findings.entries) == (True, True, 3)
    record = ledger.session(7)
    assert record is not None
    assert len(record.segments) == 3
    ledger.append("segment", segment_fields(7, segment()))
    assert ledger.path.read_bytes().startswith(whole)
    findings = ledger.verify()
    assert (findings.ok, findings.unfinished, findings.entries) == (True, False, 4)


def test_an_entry_that_was_completed_without_its_head_counts(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 3)
    head = (tmp_path / "ledger" / "head.json").read_bytes()
    ledger.append("grant", {"grant": GRANT})
    (tmp_path / "ledger" / "head.json").write_bytes(head)
    assert ledger.verify().ok
    assert ledger.append("grant", {"grant": GRANT}).number == 5
    assert ledger.verify().ok


def test_garbage_longer_than_any_line_is_told_and_gone_on_behind(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 3)
    with ledger.path.open("ab") as file:
        file.write(b"x" * (3 * LONGEST_LINE))
    ledger.append("grant", {"grant": GRANT})
    ledger.append("grant", {"grant": GRANT})
    findings = ledger.verify()
    assert not findings.ok
    assert [entry.fields["grant"] for entry in ledger.entries(Kind.GRANT)] == [GRANT, GRANT]


def test_a_changed_entry_of_a_session_is_told_when_it_is_asked_for(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 3)
    ledger.path.write_bytes(ledger.path.read_bytes().replace(b'"frames":300', b'"frames":999', 1))
    with pytest.raises(LivefakeError, match="an entry that was changed: it does not carry"):
        ledger.session(7)


def test_a_clock_that_jumps_breaks_nothing(tmp_path: Path) -> None:
    times = iter((START, START + 9e6, 0.0, START + 1, -5.0))
    ledger = Ledger(tmp_path, SERVICE, time_of_day=lambda: float(next(times)))
    for _ in range(5):
        ledger.append("grant", {"grant": GRANT})
    assert ledger.verify().ok
    assert [entry.at for entry in ledger.entries(Kind.GRANT)] == [START, START + 9e6, 0.0, START + 1, -5.0]


@contextmanager
def a_disk_with(room: int) -> Iterator[None]:
    """No file may grow beyond that size: the system says no in the middle of a write, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 150])
def test_a_full_disk_is_one_sentence_and_leaves_the_ledger_as_it_was(tmp_path: Path, room: int) -> None:
    ledger = filled(tmp_path, 3)
    before = {path.name: path.read_bytes() for path in (tmp_path / "ledger").iterdir()}
    with a_disk_with(len(before["ledger.jsonl"]) + room), pytest.raises(LivefakeError, match="cannot be written: File"):
        ledger.append("segment", segment_fields(7, segment()))
    assert {path.name: path.read_bytes() for path in (tmp_path / "ledger").iterdir()} == before
    assert ledger.append("segment", segment_fields(7, segment())).number == 4
    assert ledger.verify().ok


def test_a_head_that_cannot_be_written_takes_the_entry_back(tmp_path: Path) -> None:
    ledger = filled(tmp_path, 1)
    before = ledger.path.read_bytes()
    head = tmp_path / "ledger" / "head.json"
    content = head.read_bytes()
    head.unlink()
    head.mkdir()
    (head / "in the way").touch()
    with pytest.raises(LivefakeError, match="cannot be"):
        ledger.append("grant", {"grant": GRANT})
    assert ledger.path.read_bytes() == before
    (head / "in the way").unlink()
    head.rmdir()
    head.write_bytes(content)
    assert ledger.append("grant", {"grant": GRANT}).number == 2


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger").write_text("in the way")
    with pytest.raises(LivefakeError, match="cannot be written"):
        Ledger(tmp_path, SERVICE).append("grant", {"grant": GRANT})


def _write_some(folder: Path, name: int) -> None:
    ledger = Ledger(folder, SERVICE)
    for index in range(25):
        ledger.append("grant", {"grant": f"{name * 1000 + index:016x}"})


def test_several_programs_write_one_ledger(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=_write_some, args=(tmp_path, name)) for name in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    ledger = Ledger(tmp_path, SERVICE)
    assert ledger.verify().ok
    written = [int(entry.fields["grant"], 16) for entry in ledger.entries(Kind.GRANT)]
    assert len(written) == 75
    assert [one for one in written if one < 1000] == list(range(25))


@pytest.mark.parametrize(
    "fields", [{"x": 1.5}, {"x": True}, {"X": 1}, {"x": 1 << 53}, {"x": [1]}, {"x": "y" * LONGEST_LINE}, {"x": {}}]
)
def test_what_no_entry_may_hold_is_refused(ledger: Ledger, fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="an entry"):
        ledger.append("grant", fields)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="nonsense"):
        ledger.append("nonsense", {})
    assert ledger.verify().ok


@given(some.binary(max_size=200) | some.text().map(str.encode))
def test_what_is_no_entry_is_told(line: bytes) -> None:
    with pytest.raises(Damaged):
        read_entry(line, PUBLIC)


@given(
    some.recursive(
        some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
        lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
        max_leaves=8,
    ),
    some.sampled_from(["n", "at", "kind", "fields", "before", "signature"]),
)
def test_json_that_is_no_entry_is_told(value: object, name: str) -> None:
    values = {"n": 1, "at": 1, "kind": "grant", "fields": {}, "before": "0" * 64, "signature": "0" * 128, name: value}
    for text in (json.dumps(value), json.dumps(values, sort_keys=True, separators=(",", ":"))):
        with pytest.raises(Damaged):
            read_entry(text.encode(), PUBLIC)
