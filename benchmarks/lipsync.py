"""How far sound is from its picture where people see and hear it: in a viewer, a player, a stream and a film.

    python -m benchmarks.lipsync --seconds 20 --json lipsync.json

Every picture of the camera carries its number, and the microphone beeps every two seconds. The performer's page tells
when the camera gave each number and when the microphone gave each beep. Each way out tells when each number is shown
and when each beep is heard. How late a beep is, less how late the pictures around it are, is how late the sound is
against its picture. So neither pictures that were left out on the way nor the rate of the pictures count.

What it can tell apart: a browser tells sound in pieces of 10 ms, whose earliest of a second set the clock, and shows
pictures at the screen's 60 a second, of which the median counts: 5 ms at most on a machine that is not short of time.
Chromium's fake microphone says that a piece was taken when it is whole, so that up to 10 ms of what is reported as
early may be the measure's. In streams and films a beep is placed to 1 ms by its own time stamps.
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

from benchmarks.browser import chromium, go_live, read_stamp, serve, stamp_script, write_camera
from livefake.machine import describe_machine
from livefake.resources import models_folder

__all__ = ["FRAMES", "PERIOD", "Seen", "late", "measure", "unwrap", "write_microphone"]

PERIOD: Final = 2.0
"""Seconds from one beep to the next."""
FRAMES: Final = 240
"""Pictures of the camera before it begins again."""

_RATE: Final = 48_000
_CAMERA_RATE: Final = 30
_LENGTH: Final = 0.5
_LOUD: Final = 0.1
_AROUND: Final = 0.5
_SETTLE: Final = 12.0
"""Seconds that a browser gets to bring both together before it is measured: it moves them once a second, a little."""

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
  const Connection = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Connection {
    constructor(...given) { super(...given); globalThis.connection = this; }
  };
})();
"""

_WATCH: Final = """
async ([selector, own]) => {
  const read = %s;
  const bench = { pictures: [], beeps: [] };
  const wall = (at) => (performance.timeOrigin + at) / 1000;
  const video = document.querySelector(selector);
  const look = (now, meta) => {
    // Of the own camera that counts when a picture was taken, and of what is watched when it is shown.
    const at = own ? meta.captureTime : meta.expectedDisplayTime;
    const number = read(video);
    if (at && number >= 0) bench.pictures.push([number, wall(at)]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);

  const track = own ? globalThis.microphone : video.srcObject.getAudioTracks()[0];
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const lately = [];
  let quiet = 0;
  let samples = new Float32Array(0);
  const listen = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      // What a piece took to get here is never less than nothing: the quickest of a second tells its clock.
      lately.push(performance.now() - value.timestamp / 1000);
      if (lately.length > 100) lately.shift();
      const begun = value.timestamp / 1000 + Math.min(...lately);
      if (samples.length !== value.numberOfFrames) samples = new Float32Array(value.numberOfFrames);
      value.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      for (let index = 0; index < samples.length; index += 1) {
        quiet += 1;
        if (Math.abs(samples[index]) <= %f) continue;
        if (quiet > value.sampleRate * %f) bench.beeps.push(wall(begun + (index * 1000) / value.sampleRate));
        quiet = 0;
      }
      value.close();
    }
  };
  listen();
  globalThis.readBench = async () => {
    let device = 0;
    for (const report of (await globalThis.connection?.getStats())?.values() ?? []) {
      // What is handed to the loudspeaker is heard a little later.
      if (report.type === "media-playout") device = report.totalPlayoutDelay / report.totalSamplesCount;
    }
    return { pictures: bench.pictures, beeps: bench.beeps.map((at) => at + (own ? 0 : device)), device };
  };
}
"""

_PLAYER: Final = """
async (address) => {
  document.body.innerHTML = "<video autoplay playsinline></video>";
  const pc = new RTCPeerConnection();
  pc.addTransceiver("video", { direction: "recvonly" });
  pc.addTransceiver("audio", { direction: "recvonly" });
  pc.ontrack = ({ streams }) => { document.querySelector("video").srcObject = streams[0]; };
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 50));
  const headers = { "Content-Type": "application/sdp" };
  const answer = await fetch(address, { method: "POST", headers, body: pc.localDescription.sdp });
  await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
}
"""


class Seen:
    """What was seen and heard at one place.

    Args:
        pictures: numbers and when each was there, seconds, in order of time.
        beeps: when each began, seconds by the same clock.
    """

    def __init__(self, pictures: Sequence[Sequence[float]], beeps: Sequence[float]) -> None:
        self.numbers = np.asarray([number for number, _ in pictures], np.int64)
        self.times = np.asarray([at for _, at in pictures], np.float64)
        self.beeps = np.asarray(beeps, np.float64)


def write_microphone(target: Path) -> None:
    """A file that Chromium plays as a microphone: a beep of half a second every two."""
    at = np.arange(round(_RATE * PERIOD)) / _RATE
    tone = np.where(at < _LENGTH, np.sin(at * 2 * np.pi * 1000) * 16_000, 0).astype("<i2")
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(np.tile(tone, 8).tobytes())


def unwrap(numbers: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers that begin again at 0 after ``FRAMES``, as numbers that only rise, with the gaps that time tells."""
    if not len(numbers):
        return numbers
    since = (times - times[0]) * _CAMERA_RATE
    rounds = np.rint((since - (numbers - numbers[0])) / FRAMES).astype(np.int64)
    return np.asarray(numbers + rounds * FRAMES, np.int64)


def late(source: Seen, way: Seen, begun: float) -> NDArray[np.float64]:
    """How late each beep of a way out is, against the pictures within half a second of it.

    Args:
        source: by the camera's and the microphone's clock.
        way: by any clock that runs as fast.
        begun: what the way's clock is ahead of the source's, seconds, to within three.

    Returns:
        One value a beep, seconds; positive where the sound is late. Beeps without pictures around them have none.
    """
    if len(source.numbers) < 2 or not len(source.beeps):
        return np.empty(0)
    line = unwrap(source.numbers, source.times)
    order = np.argsort(line)
    # The picture of that number which was taken nearest to the time that is meant.
    guess = (way.times - begun - source.times[0]) * _CAMERA_RATE + line[0]
    number = way.numbers + np.rint((guess - way.numbers) / FRAMES).astype(np.int64) * FRAMES
    known = (number >= line.min()) & (number <= line.max())
    taken = np.interp(number[known], line[order], source.times[order])
    times, delay = way.times[known], way.times[known] - taken
    found = []
    for beep in way.beeps:
        around = delay[np.abs(times - beep) <= _AROUND]
        if not len(around):
            continue
        away = beep - float(np.median(around)) - source.beeps
        nearest = float(away[np.argmin(np.abs(away))])
        if abs(nearest) < PERIOD / 2:
            found.append(nearest)
    return np.asarray(found)


def _decode(address: str, seconds: float) -> Seen:
    """Numbers and beeps of a stream or a film, by its own time."""
    pictures: list[tuple[int, float]] = []
    sounds: list[tuple[float, float]] = []
    end = time.monotonic() + seconds
    with av.open(address, options=_LIVE) as container:
        for packet in container.demux(container.streams.video[0], container.streams.audio[0]):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    number = read_stamp(np.asarray(frame.to_ndarray()[: frame.height, : frame.width], np.uint8))
                    if number >= 0:
                        pictures.append((number, frame.time or 0.0))
                elif isinstance(frame, av.AudioFrame):
                    levels = np.abs(frame.to_ndarray()[0])
                    # A frame is longer than what is to be measured.
                    for index in range(0, len(levels), 48):
                        sounds.append(((frame.time or 0.0) + index / _RATE, float(levels[index : index + 48].max())))
            if time.monotonic() > end:
                break
    return Seen(pictures, _beeps(sounds))


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


def measure(seconds: float, size: tuple[int, int] = (640, 360), settle: float = _SETTLE) -> dict[str, Any]:
    """Run one session, and measure each way out for so many seconds.

    Args:
        seconds: of each measurement.
        size: of the camera's picture.
        settle: seconds that a browser plays before it is measured.

    Returns:
        For ``viewer`` (the clean page, in the performer's own browser), ``player`` (a plain WHEP player in another
        browser), ``transport_stream`` and ``recording``: count, median and 95th percentile from zero, milliseconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        camera, microphone = Path(folder) / "camera.y4m", Path(folder) / "microphone.wav"
        clip = models_folder() / "demo" / "performer.mp4"
        write_camera(clip, camera, size, frames=FRAMES, stamped=True)
        write_microphone(microphone)
        with (
            serve(["--capacity", "1"]) as server,
            sync_playwright() as playwright,
            chromium(playwright, camera, microphone) as browser,
        ):
            page = browser.new_context(bypass_csp=True).new_page()
            page.add_init_script(_KEEP)
            go_live(page, server.url, microphone=True)
            page.evaluate(_watch(), ["#local", True])
            address = page.evaluate("document.querySelector('#view-url').value")
            viewer = page.context.new_page()
            viewer.add_init_script(_KEEP)
            viewer.goto(address)
            watched = _watched(viewer, seconds, settle)
            with chromium(playwright) as other:
                player = other.new_context(bypass_csp=True).new_page()
                player.add_init_script(_KEEP)
                player.goto(address.partition("/view/")[0] + "/verify")
                player.evaluate(_PLAYER, address.replace("/view/", "/whep/"))
                played = _watched(player, seconds, settle)
            ways = {"viewer": (watched["seen"], 0.0), "player": (played["seen"], 0.0)}
            page.click("#record")
            begun = time.time()
            streamed = _decode(address.replace("/view/", "/ts/"), seconds)
            page.click("#record")
            page.wait_for_function("document.querySelector('#kept').textContent.includes('.mp4')")
            film = _decode(_film(page), 60)
            source = page.evaluate("readBench()")
            page.click("#stop")
    for name, seen in (("transport_stream", streamed), ("recording", film)):
        first = float(seen.times[0]) if len(seen.times) else 0.0
        ways[name] = (seen, first - begun - 0.5)
    given = Seen(source["pictures"], source["beeps"])
    return {
        "machine": describe_machine(),
        "loudspeaker_ms": {"viewer": watched["device"], "player": played["device"]},
        **{name: _figures(late(given, seen, ahead)) for name, (seen, ahead) in ways.items()},
    }


def _watch() -> str:
    return _WATCH % (stamp_script(), _LOUD, _LENGTH)


def _watched(page: Page, seconds: float, settle: float) -> dict[str, Any]:
    """What a page shows that has a video with sound; the page is closed."""
    page.wait_for_function("document.querySelector('video')?.srcObject?.getAudioTracks().length > 0")
    page.wait_for_timeout(settle * 1000)
    page.evaluate(_watch(), ["video", False])
    page.wait_for_timeout(seconds * 1000)
    found = page.evaluate("readBench()")
    page.close()
    return {"seen": Seen(found["pictures"], found["beeps"]), "device": round(found["device"] * 1000, 1)}


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
    parser.add_argument("--settle", type=float, default=_SETTLE)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = measure(chosen.seconds, settle=chosen.settle)
    text = json.dumps(found, indent=2)
    print(text)
    if chosen.json is not None:
        chosen.json.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
