"""``livefake verify`` and ``livefake issuers``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from livefake.cli.main import main
from livefake.cli.verify import UNMARKED
from livefake.trust.issuer import issuer_number
from livefake.trust.verifier import NOT_REAL
from livefake.trust.watermark.code import Payload
from tests.clipkit import note_session, pictures
from tests.grantkit import DURING

Run = Callable[..., int]
NUMBER = 4711


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, data: Path) -> Run:
    monkeypatch.setenv("LIVEFAKE_DATA", str(data))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["livefake", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return call


@pytest.fixture
def folder(tmp_path: Path, data: Path) -> Path:
    """A marked picture, an unmarked one, a text, and what is hidden."""
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    payload = Payload(1, issuer_number(data), NUMBER)
    note_session(data, NUMBER, pictures(1, payload), at=DURING)
    cv2.imwrite(str(folder / "marked.png"), pictures(1, payload)[0])
    cv2.imwrite(str(folder / "inner" / "plain.jpg"), cv2.resize(pictures(1)[0], (320, 180)))
    (folder / "notes.txt").write_text("Dear reader")
    (folder / ".hidden" / "x.txt").write_text("hidden")
    return folder


def test_a_marked_picture_is_told_in_words(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", folder / "marked.png") == 0
    told = capsys.readouterr().out
    assert "A mark was found" in told
    for words in ("Mark present", "Issuer known", "Session in this ledger", "Picture fits", "Grant valid", "C2PA"):
        assert words in told


def test_one_file_is_one_object(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", folder / "marked.png", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"file", "summary", "answers", "mark", "session", "fingerprint", "grant", "c2pa"}
    assert document["mark"]["session"] == document["session"]["number"] == NUMBER


def test_an_unmarked_file_has_its_own_exit_code(run: Run, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", folder / "inner" / "plain.jpg") == UNMARKED
    assert NOT_REAL in capsys.readouterr().out


def test_a_folder_is_a_list_and_one_bad_file_does_not_end_it(
    run: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", folder, "--json") == 1
    documents = json.loads(capsys.readouterr().out)
    assert [Path(one["file"]).name for one in documents] == ["plain.jpg", "marked.png", "notes.txt"]
    assert "by its content is none of them" in documents[2]["error"]["problem"]
    assert documents[1]["mark"]["present"] is True


def test_what_is_not_there_is_told(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", tmp_path / "missing.mp4") == 1
    assert "no such file" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert run("verify", tmp_path / "empty") == 1
    assert "There is no file in what was named." in capsys.readouterr().err


def test_issuers_are_listed_added_and_removed(run: Run, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("issuers", "add", "0xABCDEF", "Studio North") == 0
    assert run("issuers", "list", "--json") == 0
    own = {"number": f"{issuer_number(data):06x}", "name": "this installation"}
    text = capsys.readouterr().out.partition("\n")[2]
    assert json.loads(text) == [own, {"number": "abcdef", "name": "Studio North"}]
    assert run("issuers", "list") == 0
    assert "Studio North" in capsys.readouterr().out
    assert run("issuers", "remove", "abcdef") == 0
    assert run("issuers", "remove", "abcdef") == 1
    assert run("issuers", "add", "nobody", "Studio North") == 1
    assert "six hexadecimal digits" in capsys.readouterr().err
