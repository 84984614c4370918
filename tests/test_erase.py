from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from livefake.errors import ConsentError, LivefakeError, NotFound
from livefake.trust.consent import Grant, Output, Purpose
from livefake.trust.enrol import draw_up
from livefake.trust.erase import Revoker, packs_of
from livefake.trust.grants import GrantBook
from livefake.trust.handles import Handle, holder
from livefake.trust.watch import Watched
from tests.grantkit import DURING, SERVICE, START, embedding, enter, person_pack


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path, SERVICE)


def pack(data: Path, grant: str, name: str = "zoe") -> Path:
    (data / "personas").mkdir(exist_ok=True)
    return person_pack(data / "personas", grant, name)


def test_template_packs_and_what_they_were_trained_from_are_deleted(book: GrantBook, tmp_path: Path) -> None:
    grant, other = enter(book, 1), enter(book, 2)
    pack(tmp_path, grant.id)
    pack(tmp_path, grant.id, "zoe-2")
    kept = pack(tmp_path, other.id, "max")
    for folder in ("personas/zoe", "dfm/zoe", "personas/max", "pairs"):
        (tmp_path / "training" / folder).mkdir(parents=True)
        (tmp_path / "training" / folder / "face.jpg").write_bytes(b"face")
    revoker = Revoker(book, tmp_path)
    done = revoker(grant.id, now=DURING)
    assert (done.at, done.packs) == (int(DURING), ("zoe", "zoe-2"))
    assert book.templates.load(grant.id, grant.template) is None
    assert book.templates.load(other.id, other.template) is not None
    assert [path.name for path in (tmp_path / "personas").iterdir()] == [kept.name]
    assert sorted(path.parent.name + "/" + path.name for path in tmp_path.glob("training/*/*")) == [
        "pairs/face.jpg",
        "personas/max",
    ]
    with pytest.raises(ConsentError, match="was revoked"):
        book.check(grant.id, now=DURING, purpose=Purpose.WEAR, output=Output.LIVE)


def test_doing_it_again_deletes_what_came_since_and_keeps_the_first_time(book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    revoker = Revoker(book, tmp_path)
    assert revoker(grant.id, now=DURING).packs == ()
    pack(tmp_path, grant.id)
    again = revoker(grant.id, now=DURING + 60)
    assert (again.at, again.packs) == (int(DURING), ("zoe",))


def test_a_pack_with_a_damaged_card_is_deleted_too(book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    card = pack(tmp_path, grant.id) / "persona.toml"
    card.write_bytes(card.read_bytes() + b"\n\xff[[[")
    Revoker(book, tmp_path)(grant.id, now=DURING)
    assert packs_of(tmp_path / "personas", grant.id) == ()
    assert list((tmp_path / "personas").iterdir()) == []


def test_a_damaged_grant_can_be_taken_back(book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    pack(tmp_path, grant.id)
    (tmp_path / "grants" / f"{grant.id}.json").write_text("{")
    Revoker(book, tmp_path)(grant.id, now=DURING)
    assert book.revoked(grant.id)
    assert list((tmp_path / "personas").iterdir()) == []


def test_what_cannot_be_deleted_is_told_and_keeps_nothing_else(
    book: GrantBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = enter(book)
    pack(tmp_path, grant.id, "stuck")
    pack(tmp_path, grant.id, "zoe")
    real = shutil.rmtree

    def full_of_glue(path: Path) -> None:
        if path.name == "stuck":
            raise PermissionError(13, "Permission denied")
        real(path)

    monkeypatch.setattr(shutil, "rmtree", full_of_glue)
    with pytest.raises(LivefakeError, match=r"stuck cannot be deleted: Permission denied\. Delete .*stuck by hand"):
        Revoker(book, tmp_path)(grant.id, now=DURING)
    assert book.revoked(grant.id)
    assert book.templates.load(grant.id, grant.template) is None
    assert [path.name for path in (tmp_path / "personas").iterdir()] == ["stuck"]


def test_no_grant_is_no_revocation(book: GrantBook, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        Revoker(book, tmp_path)("0" * 16, now=DURING)


# The subject's own link


def granted(book: GrantBook, handle: Handle) -> Grant:
    return draw_up(
        book,
        Watched(embedding(1), {}),
        subject="Zoë",
        purposes=frozenset(Purpose),
        outputs=frozenset({Output.LIVE}),
        now=START,
        days=1,
        notice="notice",
        adult=True,
        handle=handle,
    )


def test_the_key_opens_its_grant_and_is_kept_nowhere(book: GrantBook, tmp_path: Path) -> None:
    handle = Handle()
    grant = granted(book, handle)
    assert holder(book, handle.key) == grant
    secret = handle.key.partition("-")[2]
    assert secret not in repr(handle)
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not any(secret.encode() in path.read_bytes() for path in kept)
    Revoker(book, tmp_path)(grant.id, now=DURING)
    assert holder(book, handle.key) == grant


def test_no_other_key_opens_it(book: GrantBook) -> None:
    handle, other = Handle(), Handle()
    granted(book, handle)
    secret = other.key.partition("-")[2]
    for key in (
        other.key,
        f"{handle.id}-{secret}",
        handle.id,
        "",
        handle.key[:-1],
        handle.revocation,
        "../" + handle.key,
    ):
        with pytest.raises(NotFound, match="belongs to no grant"):
            holder(book, key)
