from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from livefake.errors import ConsentError, NotFound
from livefake.trust.consent import Grant
from livefake.trust.grantfile import Revocation
from livefake.trust.grantindex import GrantIndex
from livefake.trust.grants import GrantBook
from livefake.trust.transfer import export_all, take_all
from tests.grantkit import END, SERVICE, START, STRANGER, draft, embedding, enter, signed


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path / "data")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "grants"


def facts(book: GrantBook) -> list[tuple[str, str, bool, bool]]:
    return [(row.id, row.subject, row.revoked, bool(row.problem)) for row in book.rows()]


def test_the_index_says_what_the_files_say(book: GrantBook, folder: Path) -> None:
    assert book.rows() == ()
    grants = sorted((enter(book, seed) for seed in range(3)), key=lambda grant: grant.id)
    [row, *_] = book.rows()
    assert (row.operator, row.template) == (book.operator, grants[0].template)
    assert (row.valid_from, row.valid_until) == (START, END)
    book.revoke(grants[1].id, now=START)
    assert facts(book) == [(grant.id, grant.subject, grant is grants[1], False) for grant in grants]
    path = folder / f"{grants[0].id}.json"
    content = path.read_text("utf-8")
    path.write_text("{}")
    (folder / f"{grants[2].id}.json").unlink()
    assert facts(book) == [(grants[0].id, "", False, True), (grants[1].id, grants[1].subject, True, False)]
    path.write_text(content)
    assert facts(book)[0] == (grants[0].id, grants[0].subject, False, False)


def test_a_file_that_did_not_change_is_not_read_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def read(id: str) -> Grant:
        asked.append(id)
        return signed(id=id)

    for name in ("aa" * 8, "bb" * 8):
        (tmp_path / f"{name}.json").write_text(name)
    for _ in range(3):
        assert [row.id for row in GrantIndex(tmp_path, read).rows()] == ["aa" * 8, "bb" * 8]
    assert sorted(asked) == ["aa" * 8, "bb" * 8]
    (tmp_path / f"{'aa' * 8}.json").write_text("another")
    GrantIndex(tmp_path, read).rows()
    assert asked[2:] == ["aa" * 8]


def test_a_grant_that_is_deleted_while_it_is_looked_for_is_not_there(tmp_path: Path) -> None:
    for name in ("aa" * 8, "bb" * 8):
        (tmp_path / f"{name}.json").write_text(name)

    def read(id: str) -> Grant:
        if id == "aa" * 8:
            raise NotFound("It was deleted just now.")
        return signed(id=id)

    assert [row.id for row in GrantIndex(tmp_path, read).rows()] == ["bb" * 8]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"this is no database" * 100),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.chmod(0o400),
    ],
)
def test_an_index_that_is_damaged_or_gone_is_made_anew(
    book: GrantBook, folder: Path, damage: Callable[[Path], object]
) -> None:
    grant = enter(book)
    before = book.rows()
    damage(folder / "index.sqlite")
    assert book.rows() == before
    assert book.rows() == before
    assert book.matches(embedding(1)) == grant


def test_an_index_that_cannot_be_written_is_done_without(book: GrantBook, folder: Path) -> None:
    grant = enter(book)
    (folder / "index.sqlite").mkdir()
    assert [row.id for row in book.rows()] == [grant.id]
    assert book.matches(embedding(1)) == grant


@pytest.mark.parametrize(
    "damage", ["template = 'ab'", "valid_until = 5", "subject = NULL", "id = 'ffffffffffffffff'", "problem = 'none'"]
)
def test_a_row_that_is_not_as_it_was_written_is_made_anew(book: GrantBook, folder: Path, damage: str) -> None:
    first, _ = enter(book, 1), enter(book, 2)
    before = book.rows()
    with closing(sqlite3.connect(folder / "index.sqlite")) as index, index, suppress(sqlite3.IntegrityError):
        index.execute(f"UPDATE grants SET {damage} WHERE id = ?", (first.id,))
    assert book.rows() == before
    assert book.matches(embedding(1)) == first


def test_a_deleted_grant_leaves_nothing_in_the_index(book: GrantBook, folder: Path) -> None:
    grant = enter(book, 12_345)
    book.rows()
    assert b"Person 12345" in (folder / "index.sqlite").read_bytes()
    (folder / f"{grant.id}.json").unlink()
    enter(book, 2)
    book.rows()
    assert b"Person 12345" not in (folder / "index.sqlite").read_bytes()


def test_a_damaged_grant_is_told_when_a_face_is_looked_for_unless_it_was_revoked(book: GrantBook, folder: Path) -> None:
    grant, other = enter(book, 1), enter(book, 2)
    (folder / f"{grant.id}.json").write_text("{}")
    with pytest.raises(ConsentError, match="should be a grant"):
        book.matches(embedding(2))
    book.revoke(grant.id, now=START)
    assert book.matches(embedding(2)) == other


def test_everything_goes_out_and_comes_back_as_one_file(book: GrantBook, folder: Path, tmp_path: Path) -> None:
    grants = {grant.id: grant for grant in (enter(book, seed) for seed in range(4))}
    gone = next(iter(grants))
    book.revoke(gone, now=START)
    file = tmp_path / "all.json"
    bundle = export_all(book, file)
    assert (len(bundle.grants), len(bundle.revocations)) == (4, 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for template in (tmp_path / "data" / "templates").iterdir():
        assert template.read_bytes().hex() not in file.read_text("utf-8")
    for path in folder.iterdir():
        path.unlink()
    assert take_all(book, file) == bundle
    assert {grant.id: grant for grant in book} == grants
    assert [book.revoked(id) for id in grants] == [id == gone for id in grants]
    assert take_all(book, file) == bundle, "twice changes nothing"


def test_a_grant_that_was_revoked_later_stays_revoked(book: GrantBook, tmp_path: Path) -> None:
    grant, file = enter(book), tmp_path / "all.json"
    export_all(book, file)
    book.revoke(grant.id, now=START)
    take_all(book, file)
    assert book.revoked(grant.id)


def test_a_revocation_that_comes_in_deletes_the_template_here(book: GrantBook, folder: Path, tmp_path: Path) -> None:
    grant, file = enter(book), tmp_path / "all.json"
    template = tmp_path / "data" / "templates" / f"{grant.id}.bin"
    content = template.read_bytes()
    book.revoke(grant.id, now=START)
    export_all(book, file)
    (folder / f"{grant.id}.revoked.json").unlink()
    template.write_bytes(content)
    take_all(book, file)
    assert book.revoked_at(grant.id) == START
    assert not template.exists()


def test_a_single_grants_file_comes_in_by_the_same_door(book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    book.export(grant.id, tmp_path / "one.json")
    assert take_all(book, tmp_path / "one.json").grants == (grant,)


def change(name: str, value: object) -> Callable[[dict[str, object]], object]:
    return lambda values: values.__setitem__(name, value)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (change("grants", None), "should hold an operator"),
        (change("grants", [{}]), r"all\.json, grant 1, should be a grant"),
        (change("revocations", [5]), r"all\.json, revocation 1, should be a revocation"),
        (
            change("revocations", [{"grant": "../../../../x", "revoked_at": 1, "signature": ""}]),
            "should be a revocation",
        ),
        (change("revocations", [{"grant": "ab" * 8, "revoked_at": 1, "signature": "00" * 64}]), "does not carry"),
        (change("operator", "00" * 32), "another installation than the file says"),
        (lambda values: values["grants"][0].update(subject="Eve"), "was changed"),
        (lambda values: values.pop("schema"), "should be a grant"),
    ],
)
def test_a_file_that_was_changed_is_refused_whole(
    book: GrantBook, folder: Path, tmp_path: Path, damage: Callable[[dict[str, object]], object], sentence: str
) -> None:
    for seed in range(2):
        enter(book, seed)
    file = tmp_path / "all.json"
    export_all(book, file)
    values = json.loads(file.read_text("utf-8"))
    damage(values)
    file.write_text(json.dumps(values), "utf-8")
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ConsentError, match=sentence):
        take_all(book, file)
    assert book.ids() == ()


def test_another_installations_file_is_refused(book: GrantBook, tmp_path: Path) -> None:
    other = GrantBook(tmp_path / "other", STRANGER)
    enter(other)
    export_all(other, tmp_path / "all.json")
    with pytest.raises(ConsentError, match="given to another installation"):
        take_all(book, tmp_path / "all.json")
    with pytest.raises(ConsentError, match="signature"):
        book.end(Revocation.sign("ab" * 8, START, STRANGER))


def test_a_grant_that_differs_from_the_one_here_is_refused(tmp_path: Path) -> None:
    here, there = GrantBook(tmp_path / "here", SERVICE), GrantBook(tmp_path / "there", SERVICE)
    here.add(signed())
    there.add(signed(subject="Somebody else"))
    export_all(there, tmp_path / "all.json")
    with pytest.raises(ConsentError, match="another grant with the id"):
        take_all(here, tmp_path / "all.json")
    assert here.find(draft().id).subject == "Zoë"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"[[[[", b"[" * 100_000])
def test_a_file_that_is_nothing_of_ours_is_told(book: GrantBook, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ConsentError, match=r"x\.json"):
        take_all(book, tmp_path / "x.json")
    with pytest.raises(ConsentError, match=r"y\.json should hold grants"):
        take_all(book, tmp_path / "y.json")


def test_a_damaged_grant_is_told_instead_of_left_out(book: GrantBook, folder: Path, tmp_path: Path) -> None:
    grant = enter(book)
    (folder / f"{grant.id}.json").write_text("{}")
    with pytest.raises(ConsentError, match="should be a grant"):
        export_all(book, tmp_path / "all.json")
    assert not (tmp_path / "all.json").exists()
