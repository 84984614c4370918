"""How many sessions this machine carries: one more at a time, until their pictures no longer come back in time.

    python -m benchmarks.load                    360p at 15 and 30 frames a second, 720p at 30
    python -m benchmarks.load --kind 360p15 --most 4 --seconds 20

A number of sessions holds when in each of them 95 of 100 frames that were sent come back swapped within 100 ms. The
performers are a process beside the service; they send H.264 that was encoded before, so they cost little, and how much
is told. A number that does not hold gets a second try; when it fails too, that kind of session is done.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.browser import Server, serve
from benchmarks.crew import crew, task_for
from benchmarks.process import cpu_by_thread, resident_mib
from benchmarks.records import FOLDER, as_program, recording
from benchmarks.stats import percentiles
from livefake.errors import BadRequest, LivefakeError

__all__ = ["KINDS", "carried", "check_kinds", "cost_a_session", "holds", "main", "run"]

KINDS: Final[Mapping[str, tuple[str, int]]] = {"360p15": ("360p", 15), "360p30": ("360p", 30), "720p30": ("720p", 30)}
"""Size and frames a second."""

WITHIN_MS: Final = 100.0
SHARE: Final = 0.95

_SETTLE: Final = 15.0
"""Seconds. Sessions that begin all at once load the machine more than they do later, and quality that was given up then
comes back a step every three seconds."""
_TRIES: Final = 2


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse what is no kind of session.

    Raises:
        BadRequest: one is not known.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise BadRequest(f"A kind of session should be one of {', '.join(KINDS)}, and is {kind!r}.")


def holds(spans: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every session got its frames back in time."""
    return bool(spans) and all(in_time(span) >= SHARE for span in spans)


def in_time(span: Mapping[str, Any]) -> float:
    """Share of the frames sent that came back within ``WITHIN_MS``; frames that never came count as late."""
    return float(sum(delay <= WITHIN_MS for delay in span["delays_ms"]) / max(1, span["sent"]))


def carried(steps: Sequence[Mapping[str, Any]]) -> int:
    """The largest number of sessions that held."""
    return max((step["count"] for step in steps if step["holds"]), default=0)


def cost_a_session(steps: Sequence[Mapping[str, Any]], what: str) -> float | None:
    """How much one more session takes, by least squares over the steps that held; None with fewer than two numbers."""
    points = [(step["count"], step[what]) for step in steps if step["holds"]]
    if len({count for count, _ in points}) < 2:
        return None
    counts, values = np.asarray(points, np.float64).T
    return round(float(np.polyfit(counts, values, 1)[0]), 4)


def measure(server: Server, kind: str, count: int, seconds: float) -> dict[str, Any]:
    """Let so many perform for a while.

    Returns:
        Plain values: ``kind``, ``count``, ``holds``, share ``in_time`` of each session, ``delay_ms`` percentiles of all
        together, ``server_cores`` (processor seconds a second), ``client_cores``, ``resident_mib`` of the service,
        ``threads`` (processor seconds by name), and the raw ``spans``.

    Raises:
        LivefakeError: the sessions did not come to show pictures.
    """
    size, rate = KINDS[kind]
    task = task_for(server, count=count, size=size, rate=rate, settle=_SETTLE, span=seconds)
    with crew(task) as said:
        before, start, begun = cpu_by_thread(server.pid), server.cpu_seconds(), time.monotonic()
        line = next(said)
        cores = (server.cpu_seconds() - start) / (time.monotonic() - begun)
        memory = resident_mib(server.pid)
        threads = {name: round(used - before.get(name, 0), 2) for name, used in cpu_by_thread(server.pid).items()}
        # To the orderly end, in which the sessions are closed.
        list(said)
    spans = line["spans"]
    delays = [delay for span in spans for delay in span["delays_ms"]]
    return {
        "kind": kind,
        "count": count,
        "holds": holds(spans),
        "in_time": [round(in_time(span), 4) for span in spans],
        "delay_ms": percentiles(delays),
        "server_cores": round(cores, 4),
        "client_cores": line["client_cores"],
        "resident_mib": memory,
        "threads": {name: used for name, used in threads.items() if used > 0},
        "quality": [span["report"].get("quality", "ended") for span in spans],
        "spans": spans,
    }


def run(kinds: Sequence[str], *, most: int, seconds: float, out: Path = FOLDER) -> dict[str, Any]:
    """Measure until it no longer holds, tell of every step, write the result.

    Raises:
        BadRequest: a kind is not known, or there is nothing to do.
    """
    check_kinds(kinds)
    if most < 1 or seconds < 2:
        raise BadRequest(f"A load needs 1 session and 2 s or more, asked for were {most} and {seconds:g} s.")
    console = Console(stderr=True)
    steps: list[dict[str, Any]] = []
    asked = {"kinds": list(kinds), "most": most, "seconds": seconds, "within_ms": WITHIN_MS, "share": SHARE}
    with recording("load", out, asked, tell=console.print) as record:
        console.print("Starting the service ...")
        with serve(["--capacity", str(min(64, most + 1))], module="benchmarks.named", quiet=True) as server:
            for kind in kinds:
                _climb(server, kind, most=most, seconds=seconds, steps=steps, console=console, record=record.results)
    Console().print(_table(kinds, steps))
    return record.results


def _climb(
    server: Server,
    kind: str,
    *,
    most: int,
    seconds: float,
    steps: list[dict[str, Any]],
    console: Console,
    record: dict[str, Any],
) -> None:
    """More and more sessions of one kind."""
    for count in range(1, most + 1):
        for _ in range(_TRIES):
            with console.status(f"{count} x {kind}"):
                step = _tried(server, kind, count, seconds)
            steps.append(step)
            record["steps"] = steps
            record["carried"] = {each: carried([one for one in steps if one["kind"] == each]) for each in KINDS}
            worst = min(step["in_time"], default=0.0)
            said = "holds" if step["holds"] else "does not hold"
            console.print(f"{count} x {kind} {said}: {100 * worst:.1f} % in time, {step['server_cores']:.2f} cores")
            if step["holds"]:
                break
        else:
            return


def _tried(server: Server, kind: str, count: int, seconds: float) -> dict[str, Any]:
    try:
        return measure(server, kind, count, seconds)
    except LivefakeError as error:
        # A machine that is past its limit may not even get so far as to show a picture: that is a result.
        nothing: dict[str, Any] = {
            "in_time": [],
            "delay_ms": percentiles([]),
            "spans": [],
            "threads": {},
            "quality": [],
        }
        figures = {"server_cores": 0.0, "client_cores": 0.0, "resident_mib": resident_mib(server.pid)}
        return {"kind": kind, "count": count, "holds": False, "problem": str(error), **nothing, **figures}


def _table(kinds: Sequence[str], steps: Sequence[Mapping[str, Any]]) -> Table:
    note = "Held: each session gets 95 % of its frames back within 100 ms. Cost: one more session."
    heads = ("kind", "sessions that hold", "p50 ms", "p95 ms", "cores each", "MiB each")
    table = Table(*heads, box=None, header_style="bold", caption=note, caption_justify="left")
    for kind in kinds:
        those = [step for step in steps if step["kind"] == kind]
        held = [step for step in those if step["holds"]]
        delay = held[-1]["delay_ms"] if held else percentiles([])
        costs = [cost_a_session(those, what) for what in ("server_cores", "resident_mib")]
        if costs[0] is None and held:
            costs[0] = held[0]["server_cores"]
        figures = [*delay.values()][:2]
        table.add_row(
            kind,
            str(carried(those)),
            *("-" if figure is None else f"{figure:.0f}" for figure in figures),
            *("-" if cost is None else f"{cost:.2f}" for cost in costs),
        )
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", choices=tuple(KINDS), help="of session; all, one after the other")
    parser.add_argument("--most", type=int, default=8, help="sessions at once")
    parser.add_argument("--seconds", type=float, default=10, help="of every step")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the result")
    chosen = parser.parse_args(arguments)
    run(chosen.kind or tuple(KINDS), most=chosen.most, seconds=chosen.seconds, out=chosen.out)


if __name__ == "__main__":
    as_program(main)
