"""The live path: delay from glass to glass, even pacing, drops by cause, processor time by thread.

    python -m benchmarks.live                        in a real Chromium: with the swap, then without it
    python -m benchmarks.live --size 360p --seconds 60 --rounds 3
    python -m benchmarks.live --via whip             FFmpeg publishes over WHIP, a player watches over WHEP
    python -m benchmarks.live --via clip             performers without a browser: the cores are the service's alone

The camera is a clip with a frame number in its lower edge. The page's own preview shows the number first, the
returned picture shows it again: the time between the two is what a performer feels. From glass to glass is counted
from the camera's own time of the picture. Chromium decodes, encodes and draws on the same cores, so the machine is
busier than a desktop with a graphics card. Without the swap means ``benchmarks.echo``: the same browser, connection,
label and mark, and pictures with nobody in them; the difference is what the swap itself costs.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.browser import Server, chromium, go_live, missing, serve, stamp_script, write_camera
from benchmarks.echo import NUMBERS, shuffled
from benchmarks.packets import SIZES
from benchmarks.process import cpu_by_thread, cpu_of_family, resident_mib
from benchmarks.records import FOLDER, as_program, recording
from benchmarks.stats import percentiles
from livefake.errors import BadRequest, LivefakeError
from livefake.resources import models_folder

__all__ = ["freezes", "grown", "main", "measure", "pacing", "run"]

_SETTLE: Final = 5.0
_LIVE_WITHIN_MS: Final = 20_000
_REPORT: Final = re.compile(r"[^?]*/api/sessions/[^/?]+")

_WATCH: Final = """
(() => {
  const read = %s;
  const [local, remote] = ["#local", "#remote"].map((name) => document.querySelector(name));
  const seen = new Map();
  const bench = { delays: [], glass: [], shown: [], taken: 0, start: performance.now() };
  const watch = (video, act) => {
    const step = (now, meta) => { act(read(video), meta); video.requestVideoFrameCallback(step); };
    video.requestVideoFrameCallback(step);
  };
  watch(local, (number, meta) => {
    if (number < 0 || seen.has(number)) return;
    bench.taken += 1;
    seen.set(number, [meta.expectedDisplayTime, meta.captureTime]);
    // The camera's loop brings each number back after 16 s: an old sighting says nothing.
    setTimeout(() => seen.delete(number), 8000);
  });
  let last = -1;
  watch(remote, (number, meta) => {
    if (number === last) return;
    last = number;
    bench.shown.push(meta.expectedDisplayTime);
    const sighting = seen.get(number);
    if (!sighting) return;
    bench.delays.push(meta.expectedDisplayTime - sighting[0]);
    if (sighting[1] !== undefined) bench.glass.push(meta.expectedDisplayTime - sighting[1]);
  });
  globalThis.bench = bench;
})()
"""


def pacing(shown_ms: Sequence[float]) -> dict[str, Any]:
    """How evenly pictures were shown.

    Args:
        shown_ms: instants of showing.

    Returns:
        ``gap_ms`` percentiles, and ``unevenness_ms``: how far 95 of 100 gaps stay within the median one.
    """
    gaps = np.diff(np.asarray(shown_ms, np.float64))
    if not gaps.size:
        return {"gap_ms": percentiles([]), "unevenness_ms": None}
    uneven = float(np.percentile(np.abs(gaps - np.median(gaps)), 95))
    return {"gap_ms": percentiles(gaps.tolist()), "unevenness_ms": round(uneven, 2)}


def freezes(shown_ms: Sequence[float]) -> dict[str, float]:
    """How often the picture stood still, and for how long altogether.

    A freeze is a gap of three usual ones and at least 150 ms more than one (W3C, Identifiers for WebRTC's Statistics
    API, freezeCount).
    """
    gaps = np.diff(np.asarray(shown_ms, np.float64))
    if not gaps.size:
        return {"count": 0, "seconds": 0.0}
    usual = float(np.median(gaps))
    frozen = gaps[gaps > max(3 * usual, usual + 150)]
    return {"count": int(frozen.size), "seconds": round(float(frozen.sum()) / 1000, 3)}


def measure(size: str, seconds: float, persona: str | None = None, *, swap: bool = True) -> dict[str, Any]:
    """Run one session in Chromium and measure it after it has settled.

    Args:
        size: one of ``benchmarks.packets.SIZES``.
        seconds: how long to measure.
        persona: whom to wear; the page's first one if None.
        swap: with it, or through the echo.

    Returns:
        Plain values: percentiles of ``delay_ms`` (preview to returned picture) and ``glass_ms``, ``taken``, ``arrived``
        and ``shown`` a second, ``drops`` by cause, ``freezes``, ``pacing``, processor seconds a second by thread of the
        service (``threads``) and of Chromium, milliseconds of the service's a frame, and the raw samples.

    Raises:
        LivefakeError: there is no Chromium, or the picture did not go live.
    """
    if lacking := missing():
        raise LivefakeError("Measuring live needs a browser, and " + lacking.partition(";")[0] + ".", _remedy(lacking))
    module = "benchmarks.named" if swap else "benchmarks.echo"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        camera = Path(folder) / "camera.y4m"
        clip = models_folder() / "demo" / "performer.mp4"
        change = None if swap else shuffled
        write_camera(clip, camera, SIZES[size], frames=NUMBERS, stamped=True, change=change)
        with serve(module=module, quiet=True) as server, chromium(playwright, camera) as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            opened = _opened(page, server, size, persona) if swap else _echoed(page, server, size)
            page.wait_for_timeout(_SETTLE * 1000)
            page.evaluate(_WATCH % stamp_script())
            before, begun, report = cpu_by_thread(server.pid), cpu_of_family(os.getpid()), opened()
            page.wait_for_timeout(seconds * 1000)
            bench = page.evaluate("({...bench, seconds: (performance.now() - bench.start) / 1000})")
            after, ended, later = cpu_by_thread(server.pid), cpu_of_family(os.getpid()), opened()
            memory = resident_mib(server.pid)
    return _result(bench, (before, after), (begun, ended), (report, later)) | {
        "what": "swap" if swap else "echo",
        "size": size,
        "resident_mib": memory,
    }


def _remedy(lacking: str) -> str:
    return lacking.partition("; ")[2].capitalize() + "."


def _opened(page: Page, server: Server, size: str, persona: str | None) -> Callable[[], dict[str, Any]]:
    """Go live on livefake's own page; what asks the session for its report."""
    found: list[str] = []
    page.on("response", lambda response: found.append(response.url) if _REPORT.fullmatch(response.url) else None)
    go_live(page, server.url, persona=persona)
    page.wait_for_function("() => livefake.stats().state === 'live'")
    address = found[-1]

    def report() -> dict[str, Any]:
        answer: dict[str, Any] = page.evaluate("(url) => fetch(url).then((answer) => answer.json())", address)
        return answer

    return report


def _echoed(page: Page, server: Server, size: str) -> Callable[[], dict[str, Any]]:
    """Go live on the echo's page."""
    page.goto(f"{server.url}?lines={SIZES[size][1]}")
    page.wait_for_function("() => globalThis.live === true", timeout=_LIVE_WITHIN_MS)

    def report() -> dict[str, Any]:
        counts = page.evaluate("() => fetch('/counts').then((answer) => answer.json())")
        return {"frames": {"arrived": counts["taken"] + counts["refused"], "swapped": 0, "failed": counts["refused"]}}

    return report


def _result(
    bench: Mapping[str, Any],
    threads: tuple[Mapping[str, float], Mapping[str, float]],
    family: tuple[Mapping[str, float], Mapping[str, float]],
    reports: tuple[Mapping[str, Any], Mapping[str, Any]],
) -> dict[str, Any]:
    seconds = bench["seconds"]
    frames = {name: count - reports[0]["frames"].get(name, 0) for name, count in reports[1]["frames"].items()}
    arrived = max(1, frames.pop("arrived"))
    made = frames.pop("swapped") or arrived - sum(frames.values())
    cores = grown(*threads, seconds)
    causes = {
        "before the service": max(0, bench["taken"] - arrived),
        **{name: count for name, count in frames.items() if name != "carded"},
        "after the service": max(0, made - len(bench["shown"])),
    }
    return {
        "seconds": seconds,
        "delay_ms": percentiles(bench["delays"]),
        "glass_ms": percentiles(bench["glass"]),
        "taken_fps": round(bench["taken"] / seconds, 2),
        "arrived_fps": round(arrived / seconds, 2),
        "shown_fps": round(len(bench["shown"]) / seconds, 2),
        "drops": causes,
        "freezes": freezes(bench["shown"]),
        "pacing": pacing(bench["shown"]),
        "server_cores": round(sum(cores.values()), 4),
        "server_cpu_ms_a_frame": round(1000 * sum(cores.values()) * seconds / arrived, 2),
        "threads": cores,
        "browser_cores": round(sum(v for k, v in grown(*family, seconds).items() if k.startswith("chrom")), 4),
        "report": reports[1],
        "delays": [round(value, 1) for value in bench["delays"]],
        "glass": [round(value, 1) for value in bench["glass"]],
        "gaps": np.round(np.diff(bench["shown"]), 1).tolist(),
    }


def grown(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Processor seconds a second by name, the largest first."""
    grown = {name: round((value - before.get(name, 0.0)) / seconds, 4) for name, value in after.items()}
    return dict(sorted(((name, value) for name, value in grown.items() if value > 0), key=lambda pair: -pair[1]))


def run(
    size: str,
    *,
    seconds: float,
    rounds: int = 1,
    persona: str | None = None,
    via: str = "browser",
    echo: bool = True,
    out: Path = FOLDER,
) -> list[dict[str, Any]]:
    """Measure with and without the swap in turn, tell how it goes, write the result.

    Raises:
        LivefakeError: a program that is needed is not here, or a picture did not go live.
    """
    if size not in SIZES or via not in ("browser", "clip", "whip") or rounds < 1 or seconds < 2:
        raise BadRequest(
            f"Live is measured at {' or '.join(SIZES)}, via browser, clip or whip, for 2 s and 1 round or more."
        )
    console = Console(stderr=True)
    parts: list[dict[str, Any]] = []
    asked = {"size": size, "seconds": seconds, "rounds": rounds, "via": via}
    with recording("live", out, asked, tell=console.print) as record:
        for what, act in _acts(size, seconds, persona, via, echo=echo) * rounds:
            with console.status(f"{what}: {seconds:g} s at {size}"):
                parts.append(act())
            record.results = {"parts": parts}
    Console().print(_table(parts))
    return parts


def _acts(
    size: str, seconds: float, persona: str | None, via: str, *, echo: bool
) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    if via == "whip":
        from benchmarks.whip import measure as over_whip

        return [("WHIP in, WHEP out", lambda: over_whip(size, seconds, persona))]
    way = measure
    if via == "clip":
        from benchmarks.apart import measure as way
    acts = [("With the swap", lambda: way(size, seconds, persona))]
    return [*acts, ("Without it", lambda: way(size, seconds, swap=False))] if echo else acts


def _table(parts: Sequence[Mapping[str, Any]]) -> Table:
    note = (
        "Milliseconds p50 / p95 / p99. Again: from the preview to the returned picture. Uneven: p95 off the median gap."
    )
    heads = ("", "again", "glass to glass", "shown/s", "uneven", "freezes", "cores", "cpu a frame")
    table = Table(*heads, box=None, header_style="bold", caption=note, caption_justify="left")
    for part in parts:
        uneven = part["pacing"]["unevenness_ms"]
        table.add_row(
            part["what"],
            _three(part["delay_ms"]),
            _three(part["glass_ms"]),
            f"{part['shown_fps']:.1f}",
            "-" if uneven is None else f"{uneven:.0f}",
            f"{part['freezes']['count']}",
            f"{part['server_cores']:.2f}",
            f"{part['server_cpu_ms_a_frame']:.1f}",
        )
    return table


def _three(figures: Mapping[str, float | None]) -> str:
    return " / ".join("-" if value is None else f"{value:.0f}" for value in figures.values())


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, measure, print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=tuple(SIZES), default="720p")
    parser.add_argument("--seconds", type=float, default=30, help="of each part")
    parser.add_argument("--rounds", type=int, default=1, help="how often both parts are measured in turn")
    parser.add_argument("--persona")
    parser.add_argument("--via", choices=("browser", "clip", "whip"), default="browser")
    parser.add_argument("--no-echo", action="store_true", help="only with the swap")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the result")
    chosen = parser.parse_args(arguments)
    run(
        chosen.size,
        seconds=chosen.seconds,
        rounds=chosen.rounds,
        persona=chosen.persona,
        via=chosen.via,
        echo=not chosen.no_echo,
        out=chosen.out,
    )


if __name__ == "__main__":
    as_program(main)
