"""A machine that is too slow: does the picture stay steady, and the delay short?

    python -m benchmarks.slow --share 0.5 --seconds 20

The service runs in a browser-less session: an aiortc client in another process sends numbered pictures of the built-in
clip and notes when each comes back. The service's own process gets a share of one core, by a CPU quota (cgroup, where
this program may make one) or else by being stopped and continued a hundred times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from benchmarks.browser import read_stamp, stamp
from benchmarks.transport import Camera, clip
from livefake.clock import monotonic, nanos
from livefake.frame import Bytes
from livefake.machine import describe_machine
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.low_delay import install

__all__ = ["limited", "measure"]

_SIZE: Final = (1280, 720)
_SETTLE: Final = 6.0
_QUOTA_PERIOD_US: Final = 20_000
_SHARES: Final = 262_144
_CYCLE: Final = 0.01


class _Numbered(Camera):
    """The clip with a number in each picture, and when it was sent."""

    def __init__(self, reel: list[Bytes], fps: float) -> None:
        super().__init__(reel, fps)
        self.taken: list[float] = []

    def next_planes(self) -> Bytes:
        planes = super().next_planes().copy()
        stamp(planes[: _SIZE[1]], len(self.taken))
        self.taken.append(time.monotonic())
        return planes


def _client(pipe: Connection, fps: float) -> None:
    """The other process: sends until it is told to stop, then answers with number, sent and seen of each picture."""
    pipe.send(asyncio.run(_call(pipe, fps)))


async def _call(pipe: Connection, fps: float) -> list[tuple[int, float, float]]:
    install(Bitrate())
    reel = await asyncio.to_thread(clip, _SIZE)
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    camera = _Numbered(reel, fps)
    pumps: list[asyncio.Task[None]] = []
    seen: list[tuple[int, float, float]] = []

    async def look(track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                picture = await track.recv()
                assert isinstance(picture, av.VideoFrame)
                at, number = time.monotonic(), read_stamp(np.asarray(picture.to_ndarray(format="gray"), np.uint8))
                if 0 <= number < len(camera.taken):
                    seen.append((number, camera.taken[number], at))

    connection.on("track", lambda track: pumps.append(asyncio.create_task(look(track))))
    connection.addTransceiver(camera, "sendrecv")
    await connection.setLocalDescription(await connection.createOffer())
    pipe.send(connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(await asyncio.to_thread(pipe.recv), "answer"))
    await asyncio.to_thread(pipe.recv)
    await connection.close()
    await asyncio.gather(*pumps)
    return seen


def _service(pipe: Connection, latency_ms: float) -> None:
    """The slow process: one session of the real service, without HTTP."""
    asyncio.run(_serve(pipe, latency_ms))


async def _serve(pipe: Connection, latency_ms: float) -> None:
    from rich.console import Console

    from livefake.cli.tools import open_studio, settings
    from livefake.media.encode.hub import Broadcast
    from livefake.media.holdcard import CardPainter
    from livefake.media.webrtc.low_delay import LowDelayReceiver
    from livefake.media.webrtc.peer import PerformerPeer
    from livefake.sessions import Order, Sessions

    bitrate = Bitrate()
    studio = open_studio(Console(stderr=True), settings())
    sessions = Sessions(
        studio,
        capacity=1,
        latency=nanos(latency_ms),
        painter=CardPainter(),
        clock=monotonic,
        broadcast=lambda: Broadcast(bitrate=bitrate, clock=monotonic),
    )
    pipe.send("ready")
    offer = await asyncio.to_thread(pipe.recv)
    peer = PerformerPeer(clock=monotonic, bitrate=bitrate)
    answer = await peer.accept(offer)
    receivers = [each.receiver for each in peer._connection.getTransceivers()]
    entry = await sessions.open(Order(studio.personas[0].id), peer.source)
    entry.session.add(peer.sink)
    pipe.send(answer)
    while await asyncio.to_thread(pipe.recv) == "report":
        report = entry.session.report()
        pipe.send(
            {
                "at": time.monotonic(),
                "quality": report.quality,
                "steps_down": report.steps_down,
                "moves": report.moves,
                "frames": dict(report.frames),
                "frame_p50_ms": round(report.frame.p50_ms, 1),
                "queue_depth": report.queue_depth,
                "undecoded": sum(each.undecoded for each in receivers if isinstance(each, LowDelayReceiver)),
            }
        )
    await peer.close()
    await sessions.close_all()


@contextmanager
def limited(pid: int, share: float) -> Iterator[str]:
    """Give a process a share of one core; yields how, in words.

    Args:
        pid: of the process.
        share: of one core; 0 or less leaves it as it is.
    """
    if share <= 0:
        yield "no limit"
        return
    group = Path("/sys/fs/cgroup/cpu") / f"livefake-slow-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text(str(_QUOTA_PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(round(_QUOTA_PERIOD_US * share)))
        # The quota is to decide, and not whatever else runs here.
        (group / "cpu.shares").write_text(str(_SHARES))
        (group / "cgroup.procs").write_text(str(pid))
    except OSError:
        with suppress(OSError):
            group.rmdir()
        with _stuttering(pid, share):
            yield f"stopped and continued, {share:.0%} of the time running"
        return
    try:
        yield f"cgroup CPU quota, {share:.0%} of one core in each {_QUOTA_PERIOD_US // 1000} ms"
    finally:
        with suppress(OSError):
            (group.parent / "cgroup.procs").write_text(str(pid))
        with suppress(OSError):
            group.rmdir()


@contextmanager
def _stuttering(pid: int, share: float) -> Iterator[None]:
    over = threading.Event()

    def work() -> None:
        while not over.wait(_CYCLE * min(share, 1.0)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                over.wait(_CYCLE * max(0.0, 1 - share))
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def measure(share: float, seconds: float, fps: float = 30.0, latency_ms: float = 120.0) -> dict[str, Any]:
    """Run one session under a limit that begins with the connection.

    Args:
        share: of one core; 0 for no limit.
        seconds: how long to measure, after some seconds in which the quality settles.
        fps: of the camera.
        latency_ms: see the settings.

    Returns:
        Plain values: machine, limit, rates, gaps between pictures and delays in milliseconds, the steps of quality.
    """
    context = multiprocessing.get_context("spawn")
    service_pipe, service_end = multiprocessing.Pipe()
    client_pipe, client_end = multiprocessing.Pipe()
    service = context.Process(target=_service, args=(service_end, latency_ms))
    client = context.Process(target=_client, args=(client_end, fps))
    service.start()
    assert service_pipe.recv() == "ready"
    assert service.pid is not None
    client.start()
    steps: list[dict[str, Any]] = []
    offer = client_pipe.recv()
    with limited(service.pid, share) as how:
        service_pipe.send(offer)
        client_pipe.send(service_pipe.recv())
        begun = time.monotonic()
        while time.monotonic() < begun + _SETTLE + seconds:
            time.sleep(0.25)
            service_pipe.send("report")
            steps.append(service_pipe.recv())
        ended = time.monotonic()
        client_pipe.send("stop")
        seen = client_pipe.recv()
    service_pipe.send("stop")
    client.join()
    service.join()
    return {"machine": describe_machine(), "limit": how, "fps": fps} | _summary(seen, steps, begun, ended)


def _summary(
    seen: list[tuple[int, float, float]], steps: list[dict[str, Any]], begun: float, ended: float
) -> dict[str, Any]:
    settled = [(sent, at) for _, sent, at in seen if begun + _SETTLE <= at <= ended]
    first = [at for _, _, at in seen if at <= begun + _SETTLE]
    gaps = np.diff([at for _, at in settled]) * 1000
    delays = np.array([at - sent for sent, at in settled]) * 1000
    course: list[str] = []
    for step in steps:
        words = f"{step['at'] - begun:.1f} s: {step['quality']}"
        if not course or course[-1].partition(": ")[2] != step["quality"]:
            course.append(words)
    return {
        "shown_fps": round(len(settled) / (ended - begun - _SETTLE), 1),
        "shown_while_settling": len(first),
        "gaps_ms": _percentiles(gaps),
        "delay_ms": _percentiles(delays),
        "frames": steps[-1]["frames"],
        "queue_depth": steps[-1]["queue_depth"],
        "undecoded": steps[-1]["undecoded"],
        "course": course,
    }


def _percentiles(values: Any) -> dict[str, float]:
    if not len(values):
        return {}
    return {f"p{share}": round(float(np.percentile(values, share)), 1) for share in (5, 50, 95, 99)} | {
        "most": round(float(np.max(values)), 1)
    }


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=0.5, help="of one core; 0 for no limit")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--fps", type=float, default=30)
    options = parser.parse_args()
    print(json.dumps(measure(options.share, options.seconds, options.fps), indent=2))


if __name__ == "__main__":
    main()
