from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from livefake.errors import ConsentError, LivefakeError, NotFound
from livefake.frame import Floats
from livefake.trust.consent import Output, Purpose
from livefake.trust.entries import Kind
from livefake.trust.grants import GrantBook, read_grant, write_grant
from livefake.trust.keys import installation_key, public_hex
from livefake.trust.templates import TemplateStore
from tests.grantkit import DURING, START, STRANGER, draft, embedding, enter, signed


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path / "data")


def test_a_grant_is_found_listed_and_covers_what_it_says(book: GrantBook) -> None:
    first, second = enter(book, 1), enter(book, 2, outputs=frozenset({Output.LIVE}))
    assert set(book.ids()) == {first.id, second.id} == {grant.id for grant in book}
    assert book.find(first.id) == first
    assert book.check(second.id, now=DURING, purpose=Purpose.WEAR, output=Output.LIVE) == second
    with pytest.raises(ConsentError, match="covers live, not file"):
        book.check(second.id, now=DURING, purpose=Purpose.WEAR, output=Output.FILE)
    with pytest.raises(ConsentError, match="expired"):
        book.check(first.id, now=DURING + 86_400, purpose=Purpose.WEAR, output=Output.LIVE)


def test_the_operator_is_the_installation(tmp_path: Path) -> None:
    book = GrantBook(tmp_path)
    assert book.operator == public_hex(installation_key(tmp_path))
    assert enter(book).operator == book.operator


def test_the_face_that_belongs_to_a_grant_is_known_again(book: GrantBook) -> None:
    grants = [enter(book, seed) for seed in range(4)]
    noise = np.random.default_rng(9).normal(size=128) * 0.01
    for seed, grant in enumerate(grants):
        assert book.matches((embedding(seed) + noise).astype(np.float32)) == grant
    assert book.matches(embedding(99)) is None


def test_a_revoked_grant_covers_nothing_and_its_template_is_gone(book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    book.revoke(grant.id, now=START + 5.9)
    with pytest.raises(ConsentError, match="was revoked"):
        book.check(grant.id, now=DURING, purpose=Purpose.WEAR, output=Output.LIVE)
    assert book.revoked_at(grant.id) == START + 5
    assert book.matches(embedding(1)) is None
    assert list((tmp_path / "data" / "templates").iterdir()) == []
    assert book.ids() == (grant.id,), "it stays readable: what was allowed once can be proved"
    book.revoke(grant.id, now=START + 50)
    assert book.revoked_at(grant.id) == START + 5, "the first time counts"


def test_a_revocation_counts_in_another_book_of_the_same_folder(book: GrantBook, tmp_path: Path) -> None:
    grant, other = enter(book), GrantBook(tmp_path / "data")
    other.revoke(grant.id, now=START)
    assert book.revoked(grant.id)


def test_a_revoked_grant_does_not_come_back_by_importing_it(book: GrantBook, tmp_path: Path) -> None:
    grant, file = enter(book), tmp_path / "grant.json"
    book.export(grant.id, file)
    book.revoke(grant.id, now=START)
    assert book.take(file) == grant
    assert book.revoked(grant.id)


@pytest.mark.parametrize(
    "text", ["", "{}", '{"revoked_at": 5, "signature": "00"}', '{"revoked_at": "x", "signature": 1}']
)
def test_a_damaged_revocation_counts_and_is_told(book: GrantBook, tmp_path: Path, text: str) -> None:
    grant = enter(book)
    (tmp_path / "data" / "grants" / f"{grant.id}.revoked.json").write_text(text)
    assert book.revoked(grant.id)
    with pytest.raises(ConsentError, match=r"revoked\.json"):
        book.revoked_at(grant.id)


def test_a_grant_goes_out_and_comes_back_as_one_file(book: GrantBook, tmp_path: Path) -> None:
    grant, file = enter(book), tmp_path / "grant.json"
    book.export(grant.id, file)
    assert read_grant(file) == grant
    (tmp_path / "data" / "grants" / f"{grant.id}.json").unlink()
    assert book.take(file) == book.find(grant.id) == grant


def test_what_was_given_and_taken_back_is_in_the_ledger_by_id_and_time_only(book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    book.add(grant)
    book.revoke(grant.id, now=START)
    book.revoke(grant.id, now=START)
    entries = [(entry.kind, dict(entry.fields)) for entry in book.ledger.entries(*Kind)]
    assert entries == [(Kind.GRANT, {"grant": grant.id}), (Kind.REVOCATION, {"grant": grant.id})]
    assert b"Person" not in book.ledger.path.read_bytes()
    assert book.ledger.verify().ok


def test_a_grant_and_a_revocation_count_even_where_the_ledger_cannot_be_written_and_settling_makes_up(
    book: GrantBook, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "data" / "ledger"
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_text("")
    grant = enter(book)
    book.revoke(grant.id, now=START)
    assert book.revoked(grant.id)
    assert "not in the ledger yet" in caplog.text
    in_the_way.unlink()
    assert book.settle(now=DURING) == 2
    assert book.settle(now=DURING) == 0
    assert [entry.kind for entry in book.ledger.entries(*Kind)] == [Kind.GRANT, Kind.REVOCATION]


def test_settling_finishes_a_revocation_that_was_cut_off_and_sweeps_up(book: GrantBook, tmp_path: Path) -> None:
    grant, folder = enter(book), tmp_path / "data"
    template = folder / "templates" / f"{grant.id}.bin"
    content = template.read_bytes()
    book.revoke(grant.id, now=START)
    template.write_bytes(content)
    old, new = (folder / "grants" / f".{name}.json.00.part" for name in ("old", "new"))
    for path in (old, new):
        path.touch()
    os.utime(old, (DURING - 4000, DURING - 4000))
    os.utime(new, (DURING, DURING))
    book.settle(now=DURING)
    assert not template.exists()
    assert (old.exists(), new.exists()) == (False, True)


def test_files_are_for_their_user_only(book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    book.revoke(grant.id, now=START)
    book.rows()
    folder = tmp_path / "data" / "grants"
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{grant.id}.json", f"{grant.id}.revoked.json", "index.sqlite"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_another_installations_grant_is_refused(tmp_path: Path) -> None:
    here, there = GrantBook(tmp_path / "here"), GrantBook(tmp_path / "there", STRANGER)
    there.export(enter(there).id, tmp_path / "grant.json")
    with pytest.raises(ConsentError, match="given to another installation"):
        here.take(tmp_path / "grant.json")
    assert here.ids() == ()


def test_a_grant_that_was_changed_is_refused_wherever_it_comes_from(book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    path = tmp_path / "data" / "grants" / f"{grant.id}.json"
    values = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**values, "valid_until": values["valid_until"] + 86_400}))
    for refused in (
        lambda: book.find(grant.id),
        lambda: book.take(path),
        lambda: list(book),
        lambda: book.check(grant.id, now=DURING, purpose=Purpose.WEAR, output=Output.LIVE),
    ):
        with pytest.raises(ConsentError, match="it was changed"):
            refused()
    book.revoke(grant.id, now=START)
    assert book.revoked(grant.id), "a damaged grant can be ended"


def test_a_grant_under_anothers_name_is_refused(book: GrantBook, tmp_path: Path) -> None:
    first, second = enter(book, 1), enter(book, 2)
    folder = tmp_path / "data" / "grants"
    (folder / f"{first.id}.json").write_bytes((folder / f"{second.id}.json").read_bytes())
    with pytest.raises(ConsentError, match="should hold"):
        book.find(first.id)


def test_a_second_grant_with_the_same_id_is_refused(tmp_path: Path) -> None:
    from tests.grantkit import SERVICE

    book = GrantBook(tmp_path, SERVICE)
    book.add(signed())
    book.add(signed())
    with pytest.raises(ConsentError, match="another grant with the id"):
        book.add(signed(subject="Somebody else"))


def test_an_unsigned_grant_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConsentError, match="signature"):
        write_grant(draft(), tmp_path / "grant.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("id", ["", "nothing", "../../../etc/passwd", "0123456789ABCDEF", "0123456789abcde", "0" * 16])
def test_what_is_no_grants_id_is_not_found(book: GrantBook, id: str) -> None:
    for ask in (book.find, lambda id: book.revoke(id, now=START)):
        with pytest.raises(NotFound, match="grant"):
            ask(id)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}"])
def test_a_file_that_is_no_grant_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ConsentError, match=r"x\.json"):
        read_grant(tmp_path / "x.json")
    with pytest.raises(ConsentError, match=r"y\.json should be a grant"):
        read_grant(tmp_path / "y.json")


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(book: GrantBook, tmp_path: Path) -> None:
    (tmp_path / "data" / "grants").write_text("in the way")
    with pytest.raises(LivefakeError, match="cannot be written"):
        enter(book)
    assert list((tmp_path / "data" / "templates").iterdir()) == []


def test_a_template_is_kept_encrypted_and_for_its_user_only(tmp_path: Path) -> None:
    store, template = TemplateStore(tmp_path), embedding(1)
    digest = store.keep("a" * 16, template)
    loaded = store.load("a" * 16, digest)
    assert loaded is not None
    assert np.array_equal(loaded, template)
    file = tmp_path / "templates" / f"{'a' * 16}.bin"
    assert template.tobytes()[:16] not in file.read_bytes()
    for path, mode in ((file, 0o600), (tmp_path / "templates.key", 0o600), (file.parent, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    store.delete("a" * 16)
    assert store.load("a" * 16, digest) is None
    store.delete("a" * 16)


def test_the_hash_of_a_template_tells_nothing_about_the_face(tmp_path: Path) -> None:
    store = TemplateStore(tmp_path)
    assert store.keep("a" * 16, embedding(1)) != store.keep("b" * 16, embedding(1))


def test_a_template_stands_for_its_own_grant_only(tmp_path: Path) -> None:
    store, folder = TemplateStore(tmp_path), tmp_path / "templates"
    first, second = store.keep("a" * 16, embedding(1)), store.keep("b" * 16, embedding(2))
    with pytest.raises(LivefakeError, match="is not the one"):
        store.load("a" * 16, second)
    (folder / f"{'a' * 16}.bin").write_bytes((folder / f"{'b' * 16}.bin").read_bytes())
    with pytest.raises(LivefakeError, match="was changed"):
        store.load("a" * 16, first)


@pytest.mark.parametrize("damage", [b"", b"short", bytes(700)])
def test_a_damaged_template_is_told(tmp_path: Path, damage: bytes) -> None:
    store = TemplateStore(tmp_path)
    digest = store.keep("a" * 16, embedding(1))
    (tmp_path / "templates" / f"{'a' * 16}.bin").write_bytes(damage)
    with pytest.raises(LivefakeError, match="was changed"):
        store.load("a" * 16, digest)


def test_a_key_of_another_length_is_told(tmp_path: Path) -> None:
    (tmp_path / "templates.key").write_bytes(b"short")
    with pytest.raises(LivefakeError, match="should have 32 bytes, got 5"):
        TemplateStore(tmp_path).keep("a" * 16, embedding(1))


@pytest.mark.parametrize("wrong", [np.zeros(64, np.float32), np.full(128, np.nan, np.float32)])
def test_what_is_no_template_is_refused(tmp_path: Path, wrong: Floats) -> None:
    with pytest.raises(ValueError, match="128"):
        TemplateStore(tmp_path).keep("a" * 16, wrong)
