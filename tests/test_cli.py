from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import livefake
from benchmarks.browser import hear_interrupts
from livefake import __version__
from livefake.cli.main import main
from livefake.resources import models_folder
from livefake.settings import read_settings
from livefake.swap.persona import list_personas
from tests.footage import CLIP, cut

# The fixture sees to it that the weights are in the cache.
pytestmark = [pytest.mark.models, pytest.mark.usefixtures("studio")]

Run = Callable[..., int]

STAGES = {
    "fit",
    "detect",
    "landmarks",
    "track",
    "swap",
    "colour",
    "refine",
    "tone",
    "others",
    "blend",
    "label",
    "watermark",
}
TIMING = {"p50_ms", "p95_ms", "cpu_ms"}
PROGRAM = [sys.executable, "-m", "livefake"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Calls the program as the shell would and returns its exit code; its own folder is a fresh one."""
    monkeypatch.setenv("LIVEFAKE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["livefake", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return call


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """For a program of its own."""
    cache = read_settings(os.environ).cache.absolute()
    return {**os.environ, "LIVEFAKE_DATA": str(tmp_path / "data"), "LIVEFAKE_CACHE": str(cache)}


def test_personas_are_listed_for_people_and_as_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    cards = list_personas(models_folder() / "personas")
    assert run("personas", "list") == 0
    table = capsys.readouterr().out
    assert all(card.id in table and card.title in table for card in cards)
    assert run("personas", "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(item["id"], item["title"], item["kind"]) for item in listed] == [
        (card.id, card.title, card.kind) for card in cards
    ]


def test_doctor_finds_this_machine_ready(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"version", "ready", "findings"}
    assert document["version"] == __version__
    assert document["ready"] is True
    verdicts = {item["name"]: item["verdict"] for item in document["findings"]}
    assert {verdicts[name] for name in ("machine", "weights", "engine", "personas", "encoder")} == {"good"}
    assert {"gpu", "pyvirtualcam", "dlib", "torch"} <= verdicts.keys()
    for item in document["findings"]:
        assert set(item) == {"name", "verdict", "found", "use", "remedy"}
        assert item["found"]
        assert item["use"]
    assert run("doctor") == 0
    assert capsys.readouterr().out.rstrip().endswith("Ready.")


def test_doctor_tells_what_is_missing_and_how_to_get_it(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LIVEFAKE_CACHE", str(tmp_path / "empty"))
    assert run("doctor", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert document["ready"] is False
    broken = {item["name"]: item["remedy"] for item in document["findings"] if item["verdict"] == "broken"}
    assert broken == dict.fromkeys(("weights", "engine"), "Run: livefake weights fetch")
    assert run("doctor") == 1
    assert "livefake weights fetch" in capsys.readouterr().out
    assert not (tmp_path / "empty").exists(), "looking changes nothing"


def test_weights_are_listed_with_their_state(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert run("weights", "list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[::2]] == [
        "face-detector",
        "face-mesh",
        "eyes",
        "refine",
        "refine-int8",
    ]
    assert [line.strip() for line in lines[1::2]] == ["ready"] * 5
    assert run("weights", "fetch") == 0
    assert capsys.readouterr().out == "All files are there and right.\n"
    monkeypatch.setenv("LIVEFAKE_CACHE", str(tmp_path / "empty"))
    assert run("weights", "list") == 0
    assert "are not in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "persona", "expected"),
    [
        (CLIP, "nobody", "There is no persona 'nobody'"),
        (Path("no such file.mp4"), "mara", "no such file.mp4 should be a video file"),
        (Path(__file__), "mara", "test_cli.py cannot be read as a video"),
    ],
)
def test_a_problem_is_one_sentence_on_standard_error(
    run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, *, source: Path, persona: str, expected: str
) -> None:
    assert run("swap", source, tmp_path / "out.mp4", "--persona", persona) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    told = printed.err.strip()
    assert told.startswith("livefake: ")
    assert expected in told
    assert told.count("\n") == 0
    assert told.endswith(".")
    assert not list(tmp_path.glob("*.mp4"))


def test_a_setting_that_cannot_be_read_is_a_problem_with_a_remedy(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEFAKE_PORT", "[red]eighty[/]")
    assert run("doctor") == 1
    assert capsys.readouterr().err.splitlines() == [
        "livefake: LIVEFAKE_PORT should be a whole number, and is '[red]eighty[/]'.",
        "Correct the variable or unset it.",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["juggle"],
        ["swap"],
        ["swap", "in.mp4", "out.mp4"],
        ["swap", "in.mp4", "out.mp4", "--persona", "mara", "--others", "praise"],
        ["bench", "stages", "--frames", "3"],
        ["serve", "--port", "http"],
        ["personas", "prepare", "no such folder"],
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(
    run: Run, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Usage: livefake" in printed.err
    assert "Traceback" not in printed.err


def test_version(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"livefake {__version__}\n"


def _is_timing(value: dict[str, Any]) -> bool:
    return set(value) == TIMING and 0 < value["p50_ms"] <= value["p95_ms"] and value["cpu_ms"] >= 0


def test_swap_writes_the_video_and_its_report(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    clip, out, report = cut(CLIP, tmp_path / "in.mp4", 0.65), tmp_path / "out.mp4", tmp_path / "report.json"
    assert run("swap", clip, out, "--persona", "ravi", "--others", "swap", "--report", report) == 0
    assert out.stat().st_size > 10_000
    document = json.loads(report.read_text("utf-8"))
    assert set(document) == {"frames", "swapped", "held", "carded", "seconds", "stages", "frame"}
    assert document["frames"] == document["swapped"] >= 18
    assert document["held"] == document["carded"] == 0
    assert document["seconds"] > 0
    assert set(document["stages"]) == STAGES
    assert all(map(_is_timing, document["stages"].values()))
    assert _is_timing(document["frame"])
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{document['frames']} of {document['frames']} frames swapped" in printed.err.replace("\n", " ")


def test_warming_up_compiles_every_inner_loop_of_the_live_path(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    package = Path(livefake.__file__).parent
    parts = (path.relative_to(package.parent).with_suffix("").parts for path in package.rglob("*.py")
             if "@numba.njit" in path.read_text("utf-8"))  # fmt: skip
    live = {".".join(part) for part in parts if "training" not in part}
    assert run("warm") == 0
    told = capsys.readouterr().err.replace("\n", " ")
    assert len(live) >= 8
    assert all(name in told for name in live)


def test_a_swapped_picture_has_its_label_where_the_settings_want_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = models_folder() / "personas" / "mara" / "portrait.jpg"
    shown = {}
    for corner in ("top-left", "bottom-right"):
        monkeypatch.setenv("LIVEFAKE_LABEL_CORNER", corner)
        assert run("swap", source, tmp_path / f"{corner}.png", "--persona", "ravi") == 0
        shown[corner] = np.asarray(cv2.imread(str(tmp_path / f"{corner}.png")), int)
    height, width = shown["top-left"].shape[:2]
    differs = np.abs(shown["top-left"] - shown["bottom-right"]).max(2) > 60
    rows, columns = np.nonzero(differs)
    middle = (rows > height // 3) & (rows < height * 2 // 3)
    assert not middle.any()
    assert ((rows < height // 3) & (columns < width * 2 // 3)).any()
    assert ((rows > height * 2 // 3) & (columns > width // 3)).any()


def test_a_clip_without_a_face_ends_with_3_and_shows_cards(run: Run, tmp_path: Path) -> None:
    clip, out, report = cut(CLIP, tmp_path / "in.mp4", 0.4, blank=(0, 9)), tmp_path / "out.mp4", tmp_path / "r.json"
    assert run("swap", clip, out, "--persona", "mara", "--report", report) == 3
    document = json.loads(report.read_text("utf-8"))
    assert document["carded"] == document["frames"] > 10
    assert document["frame"] is None
    assert out.is_file()


def test_a_report_that_cannot_be_written_is_told(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    clip = cut(CLIP, tmp_path / "in.mp4", 0.1)
    report = tmp_path / "no such folder" / "report.json"
    assert run("swap", clip, tmp_path / "out.mp4", "--persona", "mara", "--report", report) == 1
    assert "report.json cannot be written: No such file or directory." in capsys.readouterr().err


def test_bench_stages_writes_what_it_measured(run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = tmp_path / "bench.json"
    assert run("bench", "stages", "--frames", "12", "--json", result) == 0
    document = json.loads(result.read_text("utf-8"))
    assert set(document) == {"machine", "setting", "stages", "frame"}
    assert document["machine"]["cores"] >= 1
    assert document["setting"]["network"] == 256
    assert set(document["stages"]) == STAGES
    for cost in [*document["stages"].values(), document["frame"]]:
        assert 0 < cost["p50_ms"] <= cost["p95_ms"] <= cost["p99_ms"]
        assert cost["cpu_ms"] >= 0
    assert capsys.readouterr().out == ""
    assert run("bench", "stages", "--frames", "12") == 0
    rows = capsys.readouterr().out.splitlines()
    assert {row.split()[0] for row in rows[1:-1]} == STAGES | {"frame"}
    assert rows[-1] == document["machine"]["description"]


def test_help_is_quick_because_it_loads_nothing_heavy() -> None:
    heavy = {"aiortc", "av", "cryptography", "cv2", "fastapi", "numba", "numpy", "openvino", "pydantic", "uvicorn"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "livefake", "--help"], capture_output=True, text=True, check=True
    )
    assert "swap" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "livefake.cli.swap" in loaded
    assert loaded & heavy == set()


def test_ctrl_c_ends_the_service_at_once_and_quietly(environment: dict[str, str]) -> None:
    command = [*PROGRAM, "serve", "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command,
        env=environment,
        stdout=pipe,
        stderr=pipe,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - takes no lock
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        try:
            out, told = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 0
    assert out == ""
    assert "Traceback" not in told


def test_ctrl_c_during_a_swap_leaves_no_half_file(environment: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = [*PROGRAM, "swap", str(CLIP), str(out / "out.mp4"), "--persona", "mara"]
    with subprocess.Popen(
        command,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - takes no lock
    ) as process:
        try:
            while not any(out.iterdir()):
                assert process.poll() is None, "it ended before it wrote anything"
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in told
    assert list(out.iterdir()) == []
