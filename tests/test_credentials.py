"""Reading a manifest in a program of its own: the same answer, and no harm when it is brought down."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livefake.clock import FakeClock, monotonic
from livefake.media.credentials import CredentialsReader
from livefake.resources import models_folder
from livefake.trust.provenance import Provenance, Provenancer, State, read_provenance
from livefake.trust.watermark.code import Payload

DEMO = models_folder() / "demo" / "performer.mp4"
PAYLOAD = Payload(1, 0xABCDEF, 77)

Program = Callable[..., None]


def read(path: Path, trusted: str = "", wall: float = 60.0) -> Provenance:
    with CredentialsReader(path, trusted=trusted, clock=monotonic, wall=wall) as reader:
        return reader.result()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a reader in place that says what it is told to, as one would that a crafted manifest has taken over."""

    def say(words: bytes, end: str = "exit 0") -> None:
        (tmp_path / "words").write_bytes(words)
        script = tmp_path / "program"
        script.write_text(f"#!/bin/sh\ncat '{tmp_path}/words'\n{end}\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    return say


def test_it_says_what_the_reader_in_this_program_says(tmp_path: Path) -> None:
    provenancer, signed = Provenancer(tmp_path), tmp_path / "signed.mp4"
    provenancer.sign(DEMO, signed, session=77, payload=PAYLOAD, grant=None)
    for path, trusted in ((DEMO, ""), (signed, ""), (signed, provenancer.trusted)):
        assert read(path, trusted) == read_provenance(path, trusted=trusted)
    assert read(signed, provenancer.trusted).payload == PAYLOAD


@pytest.mark.parametrize("end", ["exit 1", "kill -SEGV $$", "kill -KILL $$"])
def test_a_reader_that_is_brought_down_leaves_an_invalid_manifest(program: Program, end: str) -> None:
    program(b'{"state": "valid"', end)
    found = read(DEMO)
    assert found.state is State.INVALID
    assert "gave up" in found.reason


def test_an_answer_that_came_in_time_counts_when_it_is_fetched_late() -> None:
    clock = FakeClock()
    with CredentialsReader(DEMO, trusted="", clock=clock, wall=30) as reader:
        while reader._reader.running:
            time.sleep(0.02)
        clock.advance(60_000)
        assert reader.result().state is State.NONE


def test_a_reader_that_hangs_is_ended(program: Program) -> None:
    program(b"{", "exec sleep 30")
    assert "took too long" in read(DEMO, wall=0.3).reason


GOOD = {"state": "valid", "signer": "x", "reason": "y", "session": 77, "actions": [], "payload": PAYLOAD.pack().hex()}


@pytest.mark.parametrize(
    "said",
    [
        [],
        {},
        GOOD | {"state": "real"},
        GOOD | {"session": "77"},
        GOOD | {"session": True},
        GOOD | {"payload": "00"},
        GOOD | {"payload": 5},
        GOOD | {"actions": 5},
        GOOD | {"reason": "x" * 70_000},
    ],
)
def test_a_reader_that_lies_is_not_believed(program: Program, said: object) -> None:
    program(json.dumps(said).encode())
    assert read(DEMO).state is State.INVALID


def test_words_that_nest_too_deep_are_not_believed(program: Program) -> None:
    program(b"[" * 60_000)
    assert read(DEMO).state is State.INVALID


def test_what_it_says_is_kept_short(program: Program) -> None:
    program(json.dumps(GOOD | {"signer": "x" * 5000}).encode())
    assert len(read(DEMO).signer) == 200


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_words_of_it_upset_the_service(program: Program, words: bytes) -> None:
    program(words)
    assert read(DEMO).state is State.INVALID
