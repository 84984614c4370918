"""The laboratory's page: one file with nothing from elsewhere, and all that was measured on it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed; it draws the report")

from benchmarks.compare import ratios
from benchmarks.drawing import SERIES, draw
from benchmarks.load import holds
from benchmarks.records import read_records, recording
from benchmarks.report import page, run
from benchmarks.soak import judge
from livefake.errors import BadInput, LivefakeError

DELAY = {"p50": 50.0, "p95": 60.0, "p99": 70.0}
STAGES = ("detect", "landmarks", "swap", "colour", "refine", "blend", "label", "watermark", "frame")


def a_cost(ms: float) -> dict[str, float]:
    names = ("p50_ms", "p95_ms", "p99_ms", "cpu_ms", "cpu_p50_ms", "cpu_p95_ms", "cpu_p99_ms")
    return {name: ms * (1 + number / 10) for number, name in enumerate(names)}


def a_block(ms: float) -> dict[str, Any]:
    times = {name: [round(1000 * ms + number) for number in range(12)] for name in STAGES}
    return {"wall_us": times, "cpu_us": times, "fates": {"swapped": 12}}


def a_stage(lines: int, face: int, faces: int, network: int) -> dict[str, Any]:
    ms = 2 + face / 100 + network / 30
    setting = {"lines": lines, "face": face, "faces": faces, "width": 1280, "height": lines, "network": network}
    heap = {name: {"blocks": 3.0, "bytes": 4096.0, "planes": 0.0} for name in STAGES[:-1]}
    return {
        "setting": setting,
        "costs": {name: a_cost(ms) for name in STAGES},
        "per_yardstick": 2.5,
        "yardstick_ms": 4.0,
        "memory": {"in_place": True, "peak_bytes": {}, "plane_bytes": 1},
        "heap": heap,
        "blocks": [a_block(ms)],
    }


def a_part(what: str) -> dict[str, Any]:
    samples = np.random.default_rng(1).gamma(4, 15, 300).round(1).tolist()
    figures = {"p50": 55.0, "p95": 80.0, "p99": 99.0}
    return {
        "what": what,
        "size": "720p",
        "glass_ms": figures,
        "delay_ms": figures,
        "shown_fps": 28.5,
        "pacing": {"gap_ms": figures, "unevenness_ms": 17.0},
        "freezes": {"count": 0, "seconds": 0.0},
        "server_cores": 0.6,
        "server_cpu_ms_a_frame": 20.0,
        "threads": {"session": 0.4, "python": 0.1, "<script>": 0.1},
        "drops": {"before the service": 1, "late": 2, "after the service": 3},
        "glass": samples,
        "gaps": samples,
    }


def a_step(count: int) -> dict[str, Any]:
    spans = [{"sent": 20, "delays_ms": [50.0 if count < 3 else 200.0] * 20} for _ in range(count)]
    figures = {"server_cores": 0.3 * count, "client_cores": 0.05, "resident_mib": 500.0 + count}
    return {
        "kind": "360p15",
        "count": count,
        "holds": holds(spans),
        "delay_ms": DELAY,
        "spans": spans,
        **figures,
    }


def a_minute(number: int) -> dict[str, Any]:
    times = {"p50": 40.0, "p95": 60.0} if number != 2 else {"p50": None, "p95": None}
    usual = {"minute": number, "came": 1800, "delay_ms": times, "resident_mib": 500.0, "threads": 20, "files": 15}
    return {**usual, "queue_depth": 1, "server_cores": 0.3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pairs = [[a_block(10), a_block(12)] for _ in range(4)]
    found = {name: {what: vars_of(each) for what, each in both.items()} for name, both in ratios(pairs).items()}
    minutes = [a_minute(number) for number in range(1, 7)]
    verdicts = [{"what": v.what, "value": v.value, "limit": v.limit, "kept": v.kept} for v in judge(minutes)]
    grid = [(360, 120, 1), (720, 240, 1), (720, 240, 2), (1080, 360, 1)]
    results: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "stages": ({}, {"stages": [a_stage(*layout, network) for layout in grid for network in (256, 128, 0)]}),
        "live": ({}, {"parts": [a_part("swap"), a_part("echo"), a_part("whip")]}),
        "load": ({}, {"steps": [a_step(count) for count in (1, 2, 3, 3)]}),
        "soak": ({"count": 1, "kind": "360p30"}, {"minutes": minutes, "verdicts": verdicts}),
        "compare": ({"sides": [{"name": "main"}, {"name": "<b>"}]}, {"pairs": pairs, "ratios": found}),
    }
    for kind, (settings, result) in results.items():
        with recording(kind, tmp_path / "lab", settings, tell=lambda _: None) as record:
            record.results = result
    return tmp_path / "lab"


def vars_of(ratio: Any) -> dict[str, float]:
    return {name: getattr(ratio, name) for name in ("value", "low", "high", "pairs")}


class Tags(HTMLParser):
    """Whether a document's elements are closed in order."""

    VOID = frozenset({"meta", "br", "img", "link", "hr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_all_that_was_measured_is_on_one_page(folder: Path) -> None:
    document = run(folder).read_text("utf-8")
    for title in ("Stages", "Live", "Load", "Soak", "Comparisons"):
        assert f"<h2>{title}</h2>" in document
    tags = Tags()
    tags.feed(document)
    tags.close()
    assert tags.open == []
    assert tags.seen.count("svg") == 10
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert set(re.findall(r"https?://[^\"' <)]+", document)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }, "names of vocabularies, which nobody fetches"
    assert "&lt;b&gt; against main" in document
    assert "<script>" not in document
    assert "2 of 4 limits" not in document
    assert "6 of 6" in document


def test_a_drawing_takes_its_colours_from_the_page() -> None:
    def act(panels: list[Any]) -> None:
        panels[0].plot([0, 1], [0, 1], color=SERIES[2])

    svg = draw(act, 'a "line" & <more>')
    ElementTree.fromstring(svg)
    assert "var(--c3)" in svg
    assert "var(--muted)" in svg
    assert not re.search(r"#(?!m|p|DejaVu)[0-9a-f]{6}\b", svg), "no colour of its own"
    assert "aria-label=\"a 'line' and below more>\"" in svg


def test_a_stopped_run_is_shown_only_where_there_is_no_whole_one(folder: Path) -> None:
    whole = [record for record in read_records(folder) if record["kind"] == "soak"]
    stopped = [{**record, "complete": False, "started": "2999"} for record in whole]
    assert "stopped before its end" not in page([*whole, *stopped])
    assert "stopped before its end" in page(stopped)


def test_a_report_of_nothing_is_told(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BadInput, match="should hold results"):
        run(tmp_path)
    for kind in ("stages", "live", "load", "compare"):
        for path in folder.glob(f"{kind}-*"):
            path.unlink()
    with pytest.raises(LivefakeError, match="cannot be written"):
        run(folder, tmp_path / "no such folder" / "report.html")
