"""Performers without a browser, in a process of their own: each sends an encoded clip and times what comes back.

It speaks JSON, one line at a time. On standard input it gets what to do, see ``Task``; on standard output it says
``{"live": true}`` once every session shows swapped pictures and has settled, and then one line for each span of time.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from benchmarks.browser import read_stamp
from benchmarks.echo import shuffled
from benchmarks.packets import SIZES, encoded
from livefake.frame import RTP_CLOCK
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.low_delay import install
from livefake.resources import models_folder

__all__ = ["Client", "Span", "Task"]

_LIVE_WITHIN: Final = 40.0
_GRACE: Final = 0.5
"""Seconds after the end of a span in which its last frames may still come back."""


@dataclass(frozen=True, slots=True)
class Task:
    """What to do.

    Attributes:
        base: the service's address.
        token: its secret.
        count: sessions at once.
        size: one of ``benchmarks.packets.SIZES``.
        rate: frames a second, 30 or 15.
        settle: seconds from live until the first span.
        span: seconds of each span.
        spans: how many of them.
        persona: whom to wear; the first one listed if empty.
        echo: whether the service is ``benchmarks.echo``, which is sent pictures with nobody in them.
    """

    base: str
    token: str
    count: int
    size: str
    rate: int
    settle: float
    span: float
    spans: int = 1
    persona: str = ""
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """How a span of time went for one session.

    Attributes:
        sent: frames.
        delays_ms: from a frame's being sent to its coming back decoded, of those that came.
        gaps_ms: between one fresh picture and the next: its jitter is what the eye sees.
        report: of the session itself at the end; empty when it has ended.
    """

    sent: int
    delays_ms: Sequence[float]
    gaps_ms: Sequence[float]
    report: dict[str, Any]


class _Clip(MediaStreamTrack):
    """Encoded pictures at their times, over and over."""

    kind = "video"

    def __init__(self, packets: Sequence[bytes], rate: int, phase: float) -> None:
        super().__init__()
        self._packets = packets
        self._rate = rate
        self._phase = phase
        self._begun: float | None = None
        self.sent: list[float] = []

    async def recv(self) -> av.Packet[Any]:
        if self._begun is None:
            self._begun = time.monotonic() + self._phase / self._rate
        number = len(self.sent)
        await asyncio.sleep(self._begun + number / self._rate - time.monotonic())
        if self.readyState != "live":
            raise MediaStreamError
        packet: av.Packet[Any] = av.Packet(self._packets[number % len(self._packets)])
        packet.pts = packet.dts = round(number / self._rate / RTP_CLOCK)
        packet.time_base = RTP_CLOCK
        self.sent.append(time.monotonic())
        return packet


class Client:
    """One performer.

    Args:
        web: knows the service's address and token.
        packets: numbered, as ``encoded`` makes them.
        rate: frames a second.
        phase: part of an interval by which this one is later than the others, 0..1.
        echo: whether the service is ``benchmarks.echo``.
    """

    def __init__(
        self, web: httpx.AsyncClient, packets: Sequence[bytes], rate: int, phase: float, *, echo: bool = False
    ) -> None:
        self._web = web
        self._echo = echo
        self._loop = len(packets)
        self._clip = _Clip(packets, rate, phase)
        self._seen: list[tuple[float, int]] = []
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.on("track", self._receive)
        self._pumps: list[asyncio.Task[None]] = []
        self._id = ""
        self._addresses: dict[str, str] = {}

    async def open(self, persona: str, notice: str) -> None:
        """Open a session.

        Raises:
            RuntimeError: the service refused.
        """
        transceiver = self._connection.addTransceiver(self._clip, "sendrecv")
        known = RTCRtpSender.getCapabilities("video").codecs
        transceiver.setCodecPreferences([codec for codec in known if codec.mimeType == "video/H264"])
        await self._connection.setLocalDescription(await self._connection.createOffer())
        if self._echo:
            said = (await self._web.post("/offer", content=self._connection.localDescription.sdp)).text
            await self._connection.setRemoteDescription(RTCSessionDescription(said, "answer"))
            return
        order = {
            "sdp": self._connection.localDescription.sdp,
            "persona": persona,
            "consent": {"notice": notice, "accepted": True},
            "source": "clip",
        }
        answer = await self._web.post("/api/sessions", json=order)
        while answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            # Sessions come one after the other faster than people open them.
            await asyncio.sleep(2)
            answer = await self._web.post("/api/sessions", json=order)
        if answer.status_code != 201:
            raise RuntimeError(f"the service refused a session: {answer.text}")
        opened = answer.json()
        self._id = opened["id"]
        self._addresses = {name: opened[name] for name in ("id", "whep_url", "feed_url")}
        await self._connection.setRemoteDescription(RTCSessionDescription(opened["sdp"], "answer"))

    async def report(self) -> dict[str, Any]:
        """What the session says of itself, and where others find it; nothing when it has ended."""
        if self._echo:
            return {"state": "live"}
        answer = await self._web.get(f"/api/sessions/{self._id}")
        said: dict[str, Any] = answer.json() | self._addresses if answer.status_code == httpx.codes.OK else {}
        return said

    async def live(self) -> None:
        """Wait until it shows swapped pictures.

        Raises:
            TimeoutError: it does not.
        """
        async with asyncio.timeout(_LIVE_WITHIN):
            while not self._seen or (await self.report()).get("state") != "live":  # noqa: ASYNC110 - asked over HTTP
                await asyncio.sleep(0.1)

    def span(self, begun: float, ended: float, report: dict[str, Any]) -> Span:
        """What became of the frames that were sent between two instants."""
        # Not NumPy's search: it would turn the whole list into an array each time, and the performer would stand still.
        first, last = (bisect_left(self._clip.sent, at) for at in (begun, ended))
        came: dict[int, float] = {}
        for at, number in self._seen:
            # The number comes again with every round of the clip: the latest one sent before is meant.
            sent = bisect_left(self._clip.sent, at) - 1
            place = sent - (sent - number) % self._loop
            if first <= place < last:
                came.setdefault(place, at)
        times = sorted(at for at in came.values())
        delays = [round(1000 * (at - self._clip.sent[place]), 2) for place, at in sorted(came.items())]
        return Span(last - first, delays, np.round(1000 * np.diff(times), 2).tolist(), report)

    def forget(self, before: float) -> None:
        """Let go of what was seen before an instant: a long run must not grow here."""
        self._seen = [each for each in self._seen if each[0] >= before]

    async def close(self) -> None:
        """End the session."""
        self._clip.stop()
        if self._id:
            with suppress(httpx.HTTPError):
                await self._web.delete(f"/api/sessions/{self._id}")
        await self._connection.close()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def _receive(self, track: MediaStreamTrack) -> None:
        self._pumps.append(asyncio.create_task(self._look(track)))

    async def _look(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                picture = await track.recv()
                at = time.monotonic()
                assert isinstance(picture, av.VideoFrame)
                plane = picture.planes[0]
                luma = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, -1)
                number = read_stamp(luma[:, : plane.width])
                if 0 <= number < self._loop:
                    self._seen.append((at, number))


@asynccontextmanager
async def _clients(task: Task, packets: Sequence[bytes]) -> AsyncIterator[list[Client]]:
    headers = {} if task.echo else {"Authorization": f"Bearer {task.token}"}
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(httpx.AsyncClient(base_url=task.base, headers=headers, timeout=30))
        notice = persona = ""
        if not task.echo:
            notice = (await web.get("/api/notice")).json()["id"]
            persona = task.persona or (await web.get("/api/personas")).json()[0]["id"]
        clients = []
        for number in range(task.count):
            client = Client(web, packets, task.rate, number / task.count, echo=task.echo)
            stack.push_async_callback(client.close)
            await client.open(persona, notice)
            clients.append(client)
        yield clients


async def perform(task: Task) -> AsyncIterator[dict[str, Any]]:
    """Do it, and tell how it goes.

    Raises:
        RuntimeError: the service refused a session.
        TimeoutError: a session did not come to show swapped pictures.
    """
    install(Bitrate())
    clip, change = models_folder() / "demo" / "performer.mp4", shuffled if task.echo else None
    packets = encoded(clip, SIZES[task.size], task.rate, change=change)
    async with _clients(task, packets) as clients:
        await asyncio.gather(*(client.live() for client in clients))
        await asyncio.sleep(task.settle)
        yield {"live": True}
        begun = time.monotonic()
        for _ in range(task.spans):
            cpu = time.process_time()
            await asyncio.sleep(max(0.0, begun + task.span - time.monotonic()))
            ended, cpu = time.monotonic(), time.process_time() - cpu
            reports = await asyncio.gather(*(client.report() for client in clients))
            await asyncio.sleep(_GRACE)
            spans = [client.span(begun, ended, report) for client, report in zip(clients, reports, strict=True)]
            share = round(cpu / (ended - begun), 4)
            yield {"seconds": ended - begun, "client_cores": share, "spans": [asdict(span) for span in spans]}
            for client in clients:
                client.forget(ended)
            begun = ended


async def _main() -> None:
    task = Task(**json.loads(sys.stdin.readline()))
    try:
        async for line in perform(task):
            print(json.dumps(line), flush=True)
    except (RuntimeError, TimeoutError, httpx.HTTPError) as error:
        print(json.dumps({"problem": str(error) or "a session did not go live"}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
