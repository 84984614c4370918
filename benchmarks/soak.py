"""A session for a long time: does memory grow, does the delay creep, do threads or files pile up?

    python -m benchmarks.soak --minutes 60
    python -m benchmarks.soak --minutes 5 --kind 360p15

One line a minute, and at the end a verdict for each limit. The exit code is 0 when all are kept, else 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

from benchmarks.browser import Server, serve
from benchmarks.crew import crew, task_for
from benchmarks.load import KINDS, check_kinds, in_time
from benchmarks.process import open_files, resident_mib, thread_count
from benchmarks.records import FOLDER, as_program, recording
from benchmarks.stats import percentiles
from livefake.errors import BadRequest

__all__ = ["Verdict", "judge", "main", "minute", "run"]

_GROWTH_MB: Final = 20.0
_DRIFT_MS: Final = 5.0
_THREADS: Final = 2
_FILES: Final = 8
_DEPTH: Final = 1
_WARM: Final = 1
"""Minutes that do not count, where there are enough others: arenas and caches fill up in the first."""
_MB_OF_MIB: Final = 1.048576


@dataclass(frozen=True, slots=True)
class Verdict:
    """One limit.

    Attributes:
        what: is limited, in words.
        value: was measured.
        limit: the most there may be.
    """

    what: str
    value: float
    limit: float

    @property
    def kept(self) -> bool:
        """Whether it is within the limit."""
        return self.value <= self.limit


def judge(minutes: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """Hold what was measured against the limits.

    Args:
        minutes: as ``minute`` makes them.

    Returns:
        Nothing where there are fewer than three.
    """
    if len(minutes) < 3:
        return []
    counted = minutes[_WARM:] if len(minutes) >= _WARM + 3 else minutes
    delays = [minute["delay_ms"]["p50"] for minute in counted if minute["delay_ms"]["p50"] is not None] or [0.0]
    third = max(1, len(delays) // 3)
    first, last = counted[0], counted[-1]
    grown = _MB_OF_MIB * (max(minute["resident_mib"] for minute in counted) - minutes[0]["resident_mib"])
    return [
        Verdict("memory, MB more than after the first minute", round(grown, 1), _GROWTH_MB),
        Verdict(
            "median delay, ms from the first third to the last",
            round(float(np.median(delays[-third:]) - np.median(delays[:third])), 2),
            _DRIFT_MS,
        ),
        Verdict("threads more than at the beginning", last["threads"] - first["threads"], _THREADS),
        Verdict("open files more than at the beginning", last["files"] - first["files"], _FILES),
        Verdict("deepest queue", max(minute["queue_depth"] for minute in counted), _DEPTH),
        Verdict("minutes without a picture", sum(not minute["came"] for minute in counted), 0),
        Verdict("sessions that ended by themselves", max(minute["ended"] for minute in counted), 0),
    ]


def minute(number: int, line: Mapping[str, Any], server: Server, cores: float) -> dict[str, Any]:
    """What a minute showed, plain values; of several sessions the sums and the worst."""
    spans = line["spans"]
    delays = [delay for span in spans for delay in span["delays_ms"]]
    reports = [span["report"] for span in spans if span["report"]]
    return {
        "minute": number,
        "sent": sum(span["sent"] for span in spans),
        "came": len(delays),
        "in_time": round(min(map(in_time, spans)), 4),
        "delay_ms": percentiles(delays),
        "gap_ms": percentiles([gap for span in spans for gap in span["gaps_ms"]]),
        "resident_mib": resident_mib(server.pid),
        "threads": thread_count(server.pid),
        "files": open_files(server.pid),
        "ended": len(spans) - len(reports),
        "queue_depth": max((report["queue_depth"] for report in reports), default=0),
        "server_cores": round(cores, 4),
        "frames": [report["frames"] for report in reports],
        "quality": [report["quality"] for report in reports],
    }


def run(minutes: int, *, kind: str, count: int = 1, span: float = 60.0, out: Path = FOLDER) -> bool:
    """Measure, tell of every minute, write the result.

    Args:
        minutes: how many spans.
        kind: one of ``KINDS``.
        count: sessions at once.
        span: seconds of a minute; shorter for a trial.
        out: folder for the result.

    Returns:
        Whether all limits were kept.

    Raises:
        LivefakeError: the service cannot be started, or a session does not come to show pictures.
    """
    if minutes < 1 or count < 1:
        raise BadRequest(f"A soak needs 1 minute and 1 session or more, asked for were {minutes} and {count}.")
    check_kinds([kind])
    console = Console(stderr=True)
    size, rate = KINDS[kind]
    asked = {"minutes": minutes, "kind": kind, "count": count, "span": span}
    rows: list[dict[str, Any]] = []
    verdicts: list[Verdict] = []
    with recording("soak", out, asked, tell=console.print) as record:
        console.print("Starting the service ...")
        with serve(["--capacity", str(count)], module="benchmarks.named", quiet=True) as server:
            task = task_for(server, count=count, size=size, rate=rate, settle=2.0, span=span, spans=minutes)
            with crew(task) as said:
                cpu, at = server.cpu_seconds(), time.monotonic()
                for number, line in enumerate(said, 1):
                    used, now = server.cpu_seconds(), time.monotonic()
                    rows.append(minute(number, line, server, (used - cpu) / (now - at)))
                    cpu, at = used, now
                    verdicts = judge(rows)
                    told = [{**asdict(verdict), "kept": verdict.kept} for verdict in verdicts]
                    record.results.update({"minutes": rows, "verdicts": told})
                    console.print(_line(rows[-1]), highlight=False, soft_wrap=True)
    for verdict in verdicts:
        said_so = "kept" if verdict.kept else "NOT KEPT"
        console.print(f"{said_so}: {verdict.what} {verdict.value:g}, at most {verdict.limit:g}", highlight=False)
    return all(verdict.kept for verdict in verdicts)


def _line(row: Mapping[str, Any]) -> str:
    delay = row["delay_ms"]
    times = "no picture" if delay["p50"] is None else f"{delay['p50']:.0f} / {delay['p95']:.0f} ms"
    return (
        f"{row['minute']:>4} min  {times}  {100 * row['in_time']:.1f} % in time  {row['came']}/{row['sent']} frames  "
        f"{row['resident_mib']:.0f} MiB  {row['threads']} threads  {row['files']} files  depth {row['queue_depth']}  "
        f"{row['server_cores']:.2f} cores"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, end with 1 where a limit was not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--kind", choices=tuple(KINDS), default="360p30")
    parser.add_argument("--count", type=int, default=1, help="sessions at once")
    parser.add_argument("--span", type=float, default=60, help="seconds of a minute, for a trial")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the result")
    chosen = parser.parse_args(arguments)
    if not run(chosen.minutes, kind=chosen.kind, count=chosen.count, span=chosen.span, out=chosen.out):
        sys.exit(1)


if __name__ == "__main__":
    as_program(main)
