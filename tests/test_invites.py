from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import Busy, ConsentError, NotFound
from livefake.trust.consent import Output, Purpose
from livefake.trust.invites import LIFE, MOST, TRIES, Ask, InviteBook

NOW = 1_800_000_000
ASK = Ask(frozenset(Purpose), frozenset({Output.LIVE, Output.FILE}), 30)


@pytest.fixture
def book(tmp_path: Path) -> InviteBook:
    return InviteBook(tmp_path)


def files(folder: Path) -> list[Path]:
    return sorted((folder / "invites").glob("*"))


def test_an_invitation_is_found_by_its_key_alone(book: InviteBook, tmp_path: Path) -> None:
    key, invite = book.make(ASK, now=NOW)
    assert InviteBook(tmp_path).find(key, now=NOW + LIFE - 1) == invite
    assert (invite.ask, invite.tries) == (ASK, TRIES)
    assert len(key) == 22
    [file] = files(tmp_path)
    assert key not in file.name + file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("now", [NOW + LIFE, NOW - 1, math.nan, math.inf])
def test_outside_its_quarter_of_an_hour_it_is_of_no_use(book: InviteBook, now: float) -> None:
    key, _ = book.make(ASK, now=NOW)
    with pytest.raises(NotFound, match="cannot be used"):
        book.find(key, now=now)


def test_three_checks_use_it_up(book: InviteBook) -> None:
    key, _ = book.make(ASK, now=NOW)
    assert [book.spend(key, now=NOW).tries for _ in range(TRIES)] == [2, 1, 0]
    with pytest.raises(NotFound):
        book.spend(key, now=NOW)


def test_a_closed_one_is_gone(book: InviteBook, tmp_path: Path) -> None:
    key, _ = book.make(ASK, now=NOW)
    book.close(key)
    book.close(key)
    assert files(tmp_path) == []
    with pytest.raises(NotFound):
        book.find(key, now=NOW)


@given(st.text(max_size=80))
def test_no_other_text_is_a_key(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    book = InviteBook(tmp_path_factory.getbasetemp() / "no-invites")
    with pytest.raises(NotFound):
        book.find(text, now=NOW)


def test_only_so_many_are_open_and_old_ones_make_room(book: InviteBook, tmp_path: Path) -> None:
    for _ in range(MOST):
        book.make(ASK, now=NOW)
    with pytest.raises(Busy, match="20 open invitations"):
        book.make(ASK, now=NOW + 1)
    book.make(ASK, now=NOW + LIFE)
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"until": NOW + 10 * LIFE},
        {"tries": 99},
        {"tries": True},
        {"days": 5000},
        {"days": "30"},
        {"purposes": []},
        {"purposes": ["fly"]},
        {"outputs": 7},
        {"made": None},
    ],
)
def test_a_changed_file_invites_nobody(book: InviteBook, tmp_path: Path, change: dict[str, object]) -> None:
    key, _ = book.make(ASK, now=NOW)
    [file] = files(tmp_path)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(NotFound):
        book.find(key, now=NOW)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"{" * 5000, b'{"days": 1}'])
def test_rubbish_invites_nobody(book: InviteBook, tmp_path: Path, content: bytes) -> None:
    key, _ = book.make(ASK, now=NOW)
    files(tmp_path)[0].write_bytes(content)
    with pytest.raises(NotFound):
        book.find(key, now=NOW)


@pytest.mark.parametrize(
    ("purposes", "outputs", "days", "problem"),
    [
        ([], [Output.LIVE], 1, "something"),
        ([Purpose.WEAR], [], 1, "seen somewhere"),
        ([Purpose.TRAIN], [], 0, "1 to 732"),
        ([Purpose.TRAIN], [], 733, "1 to 732"),
    ],
)
def test_an_invitation_asks_for_something_that_a_grant_can_say(
    purposes: list[Purpose], outputs: list[Output], days: int, problem: str
) -> None:
    with pytest.raises(ConsentError, match=problem):
        Ask(frozenset(purposes), frozenset(outputs), days)


def test_less_is_covered_and_more_is_not() -> None:
    assert ASK.covers(ASK)
    assert ASK.covers(Ask(frozenset({Purpose.TRAIN}), frozenset(), 1))
    assert not ASK.covers(Ask(ASK.purposes, ASK.outputs, 31))
    assert not ASK.covers(Ask(ASK.purposes, frozenset(Output), 30))
    assert not Ask(frozenset({Purpose.TRAIN}), ASK.outputs, 30).covers(ASK)
