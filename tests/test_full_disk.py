"""A disk that is full: each store says so in one sentence, keeps what it had, and goes on when there is room again."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from livefake.errors import LivefakeError
from livefake.trust.chain import own_chain
from livefake.trust.consent import Output, Purpose
from livefake.trust.grants import GrantBook
from livefake.trust.invites import Ask, InviteBook
from livefake.trust.issuer import issuer_number
from livefake.trust.issuers import IssuerBook
from livefake.trust.packs import sign_pack
from livefake.trust.probe import Verdict
from livefake.trust.rehearsal import Sight
from livefake.trust.templates import TemplateStore
from livefake.trust.transfer import export_all
from livefake.trust.verdicts import VerdictStore
from tests.grantkit import SERVICE, START, embedding, enter, person_pack, signed

ROOMS = [0, 1, 20]
"""Bytes that a file may have before the disk says no: none, and some of what is to be written."""


@contextmanager
def a_disk_with(room: int) -> Iterator[None]:
    """No file may grow beyond that size: the system says no in the middle of a write, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def content(folder: Path) -> dict[str, bytes]:
    """All files in a folder, except locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


@dataclass(frozen=True)
class Store:
    """Something that is kept: how it comes to be there, and the write that is to fail."""

    name: str
    prepare: Callable[[Path], None]
    write: Callable[[Path], object]


def _nothing(data: Path) -> None:
    data.mkdir(exist_ok=True)


def _book(data: Path) -> GrantBook:
    return GrantBook(data, SERVICE)


def _grant(data: Path) -> None:
    enter(_book(data))


def _revoke(data: Path) -> None:
    book = _book(data)
    book.revoke(book.ids()[0], now=START + 5)


def _template(data: Path) -> None:
    TemplateStore(data).keep("0123456789abcdef", embedding(1))


def _another_template(data: Path) -> None:
    TemplateStore(data).keep("0123456789abcdef", embedding(2))


def _invite(data: Path) -> tuple[str, InviteBook]:
    book = InviteBook(data)
    key, _ = book.make(Ask(frozenset(Purpose), frozenset(Output), 3), now=START)
    (data / "key").write_text(key)
    return key, book


def _spend(data: Path) -> None:
    InviteBook(data).spend((data / "key").read_text(), now=START)


def _issuers(data: Path) -> None:
    IssuerBook(data).add(1, "One")


def _more_issuers(data: Path) -> None:
    IssuerBook(data).add(2, "Two")


def _pack(data: Path) -> None:
    person_pack(data, "0123456789abcdef")


def _sign_pack(data: Path) -> None:
    sign_pack(data / "zoe", SERVICE)


def _root_missing(data: Path) -> None:
    own_chain(data, now=START)
    (data / "provenance" / "root.pem").unlink()


STORES = [
    Store("a grant", _nothing, _grant),
    Store("another grant", _grant, lambda data: _book(data).add(signed())),
    Store("a revocation", _grant, _revoke),
    Store("a template", _nothing, _template),
    Store("a template in place of another", _template, _another_template),
    Store("an invitation", _nothing, lambda data: InviteBook(data).make(_ask(), now=START)),
    Store("a try of an invitation", lambda data: _keep(_invite(data)), _spend),
    Store("issuers", _nothing, _issuers),
    Store("more issuers", _issuers, _more_issuers),
    Store("the signature of a pack", _pack, _sign_pack),
    Store("the installation's number", _nothing, issuer_number),
    Store("the signing chain", _nothing, lambda data: own_chain(data, now=START)),
    Store("the root certificate", _root_missing, lambda data: own_chain(data, now=START)),
    Store("an export", _grant, lambda data: export_all(_book(data), data / "all.json")),
]


def _ask() -> Ask:
    return Ask(frozenset(Purpose), frozenset(Output), 3)


def _keep(made: object) -> None:
    del made


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("store", STORES, ids=lambda store: store.name)
def test_a_full_disk_is_one_sentence_and_the_old_content_stays(tmp_path: Path, store: Store, room: int) -> None:
    store.prepare(tmp_path)
    before = content(tmp_path)
    with a_disk_with(room):
        try:
            store.write(tmp_path)
        except LivefakeError as error:
            failure = error
        else:
            pytest.fail(f"{store.name} was written into {room} bytes")
    assert failure.problem.count("\n") == 0
    assert failure.problem.endswith(".")
    assert "File too large" in str(failure)
    after = content(tmp_path)
    assert {name: after.get(name) for name in before} == before
    # What is new is a key that was made whole first; no half of anything is left.
    assert not [name for name in after if name not in before and (".part" in name or not name.endswith(".key"))]
    store.write(tmp_path)


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_only_remembered_is_forgotten_without_a_word(tmp_path: Path, room: int) -> None:
    verdicts = VerdictStore(tmp_path, SERVICE)
    sight = Sight(np.stack([embedding(1), embedding(2)]), 2)
    with a_disk_with(room):
        verdicts.keep(Verdict("0123456789abcdef", {}, 3), "ab", {})
        verdicts.keep_faces(sight, "ab")
    assert content(tmp_path) == {}
    assert verdicts.find_faces("ab") is None
    verdicts.keep_faces(sight, "ab")
    found = verdicts.find_faces("ab")
    assert found is not None
    assert found.pictures == 2


def test_a_root_certificate_that_was_torn_is_written_again(tmp_path: Path) -> None:
    anchors = own_chain(tmp_path, now=START).anchors
    root = tmp_path / "provenance" / "root.pem"
    root.write_text(anchors[:100])
    own_chain(tmp_path, now=START)
    assert root.read_text() == anchors
