"""The arithmetic of the laboratory: percentiles, ratios with their uncertainty; its files; its sides."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare import parse_side, ratios
from benchmarks.records import as_program, read_records, recording
from benchmarks.stats import percentiles, ratio
from livefake.cli import bench
from livefake.errors import BadInput, BadRequest, LivefakeError
from livefake.machine import describe_machine, machine_facts


def test_percentiles_of_nothing_are_none() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}
    assert percentiles(range(101)) == {"p50": 50, "p95": 95, "p99": 99}


def test_a_ratio_cancels_what_slows_both_sides() -> None:
    random = np.random.default_rng(3)
    drift = np.exp(random.normal(0, 0.5, 40))
    first, second = drift * random.normal(10, 0.1, 40), drift * random.normal(12, 0.1, 40)
    found = ratio(first.tolist(), second.tolist())
    assert found.low < 1.2 < found.high
    assert found.high - found.low < 0.02
    assert found.verdict == "more"
    assert ratio(second.tolist(), first.tolist()).verdict == "less"


def test_noise_alone_shows_no_difference_nineteen_times_of_twenty() -> None:
    random = np.random.default_rng(4)
    verdicts = [ratio(random.normal(10, 1, 20).tolist(), random.normal(10, 1, 20).tolist()).verdict for _ in range(200)]
    # The percentile bootstrap of 20 pairs is a little narrow.
    assert verdicts.count("no difference shown") >= 175


@pytest.mark.parametrize(("first", "second"), [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, 0.0], [1.0, 1.0])])
def test_a_ratio_needs_pairs_of_positive_figures(first: list[float], second: list[float]) -> None:
    with pytest.raises(ValueError, match="ratio"):
        ratio(first, second)


def test_a_side_is_a_commit_with_settings() -> None:
    assert parse_side(".").commit == "."
    side = parse_side("main@lines=720, face=240,OMP_NUM_THREADS=1")
    assert (side.commit, dict(side.setting)) == ("main", {"lines": "720", "face": "240"})
    assert dict(side.environment) == {"OMP_NUM_THREADS": "1"}
    assert parse_side("@network=0").commit == "."


@pytest.mark.parametrize("text", [".@network", ".@network=", ".@network=big", ".@colour=1", ".@=1"])
def test_a_setting_that_is_none_is_told(text: str) -> None:
    with pytest.raises(BadRequest, match="should look like"):
        parse_side(text)


def a_block(wall: float) -> dict[str, dict[str, list[int]]]:
    times = {"frame": [round(1000 * wall)] * 8, "detect": [8000, *[10] * 7], "label": [20] * 8}
    return {"wall_us": times, "cpu_us": times}


def test_ratios_by_stage_leave_out_what_takes_nothing() -> None:
    found = ratios([[a_block(10), a_block(15)] for _ in range(5)])
    assert set(found) == {"frame", "detect"}, "of the detector, the mean frame counts"
    assert found["frame"]["wall"].value == pytest.approx(1.5)
    assert found["detect"]["cpu"].value == pytest.approx(1)
    assert found["frame"]["wall"].pairs == 5


def test_a_stopped_run_keeps_what_it_has(tmp_path: Path) -> None:
    told: list[str] = []

    def stopped() -> None:
        with recording("stages", tmp_path, {"frames": 3}, tell=told.append) as record:
            record.results = {"stages": [1, 2]}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    [kept] = read_records(tmp_path)
    assert kept["results"] == {"stages": [1, 2]}
    assert kept["complete"] is False
    assert kept["machine"]["description"] == describe_machine()
    assert str(tmp_path) in told[0]


def test_a_run_without_a_result_leaves_no_file(tmp_path: Path) -> None:
    with recording("stages", tmp_path / "lab", {}, tell=print):
        pass
    assert not (tmp_path / "lab").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "lab").write_text("a file")

    def run() -> None:
        with recording("stages", tmp_path / "lab", {}, tell=print) as record:
            record.results = {"stages": []}

    with pytest.raises(LivefakeError, match="cannot be written"):
        run()


def test_a_polite_end_is_heard_like_ctrl_c(tmp_path: Path) -> None:
    def run() -> None:
        with recording("soak", tmp_path, {}, tell=lambda _: None) as record:
            record.results = {"minutes": [1]}
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert read_records(tmp_path)[0]["results"] == {"minutes": [1]}
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("error", "code"), [(LivefakeError("No.", "Do."), "No. Do."), (KeyboardInterrupt(), 130)])
def test_a_program_ends_with_a_sentence_or_quietly(error: BaseException, code: object) -> None:
    def act() -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        as_program(act)
    assert ended.value.code == code


def test_an_installed_package_says_what_measuring_needs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(bench, "PACKAGE", tmp_path / "livefake")
        with pytest.raises(LivefakeError, match="needs a checkout"):
            bench.load()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(LivefakeError, match="needs the package matplotlib"):
            bench.report(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99, "results": {}}', '{"format": 1}'])
def test_what_is_no_result_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="has none"):
        read_records(tmp_path)
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(BadInput, match="should be a result"):
        read_records(tmp_path)


def test_the_machine_is_described_in_plain_values() -> None:
    facts = machine_facts()
    assert json.loads(json.dumps(facts)) == facts
    assert {"processor", "flags", "cores", "governor", "kernel", "packages", "load"} <= set(facts)
    assert asdict(ratio([1, 1], [2, 2])) == {"value": 2, "low": 2, "high": 2, "pairs": 2}
