"""The live path in a real browser: delay from shown to shown again, frame rate, processor time, queues.

    python -m benchmarks.live --seconds 30 --json live.json

The camera is a clip with a frame number in its lower edge. The page's own preview shows the number first, the
returned picture shows it again: the time between the two is what a performer feels. Chromium decodes, encodes and
draws on the same cores, so the machine is busier than a desktop with a graphics card.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import chromium, go_live, serve, stamp_script, write_camera
from livefake.machine import describe_machine
from livefake.resources import models_folder

__all__ = ["measure"]

_SIZES: Final = {"720p": (1280, 720), "360p": (640, 360)}
_SETTLE: Final = 5.0

_WATCH: Final = """
(() => {
  const read = %s;
  const [local, remote] = ["#local", "#remote"].map((name) => document.querySelector(name));
  const seen = new Map();
  const bench = { delays: [], shown: 0, start: performance.now() };
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
  globalThis.bench = bench;
})()
"""


def measure(size: str, seconds: float, persona: str | None = None) -> dict[str, Any]:
    """Run one session and measure it after it has settled.

    Args:
        size: "720p" or "360p".
        seconds: how long to measure.
        persona: whom to wear; the page's first one if None.

    Returns:
        Plain values: machine, delay percentiles, rates, processor time, the session's own report, raw delays.
    """
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        camera = Path(folder) / "camera.y4m"
        write_camera(models_folder() / "demo" / "performer.mp4", camera, _SIZES[size], frames=480, stamped=True)
        with serve() as server, chromium(playwright, camera) as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            opened: list[str] = []
            page.on("response", lambda response: opened.append(response.url) if _is_report(response.url) else None)
            go_live(page, server.url, persona=persona)
            page.wait_for_timeout(_SETTLE * 1000)
            page.evaluate(_WATCH % stamp_script())
            before, report_before = server.cpu_seconds(), _report(page, opened[-1])
            page.wait_for_timeout(seconds * 1000)
            bench = page.evaluate("({...bench, seconds: (performance.now() - bench.start) / 1000})")
            after, report = server.cpu_seconds(), _report(page, opened[-1])
            own = page.evaluate("livefake.stats()")
    delays = np.array(bench["delays"])
    frames = report["frames"]["arrived"] - report_before["frames"]["arrived"]
    return {
        "machine": describe_machine(),
        "size": size,
        "seconds": bench["seconds"],
        "delay_ms": {name: float(np.percentile(delays, share)) for name, share in _PERCENTILES.items()},
        "shown_fps": bench["shown"] / bench["seconds"],
        "arrived_fps": frames / bench["seconds"],
        "server_cpu_ms_a_frame": 1000 * (after - before) / frames,
        "queue_depth": report["queue_depth"],
        "page_delay_ms": own["delayMs"],
        "report": report,
        "delays": [round(float(delay), 1) for delay in delays],
    }


_PERCENTILES: Final = {"p50": 50, "p95": 95, "p99": 99}


def _is_report(url: str) -> bool:
    return "/api/sessions/" in url


def _report(page: Page, url: str) -> dict[str, Any]:
    answer: dict[str, Any] = page.evaluate("(url) => fetch(url).then((answer) => answer.json())", url)
    return answer


def main() -> None:
    """Parse the command line, measure, print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(_SIZES), default="720p")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--persona")
    parser.add_argument("--json", type=Path, help="write everything, raw delays included, to this file")
    options = parser.parse_args()
    result = measure(options.size, options.seconds, options.persona)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    short = {name: value for name, value in result.items() if name not in ("report", "delays")}
    print(json.dumps(short, indent=2))


if __name__ == "__main__":
    main()
