from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from livefake.cli.main import app
from livefake.errors import NotFound
from livefake.trust.grants import GrantBook
from livefake.trust.ledger import Ledger
from livefake.trust.records import Segment, segment_fields
from tests.grantkit import START

Call = Callable[..., Result]
GRANT = "0123456789abcdef"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "data", GrantBook(tmp_path / "data").key, time_of_day=lambda: float(START))


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def run(*arguments: object) -> Result:
        environment = {"LIVEFAKE_DATA": str(tmp_path / "data"), "COLUMNS": "200"}
        return CliRunner().invoke(app, ["ledger", *map(str, arguments)], env=environment)

    return run


def fill(ledger: Ledger) -> None:
    ledger.append("session-start", {"session": 7, "output": "live", "persona_kind": "person", "grant": GRANT})
    ledger.append("notice", {"session": 7, "notice": "ab" * 8, "source": "camera"})
    for index in range(2):
        segment = Segment(START + 10 * index, START + 10 * index + 10, (1, 2), 300, 20 * index, GRANT)
        ledger.append("segment", segment_fields(7, segment))
    ledger.append("session-end", {"session": 7})
    ledger.append("session-start", {"session": 8, "output": "file", "persona_kind": "fictional", "grant": None})


def test_an_empty_ledger_is_in_order(call: Call) -> None:
    assert "All 0 entries are as they were written" in call("verify").stdout
    assert json.loads(call("list", "--json").stdout) == []


def test_sessions_are_listed_and_shown(call: Call, ledger: Ledger) -> None:
    fill(ledger)
    first, second = json.loads(call("list", "--json").stdout)
    assert (first["session"], first["frames"], first["cards"], first["grants"]) == (7, 600, 20, [GRANT])
    assert (second["session"], second["ended"], second["persona_kind"]) == (8, None, "fictional")
    assert [row["session"] for row in json.loads(call("list", "--newest", "1", "--json").stdout)] == [8]
    table = call("list").stdout
    assert "2027-01-15 08:00:00 UTC" in table
    assert f"person, grant {GRANT}" in table
    shown = json.loads(call("show", 7, "--json").stdout)
    assert [one["prints"] for one in shown["segments"]] == [["0" * 15 + "1", "0" * 15 + "2"]] * 2
    text = call("show", 7).stdout
    assert f"{'ab' * 8} agreed to 2027-01-15 08:00:00 UTC (camera)" in text
    assert "not, or cut off" in call("show", 8).stdout
    problem = call("show", 9).exception
    assert isinstance(problem, NotFound)


def test_a_check_tells_what_was_changed_and_ends_with_3(call: Call, ledger: Ledger) -> None:
    fill(ledger)
    whole = call("verify")
    assert whole.exit_code == 0
    assert "All 6 entries are as they were written" in whole.stdout
    head = json.loads(call("verify", "--json").stdout)["head"]
    assert head in whole.stdout
    assert call("verify", "--expect", head).exit_code == 0
    rows = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join([*rows[:2], *rows[3:]]))
    broken = call("verify")
    assert broken.exit_code == 3
    assert "Entry 3 (line 3) is missing." in broken.stdout
    document = json.loads(call("verify", "--json").stdout)
    assert document["ok"] is False
    assert document["problems"] == [{"first": 3, "last": 3, "line": 3, "problem": "Entry 3 (line 3) is missing."}]


def test_a_time_no_calendar_has_is_shown_as_it_is(call: Call, tmp_path: Path) -> None:
    data = tmp_path / "data"
    ledger = Ledger(data, GrantBook(data).key, time_of_day=lambda: 4e12)
    ledger.append("session-end", {"session": 7})
    assert "4000000000000 seconds since 1970" in call("list").stdout
