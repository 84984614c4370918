from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from typer.testing import CliRunner, Result

from livefake.cli.main import app
from livefake.clock import wall
from livefake.errors import LivefakeError
from livefake.frame import Frame
from livefake.trust.consent import Output, Purpose
from livefake.trust.grants import GrantBook
from livefake.trust.invites import Ask, InviteBook
from livefake.trust.liveness import Challenge, Liveness, Prompt
from tests.grantkit import START, enter, person_pack
from tests.puppet import perform

Call = Callable[..., Result]


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path / "data")


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def run(*arguments: object, typed: str = "") -> Result:
        environment = {"LIVEFAKE_DATA": str(tmp_path / "data"), "COLUMNS": "200"}
        return CliRunner().invoke(app, ["grants", *map(str, arguments)], input=typed, env=environment)

    return run


def problem(result: Result) -> str:
    assert isinstance(result.exception, LivefakeError)
    return str(result.exception)


def test_grants_are_listed_with_what_they_are_worth(
    call: Call, book: GrantBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livefake.clock.wall", lambda: START + 2 * 86_400.0)
    assert call("list", "--json").stdout.strip() == "[]"
    fresh, over, gone, broken = (enter(book, seed, days=1 if seed == 2 else 732) for seed in range(1, 5))
    book.revoke(gone.id, now=START)
    (tmp_path / "data" / "grants" / f"{broken.id}.json").write_text("{}")
    rows = {row["id"]: row for row in json.loads(call("list", "--json").stdout)}
    assert rows.keys() == {fresh.id, over.id, gone.id, broken.id}
    assert rows[fresh.id] == {
        "id": fresh.id,
        "subject": "Person 1",
        "until": "2029-01-16 08:00 UTC",
        "state": "holds",
    }
    assert rows[over.id]["state"] == "has expired"
    assert rows[gone.id]["state"] == "was revoked"
    assert rows[broken.id]["state"].startswith("damaged: ")
    table = call("list").stdout
    assert all(id in table for id in rows)


def test_a_grant_is_shown_exported_imported_and_revoked(call: Call, book: GrantBook, tmp_path: Path) -> None:
    grant, file = enter(book), tmp_path / "grant.json"
    shown = json.loads(call("show", grant.id).stdout)
    assert shown["subject"] == "Person 1"
    assert call("export", grant.id, file).exit_code == 0
    assert json.loads(file.read_text("utf-8")) == shown
    (tmp_path / "data" / "grants" / f"{grant.id}.json").unlink()
    assert "no grant" in problem(call("show", grant.id))
    assert "Person 1" in call("import", file).stdout
    assert "revoked" in call("revoke", grant.id).stdout
    assert book.revoked(grant.id)
    assert book.templates.load(grant.id, grant.template) is None


def test_revoking_deletes_the_personas_too(call: Call, book: GrantBook, tmp_path: Path) -> None:
    grant = enter(book)
    (tmp_path / "data" / "personas").mkdir()
    pack = person_pack(tmp_path / "data" / "personas", grant.id)
    assert "personas made under it: zoe" in call("revoke", grant.id).stdout
    assert not pack.exists()


def test_an_invitation_is_one_line_that_the_service_understands(call: Call, tmp_path: Path) -> None:
    result = call("invite", "--days", 7, "--purpose", "train", "--address", "https://studio.local:8848/")
    assert result.exit_code == 0
    base, _, key = result.stdout.strip().rpartition("/")
    assert base == "https://studio.local:8848/enrol"
    ask = InviteBook(tmp_path / "data").find(key, now=wall()).ask
    assert ask == Ask(frozenset({Purpose.TRAIN}), frozenset({Output.LIVE}), 7)
    assert call("invite").stdout.startswith("http://127.0.0.1:8848/enrol/")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--purpose", "fly"], "There are train, wear; got 'fly'."),
        (["--output", "moon"], "got 'moon'"),
        (["--address", "studio"], "https://studio.local:8848"),
        (["--address", "https://a/b"], "https://studio.local:8848"),
    ],
)
def test_an_invitation_that_makes_no_sense_is_refused(call: Call, arguments: list[str], words: str) -> None:
    assert words in problem(call("invite", *arguments))


def test_signing_takes_a_camera_and_no_file(call: Call) -> None:
    text = call("sign", "--help").stdout
    assert "--camera" in text
    assert call("sign", "--camera", "clip.mp4").exit_code == 2
    assert call("sign", "clip.mp4").exit_code == 2


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("Zoë\nno\n", "of age"), ("Zoë\nYES\n\n", "Without agreement"), ("Zoë\nYES\ny\n", "Without agreement")],
)
def test_without_a_typed_yes_the_camera_is_not_opened(call: Call, tmp_path: Path, typed: str, expected: str) -> None:
    result = call("sign", typed=typed)
    assert expected in problem(result)
    assert "How to take it back" in result.stdout
    assert not (tmp_path / "data").exists()


class Asked(Liveness):
    """The real judge, and the last one that was made: who sits before the camera reads what it asks."""

    last: ClassVar[Liveness]

    def __init__(self, challenge: Challenge) -> None:
        super().__init__(challenge)
        Asked.last = self


class Clip:
    """Stands at the edge, where the camera would be: this machine has none."""

    def __init__(self, device: object, *, clock: object) -> None:
        pass

    def __iter__(self) -> Iterator[Frame]:
        return perform(Asked.last, silent=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass


@pytest.fixture
def camera(studio: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("livefake.media.camera.Camera", Clip)
    monkeypatch.setattr("livefake.trust.liveness.Liveness", Asked)
    monkeypatch.setattr("livefake.cli.grants.open_studio", lambda console, chosen: studio)


def test_everything_is_exported_and_imported_as_one_file(call: Call, book: GrantBook, tmp_path: Path) -> None:
    first, second, file = enter(book, 1), enter(book, 2), tmp_path / "all.json"
    book.revoke(second.id, now=START)
    assert "holds 2 grants and 1 revocations" in call("export", "--all", file).stdout
    for path in (tmp_path / "data" / "grants").iterdir():
        path.unlink()
    told = call("import", file).stdout
    assert first.id in told
    assert "1 of them are revoked" in told
    assert [book.revoked(grant.id) for grant in (first, second)] == [False, True]


@pytest.mark.parametrize("arguments", [["export"], ["export", "ab" * 8], ["export", "ab" * 8, "--all", "x"]])
def test_an_export_of_nothing_in_particular_is_wrong_usage(call: Call, arguments: list[str]) -> None:
    assert call(*arguments).exit_code == 2


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.usefixtures("camera")
def test_a_person_signs(call: Call, book: GrantBook) -> None:
    result = call("sign", typed="Zoë\nYES\nyes\n\ny\nn\nn\ny\nYES\n")
    assert result.exception is None, result.exception
    [grant] = book
    assert f"Signed: grant {grant.id}" in result.stdout
    values: dict[str, Any] = json.loads(call("show", grant.id).stdout)
    assert values["subject"] == "Zoë"
    assert values["outputs"] == ["file", "live"]
    assert values["valid_until"] - values["valid_from"] == 30 * 86_400
    assert json.loads(call("list", "--json").stdout)[0]["state"] == "holds"
    assert len(values["evidence"]["prompts"].split()) == 6
    assert values["evidence"]["code"] == "not asked"
    assert "Turn your head to your left." in result.stderr


@pytest.mark.slow
@pytest.mark.models
@pytest.mark.usefixtures("camera")
def test_whoever_changes_their_mind_leaves_nothing(
    call: Call, book: GrantBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livefake.trust.liveness.draw", lambda rng, sound: Challenge((Prompt.SMILE,), "123456"))
    result = call("sign", typed="Zoë\nYES\nYES\n30\ny\nn\nn\nn\nno\n")
    assert "was not signed" in problem(result)
    assert book.ids() == ()
    assert not (tmp_path / "data" / "templates").exists()
