"""All results of a folder on one page: ``python -m benchmarks.report out/lab``.

The page is one file without anything from elsewhere; it can be sent to somebody. Of each kind of measurement the newest
complete one is shown, of comparisons all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from benchmarks import plots
from benchmarks.load import KINDS, carried, cost_a_session
from benchmarks.records import FOLDER, as_program, read_records
from benchmarks.stats import Ratio
from livefake.errors import LivefakeError

__all__ = ["main", "page", "run"]

_SHOWN: Final = (720, 240, 1)
"""Lines, height of the face, faces: what the detailed drawings show where it was measured."""

Result = Mapping[str, Any]


def page(records: Sequence[Result]) -> str:
    """The report as an HTML document.

    Args:
        records: as ``read_records`` reads them, the oldest first.
    """
    newest = _newest(records)
    parts = [*_head(records, newest)]
    for kind, section in (("stages", _stages), ("live", _live), ("load", _load), ("soak", _soak)):
        if kind in newest:
            parts += section(newest[kind])
    comparisons = [record for record in records if record["kind"] == "compare" and record["results"]["ratios"]]
    if comparisons:
        parts += _compare(comparisons)
    parts += _foot(records)
    style = Path(__file__).with_name("report.css").read_text("utf-8")
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    title = "livefake: what it costs and how long it takes"
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<title>{title}</title><style>\n{style}</style></head>\n'
        f"<body><main>\n{body}\n</main></body></html>\n"
    )


def _newest(records: Sequence[Result]) -> dict[str, Result]:
    """By kind; a complete one before one that was stopped."""
    found: dict[str, Result] = {}
    for record in records:
        before = found.get(record["kind"])
        if before is None or record["complete"] or not before["complete"]:
            found[record["kind"]] = record
    return found


def _head(records: Sequence[Result], newest: Mapping[str, Result]) -> Iterator[str]:
    machine = records[-1]["machine"]
    yield "<header><h1>What livefake costs, and how long it takes</h1>"
    yield f'<p class="lead">Measured on {escape(machine["description"])}.</p>'
    chips = [
        *(flag.replace("_", " ") for flag in machine["flags"]),
        f"{machine['cores']} cores",
        f"{machine['memory_mib'] / 1024:.0f} GB",
        f"governor {machine['governor'] or 'unknown'}",
        f"load before {machine['load'][0] if machine['load'] else 'unknown'}",
        f"commit {records[-1]['commit'] or 'unknown'}",
        *(
            f"{name} {number}"
            for name, number in machine["packages"].items()
            if name in ("openvino", "aiortc", "numpy")
        ),
    ]
    yield '<ul class="chips">' + "".join(f"<li>{escape(str(chip))}</li>" for chip in chips) + "</ul></header>"
    if cards := list(_cards(newest)):
        yield '<div class="cards">' + "".join(cards) + "</div>"
    if len({record["machine"]["description"] for record in records}) > 1:
        yield '<p class="note">These results come from more than one machine; each section names its own.</p>'


def _cards(newest: Mapping[str, Result]) -> Iterator[str]:
    if "stages" in newest:
        shown = _shown(newest["stages"]["results"]["stages"])
        if frame := shown[0]["costs"].get("frame"):
            setting = shown[0]["setting"]
            yield _card(frame["p50_ms"], "ms", f"a frame, median: {plots.network(shown[0])}, {_size(setting)}")
    if "live" in newest:
        parts = newest["live"]["results"]["parts"]
        for what, words in (
            ("swap", "from glass to glass, median, in a browser"),
            ("whip", "WHIP in, WHEP out, median"),
        ):
            part = next((part for part in parts if part["what"] == what), None)
            if part and part["glass_ms"]["p50"] is not None:
                yield _card(part["glass_ms"]["p50"], "ms", f"{words}, {part['size']}")
    if "load" in newest:
        steps = newest["load"]["results"]["steps"]
        kind = max(KINDS, key=lambda each: carried([step for step in steps if step["kind"] == each]))
        most = carried([step for step in steps if step["kind"] == kind])
        yield _card(most, "", f"sessions of {kind} at once, 95 % of frames within 100 ms")
    if "soak" in newest:
        verdicts = newest["soak"]["results"]["verdicts"]
        kept = sum(verdict["kept"] for verdict in verdicts)
        minutes = len(newest["soak"]["results"]["minutes"])
        yield _card(f"{kept} of {len(verdicts)}", "", f"limits kept over {minutes} minutes")


def _card(value: float | str, unit: str, words: str) -> str:
    figure = (
        value if isinstance(value, str) else f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
    )
    return f'<div class="card"><b>{escape(figure)} <small>{unit}</small></b><span>{escape(words)}</span></div>'


def _size(setting: Result) -> str:
    faces = "two faces" if setting["faces"] == 2 else "one face"
    face = f"{faces} of {setting['face']} pixels" if setting["face"] else "the clip as it is"
    return f"{setting['height']} lines, {face}"


def _shown(results: Sequence[Result]) -> list[Result]:
    """The settings that the detailed drawings show: all networks on the same pictures, the largest first."""

    def key(result: Result) -> tuple[int, int, int]:
        setting = result["setting"]
        return setting["lines"], setting["face"], setting["faces"]

    there = {key(result) for result in results}
    chosen = _SHOWN if _SHOWN in there else min(there, key=lambda each: (each[2], -each[0], each[1]))
    return sorted((result for result in results if key(result) == chosen), key=lambda r: -r["setting"]["network"])


def _stages(record: Result) -> Iterator[str]:
    results = [result for result in record["results"]["stages"] if result["costs"]]
    shown = _shown(results)
    yield _title("Stages", record)
    yield f"<p>Where a frame's time goes: {_size(shown[0]['setting'])}, the networks on the same pictures.</p>"
    yield _figure(plots.waterfall(shown), "The stages run one after the other, from left to right.")
    yield '<div class="pair">' + _figure(plots.frame_times(shown), "The last bar holds everything beyond.")
    yield _figure(plots.cost_by_face(results), "Without the network and with its largest size; one face.") + "</div>"
    yield from _stage_table(shown[0])
    if len({str(result["setting"]) for result in results}) > len(shown):
        yield _figure(plots.cost_by_size(results), "Every size of picture and face that was measured.")
    yield from _all_settings(results)


def _stage_table(result: Result) -> Iterator[str]:
    yield f"<h3>Each stage, {plots.network(result)}</h3>"
    heads = ("stage", "p50 ms", "p95 ms", "p99 ms", "cpu ms", "arrays", "KiB", "large")
    rows = []
    for name, cost in result["costs"].items():
        heap = result["heap"].get(name)
        took = (heap["blocks"], heap["bytes"] / 1024, heap["planes"]) if heap else ("", "", "")
        rows.append((name, *(cost[key] for key in ("p50_ms", "p95_ms", "p99_ms", "cpu_ms")), *took))
    yield _table(heads, rows, strong="frame")
    in_place = result["memory"]["in_place"]
    copied = "lies in the memory that was decoded" if in_place else "was copied as a whole"
    yield (
        '<p class="note">Arrays are what numpy and OpenCV take anew for a frame; a large one could hold the whole luma '
        f"plane, which every copy of a picture would need. The sealed picture {copied}.</p>"
    )


def _all_settings(results: Sequence[Result]) -> Iterator[str]:
    heads = ("picture", "network", "p50 ms", "p95 ms", "p99 ms", "cpu ms", "in yardsticks")
    rows = [
        (
            _size(result["setting"]),
            result["setting"]["network"] or "mesh",
            *(result["costs"]["frame"][key] for key in ("p50_ms", "p95_ms", "p99_ms", "cpu_ms")),
            result["per_yardstick"],
        )
        for result in results
        if "frame" in result["costs"]
    ]
    yield f"<details><summary>All {len(rows)} settings</summary>{_table(heads, rows)}"
    yield '<p class="note">A yardstick is a fixed piece of work, timed in the same minute.</p></details>'


def _live(record: Result) -> Iterator[str]:
    parts = record["results"]["parts"]
    yield _title("Live", record)
    yield (
        "<p>A real browser, or FFmpeg and a player, on the same machine as the service. Without the swap means the "
        "same way with pictures that have nobody in them; the difference is what the swap costs.</p>"
    )
    yield '<div class="pair">' + _figure(plots.glass(parts), "From the camera's picture to the one that is shown.")
    yield _figure(plots.gaps(parts), "Even pacing is one narrow peak.") + "</div>"
    heads = ("", "glass p50", "p95", "p99", "again p50", "shown/s", "uneven ms", "freezes", "cores", "cpu ms a frame")
    yield _table(heads, [_live_row(part) for part in parts])
    yield '<p class="note">Again: from the preview to the returned picture. Uneven: 95 of 100 gaps stay within.</p>'
    yield _figure(plots.threads(parts), "Of the service; the browser is not in it.")
    causes = list(dict.fromkeys(cause for part in parts for cause in part["drops"]))
    drops = [(_named(part), *(part["drops"].get(cause, "") for cause in causes)) for part in parts]
    yield _table(("frames not shown", *causes), drops)


def _named(part: Result) -> str:
    return f"{plots.KINDS[part['what']]}, {part['size']}"


def _live_row(part: Result) -> tuple[object, ...]:
    return (
        _named(part),
        *(part["glass_ms"][name] for name in ("p50", "p95", "p99")),
        part["delay_ms"]["p50"],
        part["shown_fps"],
        part["pacing"]["unevenness_ms"],
        part["freezes"]["count"],
        part["server_cores"],
        part["server_cpu_ms_a_frame"],
    )


def _load(record: Result) -> Iterator[str]:
    steps = record["results"]["steps"]
    yield _title("Load", record)
    yield "<p>One session more at a time, until one gets fewer than 95 % of its frames back within 100 ms.</p>"
    yield _figure(plots.load(steps), "A number that does not hold gets a second try; the better of the two is shown.")
    rows: list[tuple[object, ...]] = []
    for kind in dict.fromkeys(step["kind"] for step in steps):
        those = [step for step in steps if step["kind"] == kind]
        held = [step for step in those if step["holds"]]
        delay = held[-1]["delay_ms"] if held else {"p50": None, "p95": None}
        cores = cost_a_session(those, "server_cores")
        cores = held[0]["server_cores"] if cores is None and held else cores
        client = max((step["client_cores"] for step in those), default=0.0)
        memory = cost_a_session(those, "resident_mib")
        rows.append((kind, carried(those), delay["p50"], delay["p95"], cores, memory, client))
    heads = ("kind", "sessions held", "p50 ms", "p95 ms", "cores each", "MiB each", "cores of all clients, at most")
    yield _table(heads, rows)


def _soak(record: Result) -> Iterator[str]:
    minutes, verdicts = record["results"]["minutes"], record["results"]["verdicts"]
    asked = record["settings"]
    yield _title("Soak", record)
    yield f"<p>{len(minutes)} minutes with {asked['count']} session of {asked['kind']}.</p>"
    yield _figure(plots.soak(minutes), "One point a minute.")
    rows = [
        (verdict["what"], verdict["value"], verdict["limit"], "kept" if verdict["kept"] else "not kept")
        for verdict in verdicts
    ]
    if rows:
        yield _table(("limit", "measured", "at most", ""), rows)


def _compare(records: Sequence[Result]) -> Iterator[str]:
    yield (
        "<h2>Comparisons</h2><p>Both sides took turns within the same minutes. The frame as a whole decides: of a "
        "dozen stages, one leaves its 95 % interval by chance in every other comparison.</p>"
    )
    for record in records:
        first, second = (side["name"] for side in record["settings"]["sides"])
        found = Ratio(**record["results"]["ratios"]["frame"]["wall"])
        yield f"<h3>{escape(second)} against {escape(first)}</h3>"
        yield (
            f"<p>A frame takes {found.value:.3f} of the other's time (95 %: {found.low:.3f} to {found.high:.3f}, "
            f"{found.pairs} pairs): {found.verdict}.</p>"
        )
        yield _figure(plots.forest(record["results"]["ratios"]), _when(record))


def _foot(records: Sequence[Result]) -> Iterator[str]:
    yield (
        f"<footer><p>Made by <code>livefake bench report</code> from {len(records)} results, which keep every raw "
        "sample. Speeds drift from minute to minute on shared machines: read ratios before absolutes.</p></footer>"
    )


def _title(words: str, record: Result) -> str:
    stopped = "" if record["complete"] else " It was stopped before its end."
    return f'<h2>{words}</h2><p class="note">{_when(record)}{stopped}</p>'


def _when(record: Result) -> str:
    before, after = record["machine"]["load"], record.get("load_after")
    load = f" Load of the machine {before[0]} before, {after[0]} after." if before and after else ""
    return escape(f"{record['started'][:16].replace('T', ' ')} UTC, commit {record['commit'] or 'unknown'}.{load}")


def _figure(svg: str, caption: str) -> str:
    return f"<figure>{svg}<figcaption>{caption}</figcaption></figure>"


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]], *, strong: str = "") -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr{_strong(row, strong)}>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _strong(row: Sequence[object], strong: str) -> str:
    return ' class="strong"' if strong and row[0] == strong else ""


def _cell(value: object) -> str:
    if value is None:
        return "<td>-</td>"
    if isinstance(value, float):
        return f"<td>{value:.2f}</td>" if abs(value) < 10 else f"<td>{value:.1f}</td>"
    kind = {"kept": ' class="good"', "not kept": ' class="bad"'}.get(str(value), "")
    return f"<td{kind}>{escape(str(value))}</td>"


def run(folder: Path, target: Path | None = None) -> Path:
    """Write the report of a folder.

    Args:
        folder: with results.
        target: the page; ``report.html`` in the folder if None.

    Returns:
        The page's path.

    Raises:
        BadInput: there are no results, or a file is not one.
        LivefakeError: the page cannot be written.
    """
    target = target or folder / "report.html"
    document = page(read_records(folder))
    try:
        target.write_text(document, "utf-8")
    except OSError as error:
        raise LivefakeError(f"{target} cannot be written: {error.strerror}.", "Choose another place.") from error
    return target


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, write the page, tell where it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--html", type=Path, help="where the page goes; report.html in the folder")
    chosen = parser.parse_args(arguments)
    print(run(chosen.folder, chosen.html))


if __name__ == "__main__":
    as_program(main)
