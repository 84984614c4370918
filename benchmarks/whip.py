"""FFmpeg publishes a numbered clip over WHIP, a player watches over WHEP: as OBS and viewers do, without a browser.

The delay counts from the moment when a raw picture is handed to FFmpeg, as a camera would, to the moment when the
player has decoded it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import av
import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from benchmarks.browser import Server, read_stamp, serve, stamp
from benchmarks.packets import SIZES, scaled
from benchmarks.process import cpu_by_thread, resident_mib
from benchmarks.stats import percentiles
from livefake.errors import LivefakeError
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.low_delay import install
from livefake.resources import models_folder

__all__ = ["measure", "publisher"]

_RATE: Final = 30
_NUMBERS: Final = 1 << 15
_SETTLE: Final = 4.0
_LIVE_WITHIN: Final = 40.0
_PICTURES: Final = 90


def publisher() -> str:
    """An FFmpeg that publishes over WHIP.

    Raises:
        LivefakeError: there is none.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        program = str(get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise LivefakeError(
            "Measuring WHIP needs an FFmpeg that knows it, and there is none.",
            "Install one: pip install imageio-ffmpeg",
        ) from error
    known = subprocess.run([program, "-hide_banner", "-muxers"], capture_output=True, text=True, check=False).stdout
    if " whip " not in known:
        raise LivefakeError(f"{program} should know WHIP, and does not.", "Install FFmpeg 8 or newer.")
    return program


class _Camera:
    """Hands raw pictures to FFmpeg at their times, from a thread of its own."""

    def __init__(self, process: subprocess.Popen[bytes], size: tuple[int, int]) -> None:
        self.sent: dict[int, float] = {}
        self._reel = scaled(models_folder() / "demo" / "performer.mp4", size, count=_PICTURES)
        self._process = process
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._process.kill()
        self._thread.join(5)

    def _run(self) -> None:
        assert self._process.stdin is not None
        begun, number = time.monotonic(), 0
        # A publisher that has ended takes nothing more; whoever waits for its pictures says so.
        with contextlib.suppress(OSError):
            while not self._stopped.wait(max(0.0, begun + number / _RATE - time.monotonic())):
                frame = self._reel.next()
                stamp(frame.y, number % _NUMBERS)
                self.sent[number % _NUMBERS] = time.monotonic()
                self._process.stdin.write(frame.i420.tobytes())
                number += 1


@contextmanager
def _publishing(key: dict[str, Any], size: tuple[int, int], log: Path) -> Iterator[_Camera]:
    width, height = size
    source = f"-f rawvideo -pix_fmt yuv420p -video_size {width}x{height} -framerate {_RATE} -i pipe:0"
    coder = f"-c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -bf 0 -g {_RATE} -threads 1"
    rate = f"-b:v {Bitrate().of(width, height)}"
    command = [publisher(), "-hide_banner", "-fflags", "nobuffer", *source.split(), *coder.split(), *rate.split()]
    command += ["-f", "whip", "-authorization", key["key"], key["url"]]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=dict(os.environ, AV_LOG_FORCE_NOCOLOR="1"),
            start_new_session=True,
        ) as process,
    ):
        camera = _Camera(process, size)
        camera.start()
        try:
            yield camera
        finally:
            camera.stop()


class _Player:
    """A WHEP player that notes which picture came when."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._task: asyncio.Task[None] | None = None

    async def join(self, web: httpx.AsyncClient, path: str) -> None:
        transceiver = self._connection.addTransceiver("video", "recvonly")
        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = self._connection.localDescription.sdp
        answer = await web.post(path, content=offer, headers={"Content-Type": "application/sdp"})
        if answer.status_code != httpx.codes.CREATED:
            raise LivefakeError(f"The service refused a viewer: {answer.text}")
        await self._connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        self._task = asyncio.create_task(self._look(transceiver.receiver.track))

    async def close(self) -> None:
        await self._connection.close()
        if self._task is not None:
            await self._task

    async def _look(self, track: Any) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                picture = await track.recv()
                at = time.monotonic()
                assert isinstance(picture, av.VideoFrame)
                plane = picture.planes[0]
                luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]
                self.seen.append((at, read_stamp(luma)))


def measure(size: str, seconds: float, persona: str | None = None) -> dict[str, Any]:
    """Publish, watch, and measure after it has settled.

    Args:
        size: one of ``benchmarks.packets.SIZES``.
        seconds: how long to measure.
        persona: whom to wear; the first one listed if None.

    Returns:
        The same fields as ``benchmarks.live.measure``, the delay under ``glass_ms`` too, as there is no preview.

    Raises:
        LivefakeError: there is no FFmpeg that knows WHIP, or its picture did not go live.
    """
    publisher()
    install(Bitrate())
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(["--capacity", "1"], module="benchmarks.named", quiet=True) as server,
    ):
        return asyncio.run(_measure(server, size, seconds, persona, Path(folder)))


async def _measure(server: Server, size: str, seconds: float, persona: str | None, folder: Path) -> dict[str, Any]:
    # Here, not above: benchmarks.live imports this module when it is asked to.
    from benchmarks.live import freezes, pacing

    headers = {"Authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(base_url=server.url.partition("/?")[0], headers=headers, timeout=30) as web:
        key = await _key(web, persona)
        with _publishing(key, SIZES[size], folder / "log") as camera:
            entry = await _live(web, lambda: (folder / "log").read_text("utf-8", "replace"))
            async with _watching(web, entry) as player:
                await asyncio.sleep(_SETTLE)
                before, first = cpu_by_thread(server.pid), await _report(web, entry)
                begun = time.monotonic()
                await asyncio.sleep(seconds)
                ended = time.monotonic()
                after, report = cpu_by_thread(server.pid), await _report(web, entry)
                memory = resident_mib(server.pid)
    fresh: dict[int, float] = {}
    for at, number in player.seen:
        if begun <= at <= ended and number in camera.sent:
            fresh.setdefault(number, at)
    shown = sorted(1000 * at for at in fresh.values())
    delays = [round(1000 * (at - camera.sent[number]), 1) for number, at in fresh.items()]
    span = ended - begun
    frames = {name: count - first["frames"].get(name, 0) for name, count in report["frames"].items()}
    arrived, swapped = max(1, frames.pop("arrived")), frames.pop("swapped")
    taken = sum(begun <= at <= ended for at in camera.sent.values())
    cores = {name: round((used - before.get(name, 0.0)) / span, 4) for name, used in after.items()}
    return {
        "what": "whip",
        "size": size,
        "seconds": span,
        "delay_ms": percentiles(delays),
        "glass_ms": percentiles(delays),
        "taken_fps": round(taken / span, 2),
        "arrived_fps": round(arrived / span, 2),
        "shown_fps": round(len(shown) / span, 2),
        "drops": {
            "before the service": max(0, taken - arrived),
            **{name: count for name, count in frames.items() if name != "carded"},
            "after the service": max(0, swapped - len(shown)),
        },
        "freezes": freezes(shown),
        "pacing": pacing(shown),
        "server_cores": round(sum(cores.values()), 4),
        "server_cpu_ms_a_frame": round(1000 * sum(cores.values()) * span / arrived, 2),
        "threads": {name: used for name, used in sorted(cores.items(), key=lambda pair: -pair[1]) if used > 0},
        "browser_cores": 0.0,
        "resident_mib": memory,
        "report": report,
        "delays": delays,
        "glass": delays,
        "gaps": np.round(np.diff(shown), 1).tolist(),
    }


async def _key(web: httpx.AsyncClient, persona: str | None) -> dict[str, Any]:
    notice = (await web.get("/api/notice")).json()["id"]
    chosen = persona or (await web.get("/api/personas")).json()[0]["id"]
    order = {"persona": chosen, "consent": {"notice": notice, "accepted": True}}
    answer = await web.post("/api/keys", json=order)
    if answer.status_code != httpx.codes.CREATED:
        raise LivefakeError(f"The service made no stream key: {answer.text}")
    made: dict[str, Any] = answer.json()
    return made


async def _live(web: httpx.AsyncClient, log: Callable[[], str]) -> dict[str, Any]:
    """The key's entry once its session shows swapped pictures."""
    try:
        async with asyncio.timeout(_LIVE_WITHIN):
            while True:
                [entry] = (await web.get("/api/keys")).json()
                if entry["session"] is not None and (await _report(web, entry))["state"] == "live":
                    return dict(entry)
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        said = log().splitlines()[-2:]
        raise LivefakeError(f"FFmpeg's picture did not go live; it said: {' '.join(said)}") from error


async def _report(web: httpx.AsyncClient, entry: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = (await web.get(f"/api/sessions/{entry['session']}")).json()
    return answer


@asynccontextmanager
async def _watching(web: httpx.AsyncClient, entry: dict[str, Any]) -> AsyncIterator[_Player]:
    player = _Player()
    try:
        await player.join(web, f"/whep/{entry['view_url'].rpartition('/')[2]}")
        yield player
    finally:
        await player.close()
