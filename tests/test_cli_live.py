"""``livefake live``: what it refuses, the notice, and a real run that Ctrl-C ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.browser import hear_interrupts
from livefake.cli.live import agree
from livefake.cli.main import app
from livefake.errors import ConsentError, LivefakeError
from livefake.server.notice import NOTICE
from livefake.trust.provenance import State, read_provenance
from tests.footage import CLIP


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("", "from a camera or a file"),
        (f"--camera 0 --file {CLIP}", "from a camera or a file"),
        ("--camera 0 --loop", "Only a file"),
        ("--file nowhere.mp4", "no such file"),
        (f"--file {CLIP} --record out.avi", "should be an .mp4 file"),
        (f"--file {CLIP} --record nowhere/out.mp4", "folder that exists"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_loaded(arguments: str, problem: str) -> None:
    result = CliRunner().invoke(app, ["live", "--persona", "edgar", *arguments.split()])
    assert isinstance(result.exception, LivefakeError)
    assert problem in result.exception.problem


def test_without_a_yes_nothing_starts() -> None:
    result = CliRunner().invoke(app, ["live", "--persona", "edgar", "--file", str(CLIP)], input="no\n")
    assert isinstance(result.exception, ConsentError)
    assert "--i-agree" in result.exception.remedy


@pytest.mark.parametrize(
    ("typed", "passes"), [("yes", True), (" YES ", True), ("y", False), ("no", False), ("", False)]
)
def test_the_notice_is_read_in_full_and_answered_in_full(
    monkeypatch: pytest.MonkeyPatch, typed: str, passes: bool
) -> None:
    console = Console(record=True, width=10_000)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(console, "input", lambda _: typed)
    if passes:
        agree(NOTICE, console, told=False)
    else:
        with pytest.raises(ConsentError):
            agree(NOTICE, console, told=False)
    shown = console.export_text()
    for text in (NOTICE.title, *NOTICE.paragraphs, NOTICE.tick):
        assert text in shown


@pytest.mark.models
@pytest.mark.slow
def test_a_file_plays_live_until_ctrl_c_and_its_film_is_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, film = tmp_path / "data", tmp_path / "film.mp4"
    monkeypatch.setenv("LIVEFAKE_DATA", str(data))
    command = [sys.executable, "-m", "livefake", "live", "--file", str(CLIP), "--loop", "--persona", "edgar"]
    command += ["--serve", "--port", "0", "--record", str(film), "--i-agree"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=hear_interrupts,  # noqa: PLW1509 - takes no lock
        )
        assert process.stdout is not None
        try:
            feed, whep, page = (process.stdout.readline().split()[-1] for _ in range(3))
            with httpx.stream("GET", feed, timeout=30) as answer:
                assert answer.headers["content-type"] == "video/mp2t"
                begun = b""
                for part in answer.iter_raw():
                    begun += part
                    if len(begun) > 20_000:
                        break
            assert begun[::188][:100] == b"\x47" * 100
            assert httpx.options(whep).status_code == 204
            assert httpx.get(page).status_code == 200
            assert httpx.get(page.partition("/view")[0] + "/api/status").status_code == 401
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(60)
            process.stdout.close()
    told = (tmp_path / "log").read_text()
    assert code == 0, told
    assert "pictures swapped" in told
    assert "Traceback" not in told
    found = read_provenance(film, trusted=(data / "provenance" / "root.pem").read_text())
    assert found.state is State.VALID
    assert list((data / "recordings").iterdir()) == []
