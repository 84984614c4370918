"""Who may be learnt: the commands ask the grant before anything else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from livefake.cli.train import app
from livefake.errors import BadInput, BadPersona, ConsentError
from livefake.trust.consent import Output
from livefake.trust.grants import GrantBook
from livefake.trust.packs import sign_pack
from tests.grantkit import DURING, END, enter, person_pack
from tests.personalkit import PACK


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GrantBook:
    monkeypatch.setenv("LIVEFAKE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("livefake.clock.wall", lambda: DURING)
    return GrantBook(tmp_path / "data")


def a_person(tmp_path: Path, book: GrantBook, outputs: frozenset[Output] = frozenset(Output)) -> tuple[str, str]:
    """The id of a real person's pack that was signed here, and of its grant."""
    grant = enter(book, outputs=outputs)
    folder = tmp_path / "data" / "personas"
    folder.mkdir(parents=True, exist_ok=True)
    pack = person_pack(folder, grant.id)
    sign_pack(pack, book.key)
    return pack.name, grant.id


def dfm(tmp_path: Path, persona: str) -> Result:
    words = ["dfm", "--persona", persona, "--out", str(tmp_path / "one.dfm"), "--takes", str(tmp_path)]
    return CliRunner().invoke(app, [*words, "--network", str(tmp_path / "missing.pt")])


def pack_job(tmp_path: Path, persona: Path, *more: str) -> Result:
    words = ["job", "pack", str(tmp_path / "job.zip"), "--takes", str(tmp_path), "--persona", str(persona)]
    return CliRunner().invoke(app, [*words, "--start", str(tmp_path / "missing.pt"), *more])


def test_a_person_goes_into_a_file_only_if_the_grant_says_so(tmp_path: Path, book: GrantBook) -> None:
    persona, _ = a_person(tmp_path, book, frozenset(Output) - {Output.FILE})
    assert isinstance(dfm(tmp_path, persona).exception, ConsentError)


def test_a_person_whose_grant_ended_or_was_taken_back_goes_into_no_file(
    tmp_path: Path, book: GrantBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    persona, grant = a_person(tmp_path, book)
    monkeypatch.setattr("livefake.clock.wall", lambda: float(END))
    assert isinstance(dfm(tmp_path, persona).exception, ConsentError)
    monkeypatch.setattr("livefake.clock.wall", lambda: DURING)
    book.revoke(grant, now=DURING)
    assert isinstance(dfm(tmp_path, persona).exception, ConsentError)


def test_with_a_grant_the_work_begins(tmp_path: Path, book: GrantBook) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    persona, grant = a_person(tmp_path, book)
    folder = tmp_path / "data" / "personas" / persona
    # The next thing that is missing is not consent.
    for found in (dfm(tmp_path, persona), pack_job(tmp_path, folder, "--grant", grant), dfm(tmp_path, "mara")):
        assert isinstance(found.exception, BadInput)
    assert isinstance(pack_job(tmp_path, folder).exception, ConsentError)


def test_another_picture_under_a_fictional_card_is_refused(tmp_path: Path, book: GrantBook) -> None:
    pack = tmp_path / "mara"
    shutil.copytree(PACK, pack)
    shutil.copy(PACK.parent / "nils" / "face.png", pack / "face.png")
    assert isinstance(pack_job(tmp_path, pack).exception, BadPersona)
