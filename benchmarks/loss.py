"""What lost, late and reordered packets do to a performer's picture: ``python -m benchmarks.loss``.

A real aiortc client stands for the browser, the service's own peer answers it, and a scripted path between them loses
packets for some seconds and then no more. Every picture carries its number, so that what comes back can be told from
what was sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import av
import numpy as np
from aioice.ice import get_host_addresses
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError

from benchmarks.browser import read_stamp, stamp
from livefake.clock import monotonic
from livefake.frame import Box, Face
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.peer import PerformerPeer
from livefake.media.webrtc.scripted import Script, ScriptedPath
from livefake.trust.seal import Seal

__all__ = ["SCRIPTS", "Course", "run"]

SCRIPTS: Final[Mapping[str, Script]] = {
    "nothing lost": Script(),
    "2 % lost": Script(loss=0.02),
    "5 % lost": Script(loss=0.05),
    "10 % lost": Script(loss=0.10),
    "5 % lost, eight at a time": Script(loss=0.05, burst=8),
    "5 % overtaken by 15 ms": Script(reordered=0.05),
    "20 ms, up to 30 ms of jitter": Script(delay=0.02, jitter=0.03),
    "5 % lost, 20 ms, up to 30 ms of jitter": Script(loss=0.05, delay=0.02, jitter=0.03),
}

_WIDTH: Final = 640
_HEIGHT: Final = 360
_FACE: Final = Face(Box(0, 0, 8, 8), np.zeros((468, 3), np.float32), score=1.0, presence=1.0, track=1, performer=True)


@dataclass(frozen=True, slots=True)
class Course:
    """How one run went.

    Attributes:
        fps: fresh pictures a second that came back while the script ran.
        freeze_ms: longest time without one.
        delay_ms: median time from a picture's being taken to its coming back, while the script ran.
        recovery_ms: from the script's end until a picture came back that was taken after it; None if none came.
        nacks, plis: requests for packets and for key frames, both directions together.
        lost: packets that did not arrive.
        wrong: pictures that came back without a number that can be read.
        deepest: most pictures that waited in one of the service's places.
        tasks: tasks at the end beyond those at the beginning of the script.
    """

    fps: float
    freeze_ms: float
    delay_ms: float
    recovery_ms: float | None
    nacks: int
    plis: int
    lost: int
    wrong: int
    deepest: int
    tasks: int


class _Camera(VideoStreamTrack):
    """Numbered pictures of moving noise, which a lost packet would leave visibly wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: dict[int, float] = {}
        self._noise = np.random.default_rng(1).integers(60, 180, (_HEIGHT // 8, _WIDTH // 8 + 64), np.uint8)

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        number = len(self.taken)
        planes = np.full((_HEIGHT * 3 // 2, _WIDTH), 128, np.uint8)
        shift = number % 64
        planes[:_HEIGHT] = np.kron(self._noise[:, shift : shift + _WIDTH // 8], np.ones((8, 8), np.uint8))
        stamp(planes[:_HEIGHT], number)
        picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        picture.pts, picture.time_base = pts, time_base
        self.taken[number] = time.monotonic()
        return picture


class _Client:
    """The browser's side: sends the camera, notes which pictures come back, and when."""

    def __init__(self) -> None:
        self.camera = _Camera()
        self.seen: list[tuple[float, int]] = []
        self.first = asyncio.Event()
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on("track", self._receive)
        self._connection.addTransceiver(self.camera, "sendrecv")
        self._pumps: list[asyncio.Task[None]] = []

    async def join(self, peer: PerformerPeer, path: ScriptedPath) -> None:
        await self._connection.setLocalDescription(await self._connection.createOffer())
        answer = await peer.accept(path.offer(self._connection.localDescription.sdp))
        await self._connection.setRemoteDescription(RTCSessionDescription(path.answer(answer), "answer"))

    async def close(self) -> None:
        await self._connection.close()
        await asyncio.gather(*self._pumps)

    def _receive(self, track: MediaStreamTrack) -> None:
        self._pumps.append(asyncio.create_task(self._look(track)))

    async def _look(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                picture = await track.recv()
                assert isinstance(picture, av.VideoFrame)
                luma = picture.to_ndarray(format="gray")
                self.seen.append((time.monotonic(), read_stamp(np.asarray(luma, np.uint8))))
                self.first.set()


async def run(script: Script, seconds: float, *, seed: int = 1, after: float = 3.0) -> Course:
    """Let a performer's connection stand, run the script for some seconds, and then look on for some more.

    Args:
        script: what the path does.
        seconds: for how long.
        seed: of the path's fates.
        after: seconds to wait at most for a picture that was taken after the script's end.

    Raises:
        TimeoutError: no picture came back before the script began.
    """
    [host, *_] = get_host_addresses(use_ipv4=True, use_ipv6=False)
    path = await ScriptedPath.open(host, seed=seed)
    peer, client = PerformerPeer(clock=monotonic, bitrate=Bitrate()), _Client()
    session = asyncio.create_task(_show(peer))
    with _asked() as asked:
        await client.join(peer, path)
        await asyncio.wait_for(client.first.wait(), 20)
        await asyncio.sleep(1)
        asked.clear()
        tasks, begun, lost = len(asyncio.all_tasks()), time.monotonic(), path.lost
        path.script = script
        await asyncio.sleep(seconds)
        path.script, ended, lost = Script(), time.monotonic(), path.lost - lost
        number = len(client.camera.taken)
        recovered = None
        while recovered is None and time.monotonic() < ended + after:
            await asyncio.sleep(0.01)
            recovered = next((at for at, seen in client.seen if seen >= number), None)
        await asyncio.sleep(0.5)
        tasks = len(asyncio.all_tasks()) - tasks
    await peer.close()
    await session
    await client.close()
    path.close()
    await asyncio.sleep(0)
    return _course(client, asked, (begun, ended), recovered, lost=lost, tasks=tasks, peer=peer)


def _course(
    client: _Client,
    asked: Counter[str],
    span: tuple[float, float],
    recovered: float | None,
    *,
    lost: int,
    tasks: int,
    peer: PerformerPeer,
) -> Course:
    begun, ended = span
    fresh = [(at, number) for at, number in client.seen if begun <= at <= ended and number >= 0]
    times = [begun, *(at for at, _ in fresh), ended]
    delays = [at - client.camera.taken[number] for at, number in fresh if number in client.camera.taken]
    return Course(
        fps=len({number for _, number in fresh}) / (ended - begun),
        freeze_ms=float(np.max(np.diff(times))) * 1000,
        delay_ms=float(np.median(delays)) * 1000 if delays else 0.0,
        recovery_ms=None if recovered is None else (recovered - ended) * 1000,
        nacks=asked["nack"],
        plis=asked["pli"],
        lost=lost,
        wrong=sum(number < 0 for at, number in client.seen if at >= begun),
        deepest=max(peer.source.mailbox.deepest, peer.sink.mailbox.deepest),
        tasks=tasks,
    )


async def _show(peer: PerformerPeer) -> None:
    """A session in a few lines: replace every pixel, keep the number."""
    seal = Seal(1)
    async for frame in peer.source:
        number = read_stamp(frame.y)
        frame.y[: frame.height // 2] = 200
        if number >= 0:
            stamp(frame.y, number)
        frame.faces = (_FACE,)
        frame.done |= {"blend", "label", "watermark"}
        peer.sink.show(seal(frame))


@contextmanager
def _asked() -> Iterator[Counter[str]]:
    """Count what receivers of this process ask for."""
    counts: Counter[str] = Counter()
    kept: dict[str, Callable[..., Any]] = {}

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def send(*arguments: Any) -> Any:
            counts[name] += 1
            return real(*arguments)

        return send

    for name in ("nack", "pli"):
        kept[name] = getattr(RTCRtpReceiver, f"_send_rtcp_{name}")
        setattr(RTCRtpReceiver, f"_send_rtcp_{name}", counting(name, kept[name]))
    try:
        yield counts
    finally:
        for name, real in kept.items():
            setattr(RTCRtpReceiver, f"_send_rtcp_{name}", real)


def main() -> None:
    """Print the table of docs/measurements.md."""
    print("| for 8 s | pictures/s | longest freeze ms | delay ms | recovery ms | lost | NACK | PLI | waiting |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, script in SCRIPTS.items():
        course = asyncio.run(run(script, 8))
        recovery = "none" if course.recovery_ms is None else f"{course.recovery_ms:.0f}"
        times = f"{course.fps:.1f} | {course.freeze_ms:.0f} | {course.delay_ms:.0f} | {recovery}"
        print(f"| {name} | {times} | {course.lost} | {course.nacks} | {course.plis} | {course.deepest} |", flush=True)


if __name__ == "__main__":
    main()
