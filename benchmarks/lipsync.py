"""How far sound is away from its picture where people see and hear it: in a viewer, in the transport stream, in a film.

    python -m benchmarks.lipsync --seconds 20 --json lipsync.json

The camera flashes in a corner and the microphone beeps, both every two seconds. Chromium plays the two files
independently of each other, so that their distance is measured in the performer's page first, by the same means as in
the viewer's; what is reported is what was added to it. Positive: the sound is late.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import chromium, go_live, serve, write_camera
from livefake.machine import describe_machine
from livefake.resources import models_folder

__all__ = ["PERIOD", "added", "edges", "measure", "write_microphone"]

PERIOD: Final = 2.0
"""Seconds from one flash to the next, and from one beep to the next."""

_LENGTH: Final = 0.5
_RATE: Final = 48_000
_FRAMES: Final = 240
_WHITE: Final = 150
_LOUD: Final = 0.1

_LIVE: Final = {"fflags": "nobuffer", "probesize": "32768", "analyzeduration": "0"}

_KEEP: Final = """
(() => {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await open(wanted);
    const [sound] = stream.getAudioTracks();
    if (sound) globalThis.microphone = sound.clone();
    return stream;
  };
})();
"""

_WATCH: Final = """
async ([selector, own]) => {
  const bench = { flashes: [], beeps: [] };
  const video = document.querySelector(selector);
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  let white = true;
  const look = (now, meta) => {
    pen.drawImage(video, video.videoWidth / 40, video.videoWidth / 40, 8, 8, 0, 0, 1, 1);
    const bright = pen.getImageData(0, 0, 1, 1).data[1] > 150;
    // Of the own camera that counts when a picture was taken, and of what is watched when it is shown.
    const at = (own && meta.captureTime) || meta.expectedDisplayTime;
    if (bright && !white) bench.flashes.push((performance.timeOrigin + at) / 1000);
    bench.captured = Boolean(meta.captureTime);
    white = bright;
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);

  const context = new AudioContext({ sampleRate: 48000, latencyHint: "interactive" });
  const code = `registerProcessor("ear", class extends AudioWorkletProcessor {
    constructor() { super(); this.quiet = 0; }
    process([input]) {
      (input[0] ?? []).forEach((sample, index) => {
        if (Math.abs(sample) > 0.1) {
          if (this.quiet > 24000) this.port.postMessage(currentTime + index / sampleRate);
          this.quiet = 0;
        } else this.quiet += 1;
      });
      if (currentFrame % 4800 < 128) this.port.postMessage(-currentTime);
      return true;
    }
  });`;
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  const ear = new AudioWorkletNode(context, "ear");
  // The message that took least tells how the two clocks lie to each other.
  let apart = Infinity;
  ear.port.onmessage = ({ data }) => {
    const now = (performance.timeOrigin + performance.now()) / 1000;
    if (data < 0) apart = Math.min(apart, now + data);
    else bench.beeps.push(data);
  };
  const track = own ? globalThis.microphone : video.srcObject.getAudioTracks()[0];
  context.createMediaStreamSource(new MediaStream([track])).connect(ear).connect(context.destination);
  await context.resume();
  globalThis.readBench = () => ({
    captured: bench.captured, flashes: bench.flashes, beeps: bench.beeps.map((at) => at + apart),
  });
}
"""


def write_microphone(target: Path) -> None:
    """A file that Chromium plays as a microphone: a beep of half a second every two."""
    at = np.arange(round(_RATE * PERIOD)) / _RATE
    tone = np.where(at < _LENGTH, np.sin(at * 2 * np.pi * 1000) * 16_000, 0).astype("<i2")
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(np.tile(tone, 8).tobytes())


def edges(times: Sequence[float], values: Sequence[float], threshold: float) -> list[float]:
    """When values rise above a threshold: the first time after each one below it."""
    before, found = threshold + 1, list[float]()
    for at, value in zip(times, values, strict=True):
        if value > threshold >= before:
            found.append(at)
        before = value
    return found


def added(flashes: Sequence[float], beeps: Sequence[float], before: float = 0.0) -> NDArray[np.float64]:
    """How much later each beep is than its flash, beyond what it was before.

    Args:
        flashes, beeps: seconds, by one clock.
        before: the distance that they had at their source, seconds.

    Returns:
        One value a flash that has a beep within half a period, seconds; positive where the sound is late.
    """
    found = []
    for flash in flashes:
        away = [
            ((beep - flash - before + PERIOD / 2) % PERIOD) - PERIOD / 2
            for beep in beeps
            if abs(beep - flash) <= PERIOD
        ]
        if away:
            found.append(min(away, key=abs))
    return np.asarray(found)


def _source(page: Page) -> float:
    """The distance of beep from flash in the performer's page, seconds: the median, as on a circle."""
    seen = page.evaluate("readBench()")
    first = added(seen["flashes"][:1], seen["beeps"])[0]
    return float(first + np.median(added(seen["flashes"], seen["beeps"], first)))


def _decode(address: str, seconds: float) -> tuple[list[float], list[float]]:
    """Flashes and beeps of a stream or a film, by its own time."""
    pictures: list[tuple[float, float]] = []
    sounds: list[tuple[float, float]] = []
    end = time.monotonic() + seconds
    with av.open(address, options=_LIVE) as container:
        for packet in container.demux(container.streams.video[0], container.streams.audio[0]):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    corner = frame.to_ndarray()[
                        frame.width // 40 : frame.width // 20, frame.width // 40 : frame.width // 20
                    ]
                    pictures.append((frame.time or 0.0, float(corner.mean())))
                elif isinstance(frame, av.AudioFrame):
                    levels = np.abs(frame.to_ndarray()[0])
                    # A frame is longer than what is to be measured.
                    for index in range(0, len(levels), 48):
                        sounds.append(((frame.time or 0.0) + index / _RATE, float(levels[index : index + 48].max())))
            if time.monotonic() > end:
                break
    return edges([at for at, _ in pictures], [level for _, level in pictures], _WHITE), _beeps(sounds)


def _beeps(sounds: list[tuple[float, float]]) -> list[float]:
    """Beginnings of beeps: a wave passes through silence many times while it sounds."""
    found, quiet_since = list[float](), None
    for at, level in sounds:
        if level <= _LOUD:
            quiet_since = at if quiet_since is None else quiet_since
        else:
            if quiet_since is not None and at - quiet_since > _LENGTH:
                found.append(at)
            quiet_since = None
    return found


def _figures(values: NDArray[np.float64]) -> dict[str, float]:
    if not len(values):
        return {"count": 0}
    return {
        "count": len(values),
        "median_ms": round(float(np.median(values)) * 1000, 1),
        "p95_from_zero_ms": round(float(np.percentile(np.abs(values), 95)) * 1000, 1),
    }


def measure(seconds: float, size: tuple[int, int] = (640, 360)) -> dict[str, Any]:
    """Run one session, and measure each way out for so many seconds.

    Args:
        seconds: of each measurement.
        size: of the camera's picture.

    Returns:
        For ``viewer``, ``transport_stream`` and ``recording``: count, median and 95th percentile from zero,
        milliseconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        camera, microphone = Path(folder) / "camera.y4m", Path(folder) / "microphone.wav"
        period = round(PERIOD * 30)
        write_camera(
            models_folder() / "demo" / "performer.mp4",
            camera,
            size,
            frames=_FRAMES,
            flashes={number for number in range(_FRAMES) if number % period < _LENGTH * 30},
        )
        write_microphone(microphone)
        with (
            serve(["--capacity", "1"]) as server,
            sync_playwright() as playwright,
            chromium(playwright, camera, microphone) as browser,
        ):
            return _measure(browser.new_context(bypass_csp=True), server.url, seconds)


def _measure(context: Any, url: str, seconds: float) -> dict[str, Any]:
    page = context.new_page()
    page.add_init_script(_KEEP)
    go_live(page, url, microphone=True)
    page.evaluate(_WATCH, ["#local", True])
    address = page.evaluate("document.querySelector('#view-url').value")
    viewer = context.new_page()
    viewer.goto(address)
    viewer.wait_for_function("document.querySelector('video').srcObject?.getAudioTracks().length > 0")
    viewer.wait_for_timeout(3000)
    viewer.evaluate(_WATCH, ["video", False])
    viewer.wait_for_timeout(seconds * 1000)
    seen = viewer.evaluate("readBench()")
    viewer.close()
    page.click("#record")
    streamed = _decode(address.replace("/view/", "/ts/"), seconds)
    page.click("#record")
    page.wait_for_function("document.querySelector('#kept').textContent.includes('.mp4')")
    film = _film(page)
    before = _source(page)
    page.click("#stop")
    return {
        "machine": describe_machine(),
        "source_ms": round(before * 1000, 1),
        "source_is_capture_time": bool(page.evaluate("readBench().captured")),
        "viewer": _figures(added(seen["flashes"], seen["beeps"], before)),
        "transport_stream": _figures(added(*streamed, before)),
        "recording": _figures(added(*_decode(film, 60), before)),
    }


def _film(page: Page) -> str:
    """The recording's file, once it is saved."""
    for _ in range(100):
        text = page.text_content("#kept") or ""
        path = next((word.rstrip(".") for word in text.split() if ".mp4" in word), "")
        if path and Path(path).exists():
            return path
        page.wait_for_timeout(100)
    raise RuntimeError(f"the recording was not saved: {text}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = measure(chosen.seconds)
    text = json.dumps(found, indent=2)
    print(text)
    if chosen.json is not None:
        chosen.json.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
