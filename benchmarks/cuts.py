"""How long the performer's picture is gone when the network is cut, and where the time goes.

    python -m benchmarks.cuts --cuts 5 --json cuts.json

A page in Chromium performs over a scripted path, which then lets nothing through any more; the next connection gets a
new path. Times are in seconds from the cut.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from aioice.ice import get_host_addresses
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import chromium, go_live, serve, write_camera
from benchmarks.detour import detour
from livefake.machine import describe_machine
from livefake.media.webrtc.scripted import DOWN
from livefake.resources import models_folder

__all__ = ["SPY", "measure"]

SPY: Final = """
(() => {
  globalThis.noted = [];
  const note = (what) => noted.push([performance.timeOrigin + performance.now(), what]);
  const Real = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Real {
    constructor(...options) {
      super(...options);
      note("noticed");
      this.addEventListener("iceconnectionstatechange", () => {
        if (this.iceConnectionState === "connected") note("path found");
      });
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected") note("encrypted");
      });
      this.addEventListener("track", ({ track }) => track.addEventListener("unmute", () => note("first packet")));
    }
    async setRemoteDescription(description) {
      note("answered");
      await super.setRemoteDescription(description);
    }
  };
})()
"""
"""Notes when each step of a new connection is done."""

_SETTLE: Final = 4.0
_LONGEST: Final = 30.0


def measure(cuts: int) -> dict[str, Any]:
    """Cut the connection again and again, and wait each time until the page is live.

    Returns:
        Plain values: machine, seconds until live, and the steps of each cut.
    """
    [host, *_] = get_host_addresses(use_ipv4=True, use_ipv6=False)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        camera = Path(folder) / "camera.y4m"
        write_camera(models_folder() / "demo" / "performer.mp4", camera, (640, 360), frames=240)
        with serve(["--capacity", "1"]) as server, chromium(playwright, camera) as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.add_init_script(SPY)
            with detour(page, host) as way:
                go_live(page, server.url)
                steps = []
                for _ in range(cuts):
                    page.wait_for_timeout(_SETTLE * 1000)
                    page.evaluate("noted.length = 0")
                    begun = time.time()
                    way.paths[-1].script = DOWN
                    steps.append(_steps(page, begun))
    took = [each["live"] for each in steps]
    return {
        "machine": describe_machine(),
        "live_again_s": {"p50": float(np.median(took)), "longest": max(took)},
        "cuts": steps,
    }


def _steps(page: Page, begun: float) -> dict[str, float]:
    state = ""
    for wanted in ("reconnecting", "live"):
        while (state := page.evaluate("livefake.stats().state")) != wanted:
            if time.time() - begun > _LONGEST:
                raise TimeoutError(f"the page is {state} after {_LONGEST:g} s")
            page.wait_for_timeout(10)
    live = time.time() - begun
    noted: list[tuple[float, str]] = page.evaluate("noted")
    return {what: round(at / 1000 - begun, 3) for at, what in reversed(noted)} | {"live": round(live, 3)}


def main() -> None:
    """Parse the command line, measure, print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    options = parser.parse_args()
    result = measure(options.cuts)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
