"""What three viewers, a transport stream and a recording cost the performer and the service.

    python -m benchmarks.outputs --seconds 15 --rounds 2 --json outputs.json
    python -m benchmarks.outputs --via clip          the performer is no browser, and takes next to nothing of the cores

A browser performs, first alone, then with three WHEP viewers (aiortc), a reader of the transport stream (FFmpeg's
demuxer) and a recording, turn and turn about. Viewers and reader are processes of their own and are not counted as the
service's. They take every picture apart from its packets and count it, but leave decoding out: that is work of other
machines, which two cores here cannot do as well. The mesh warp works without the swap network unless --refine is given.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import Server, chromium, go_live, serve, stamp_script, write_camera
from benchmarks.crew import crew, task_for
from benchmarks.taker import Taker
from livefake.machine import describe_machine
from livefake.resources import models_folder

__all__ = ["measure", "measure_apart"]

_SIZES: Final = {"720p": (1280, 720), "360p": (640, 360)}
_VIEWERS: Final = 3
_SETTLE: Final = 4.0
_SESSION: Final = re.compile(r"/api/sessions/[^/]+$")

_WATCH: Final = """
(() => {
  const read = %s;
  const [local, remote] = ["#local", "#remote"].map((name) => document.querySelector(name));
  const seen = new Map();
  globalThis.bench = { delays: [], shown: 0, start: performance.now() };
  const watch = (video, act) => {
    const step = (now, meta) => { act(read(video), meta.expectedDisplayTime); video.requestVideoFrameCallback(step); };
    video.requestVideoFrameCallback(step);
  };
  watch(local, (number, at) => { if (number >= 0) seen.set(number, at); });
  watch(remote, (number, at) => {
    bench.shown += 1;
    const delay = at - seen.get(number);
    // The camera's loop brings each number back after 16 s: an old sighting says nothing.
    if (delay < 8000) bench.delays.push(delay);
    seen.delete(number);
  });
})()
"""
_AFRESH: Final = "globalThis.bench = { delays: [], shown: 0, start: performance.now() }"
_TAKE: Final = "({ ...bench, seconds: (performance.now() - bench.start) / 1000 })"


def measure(size: str, seconds: float, rounds: int, *, refine: bool = False) -> dict[str, Any]:
    """Perform alone and with everybody, turn and turn about.

    Args:
        size: "720p" or "360p".
        seconds: how long each turn is measured.
        rounds: how many turns of both kinds.
        refine: whether the swap network works too.

    Returns:
        Plain values: machine, each turn, and the medians of both kinds with their difference.
    """
    turns: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(_environment(LIVEFAKE_DATA=str(folder / "data"), LIVEFAKE_REFINE="yes" if refine else "no"))
        playwright = stack.enter_context(sync_playwright())
        camera = folder / "camera.y4m"
        write_camera(models_folder() / "demo" / "performer.mp4", camera, _SIZES[size], frames=480, stamped=True)
        server = stack.enter_context(serve())
        page = stack.enter_context(chromium(playwright, camera)).new_page(viewport={"width": 1280, "height": 860})
        opened: list[str] = []
        page.on("response", lambda answer: opened.append(answer.url) if _SESSION.search(answer.url) else None)
        go_live(page, server.url)
        page.evaluate(_WATCH % stamp_script())
        page.wait_for_timeout(_SETTLE * 1000)
        for _ in range(rounds):
            turns.append(_turn(page, server, opened[-1], seconds) | {"others": 0})
            with _others(page) as got:
                turns.append(_turn(page, server, opened[-1], seconds) | {"others": _VIEWERS + 2, "others_got": got})
    return _result(size, turns, refine=refine)


def measure_apart(size: str, seconds: float, rounds: int, *, refine: bool = False) -> dict[str, Any]:
    """The same with a performer of ``benchmarks.clients``, which sends pictures that were encoded beforehand."""
    turns: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(_environment(LIVEFAKE_DATA=folder, LIVEFAKE_REFINE="yes" if refine else "no"))
        server = stack.enter_context(serve())
        # Of each turn the first span passes while the others come or go, and in one more at the end the last ones go.
        task = task_for(server, count=1, size=size, rate=30, settle=_SETTLE, span=seconds, spans=4 * rounds + 1)
        said = stack.enter_context(crew(task))
        for _ in range(rounds):
            turns.append(_spans(said, server) | {"others": 0})
            recording = f"/api/sessions/{turns[-1]['id']}/recording"
            _ask(server, recording, "POST")
            with _takers(turns[-1]["whep_url"], turns[-1]["feed_url"]) as got:
                turns.append(_spans(said, server) | {"others": _VIEWERS + 2, "others_got": got})
            _ask(server, recording, "DELETE")
        # To the orderly end, in which the session is closed.
        list(said)
    return _result(size, turns, refine=refine)


def _spans(said: Iterator[dict[str, Any]], server: Server) -> dict[str, Any]:
    """Let one span pass, and measure the next."""
    before = next(said)["spans"][0]["report"]
    cpu, used = server.cpu_seconds(), _used()
    line = next(said)
    spent = server.cpu_seconds() - cpu, _used() - used
    [span] = line["spans"]
    after, delays = span["report"], span["delays_ms"]
    figures = _figures(server, before, after, spent, delays, shown=len(delays), seconds=line["seconds"])
    return figures | {name: after[name] for name in ("id", "whep_url", "feed_url")}


def _result(size: str, turns: Sequence[dict[str, Any]], *, refine: bool) -> dict[str, Any]:
    alone, shared = ([turn for turn in turns if bool(turn["others"]) is many] for many in (False, True))
    return {
        "machine": describe_machine(),
        "size": size,
        "swap": "mesh warp and network" if refine else "mesh warp alone",
        "alone": _medians(alone),
        "shared": _medians(shared),
        "later_ms": {
            name: round(_medians(shared)["delay_ms"][name] - _medians(alone)["delay_ms"][name], 1) for name in _SHARES
        },
        "turns": turns,
    }


_SHARES: Final = {"p50": 50, "p95": 95}


def _turn(page: Page, server: Server, session: str, seconds: float) -> dict[str, Any]:
    """Measure for a while; whoever takes part is there already."""
    page.wait_for_timeout(_SETTLE * 1000)
    page.evaluate(_AFRESH)
    before, cpu, used = _report(page, session), server.cpu_seconds(), _used()
    page.wait_for_timeout(seconds * 1000)
    bench = page.evaluate(_TAKE)
    after, spent = _report(page, session), (server.cpu_seconds() - cpu, _used() - used)
    return _figures(server, before, after, spent, bench["delays"], shown=bench["shown"], seconds=bench["seconds"])


def _figures(
    server: Server,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    spent: tuple[float, float],
    delays: Sequence[float],
    *,
    shown: int,
    seconds: float,
) -> dict[str, Any]:
    """What a turn showed, from the session's reports and the processor seconds of the service and of everybody."""
    arrived = after["frames"]["arrived"] - before["frames"]["arrived"]
    return {
        "delay_ms": {name: float(np.percentile(delays, share)) for name, share in _SHARES.items()},
        "shown_fps": shown / seconds,
        "arrived_fps": arrived / seconds,
        "server_cpu_ms_a_frame": 1000 * spent[0] / arrived,
        "encodes": _metric(server, "livefake_encodes"),
        "viewers": _metric(server, "livefake_viewers_open"),
        "recording": (after["recording"] or {}).get("phase", ""),
        "queue_depth": after["queue_depth"],
        "quality": after["quality"],
        "cores_used": spent[1] / seconds,
    }


def _medians(turns: list[dict[str, Any]]) -> dict[str, Any]:
    plain = ("shown_fps", "arrived_fps", "server_cpu_ms_a_frame", "cores_used")
    found: dict[str, Any] = {name: round(float(np.median([turn[name] for turn in turns])), 2) for name in plain}
    found["delay_ms"] = {
        name: round(float(np.median([turn["delay_ms"][name] for turn in turns])), 1) for name in _SHARES
    }
    found["encodes"] = max(turn["encodes"] for turn in turns)
    return found


@contextmanager
def _others(page: Page) -> Iterator[list[float]]:
    """Three viewers, a reader and a recording.

    Yields:
        What gets, at the end, the pictures a second that each viewer and the reader got.

    Raises:
        RuntimeError: one of them got none.
    """
    view = page.input_value("#view-url")
    whep, feed = view.replace("/view/", "/whep/"), page.input_value("#feed-url")
    page.click("#record")
    page.wait_for_selector("#rec:visible")
    try:
        with _takers(whep, feed) as got:
            yield got
    finally:
        page.click("#record")
        page.wait_for_selector("#rec", state="hidden")


@contextmanager
def _takers(whep: str, feed: str) -> Iterator[list[float]]:
    """Three viewers and a reader; yields what gets, at the end, the pictures a second that each of them got.

    Raises:
        RuntimeError: one of them got none.
    """
    takers = [*(Taker("view", whep) for _ in range(_VIEWERS)), Taker("read", feed)]
    got: list[float] = []
    try:
        yield got
    finally:
        got += [round(taker.end(), 1) for taker in takers]


def _report(page: Page, url: str) -> dict[str, Any]:
    answer: dict[str, Any] = page.evaluate("(url) => fetch(url).then((answer) => answer.json())", url)
    return answer


def _metric(server: Server, name: str) -> int:
    found = re.search(rf"^{name} ([0-9.]+)$", _ask(server, "/metrics"), re.MULTILINE)
    return int(float(found[1])) if found else -1


def _ask(server: Server, path: str, method: str = "GET") -> str:
    base = server.url.partition("/?")[0]
    request = urllib.request.Request(
        f"{base}{path}", method=method, headers={"Authorization": f"Bearer {server.token}"}
    )
    with urllib.request.urlopen(request) as response:
        return str(response.read().decode())


def _used() -> float:
    """Processor time that this program and all that it started have used, seconds (proc(5), fields utime and stime)."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        # A process may end between being listed and being read.
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid] = int(fields[1])
            used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(used.get(pid, 0.0) for pid in ours)


@contextmanager
def _environment(**changes: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def main() -> None:
    """Parse the command line, measure, print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(_SIZES), default="720p")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--via", choices=("browser", "clip"), default="browser")
    parser.add_argument("--refine", action="store_true", help="let the swap network work too")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    options = parser.parse_args()
    way = measure if options.via == "browser" else measure_apart
    result = way(options.size, options.seconds, options.rounds, refine=options.refine)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
