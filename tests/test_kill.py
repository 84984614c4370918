"""Nothing that was said to be written is lost when the program that wrote it is killed at any moment."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from livefake.trust.entries import Kind
from livefake.trust.grants import GrantBook
from tests.grantkit import START

ROOT = Path(__file__).parents[1]
ROUNDS = 100


@pytest.mark.slow
def test_nothing_that_was_written_is_lost_when_its_writers_are_killed(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # shown when the test fails
    command = [sys.executable, "-m", "tests.killkit", str(tmp_path), str(ROUNDS), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = [tuple(words) for words in json.loads(done.stdout)]
    by_kind = {kind: [words[1:] for words in said if words[0] == kind] for kind in ("entry", "grant", "revoked")}
    assert [words for words in said if words[0] == "failed"] == []
    assert all(by_kind.values())

    book = GrantBook(tmp_path)
    print({kind: len(words) for kind, words in by_kind.items()})
    findings = book.ledger.verify()
    assert findings.problems == ()
    digests = {str(entry.number): entry.digest for entry in book.ledger.entries(*Kind)}
    for number, digest in by_kind["entry"]:
        assert digests[number] == digest
    grants = {grant.id: grant for grant in book}
    for id, template in by_kind["grant"]:
        assert grants[id].template == template
    noted = {(entry.kind, entry.fields.get("grant")) for entry in book.ledger.entries(Kind.GRANT, Kind.REVOCATION)}
    assert {(Kind.GRANT, id) for id, _ in by_kind["grant"]} <= noted
    for id, template in by_kind["revoked"]:
        assert book.revoked_at(id) == START
        assert book.templates.load(id, template) is None
        assert (Kind.REVOCATION, id) in noted
    for id, template in by_kind["grant"]:
        assert book.revoked(id) or book.templates.load(id, template) is not None

    book.settle(now=START)
    noted = {(entry.kind, entry.fields.get("grant")) for entry in book.ledger.entries(Kind.GRANT, Kind.REVOCATION)}
    for row in book.rows():
        assert row.problem == ""
        assert (Kind.GRANT, row.id) in noted
        assert ((Kind.REVOCATION, row.id) in noted) == row.revoked
        assert not row.revoked or book.templates.load(row.id, row.template) is None
    assert book.ledger.append("grant", {"grant": "ab" * 8}).number > len(by_kind["entry"])
    assert book.ledger.verify().ok
