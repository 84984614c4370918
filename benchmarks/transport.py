"""What moving the pictures costs: from the browser's packets to ours, with nothing done to the pictures.

    python -m benchmarks.transport --seconds 20

An aiortc client in another process sends the built-in clip and gets it back. This process decodes, seals and encodes;
its processor time is divided by the pictures that went through, and told by thread.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VIDEO_TIME_BASE, MediaStreamError

from livefake.clock import monotonic
from livefake.frame import Box, Bytes, Face, Frame
from livefake.machine import describe_machine
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.low_delay import install
from livefake.media.webrtc.peer import PerformerPeer
from livefake.resources import models_folder
from livefake.trust.seal import Seal

__all__ = ["Camera", "clip", "measure"]

_SIZES: Final = {"1080p": (1920, 1080), "720p": (1280, 720), "360p": (640, 360)}
_SETTLE: Final = 3.0
_CLIP: Final = 90
_FACE: Final = Face(Box(0, 0, 8, 8), np.zeros((468, 3), np.float32), score=1.0, presence=1.0, track=1, performer=True)


class Camera(MediaStreamTrack):
    """A clip, there and back again, at a steady rate.

    Args:
        reel: its pictures, (height * 3 // 2, width) uint8 each.
        fps: pictures a second.
    """

    kind = "video"

    def __init__(self, reel: list[Bytes], fps: float) -> None:
        super().__init__()
        self._reel = reel
        self._fps = fps
        self._begun = time.monotonic()
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        due = self._begun + self._count / self._fps
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        picture = av.VideoFrame.from_numpy_buffer(self.next_planes(), format="yuv420p")
        picture.pts, picture.time_base = round(self._count * 90_000 / self._fps), VIDEO_TIME_BASE
        self._count += 1
        return picture

    def next_planes(self) -> Bytes:
        """The picture that is due, (height * 3 // 2, width) uint8."""
        place = self._count % (2 * len(self._reel))
        return self._reel[place if place < len(self._reel) else 2 * len(self._reel) - 1 - place]


def _client(pipe: Connection, size: tuple[int, int], fps: float, seconds: float) -> None:
    """The other process: a browser's stand-in. Answers with when pictures came back, seconds."""
    pipe.send(asyncio.run(_call(pipe, size, fps, seconds)))


async def _call(pipe: Connection, size: tuple[int, int], fps: float, seconds: float) -> list[float]:
    install(Bitrate())
    reel = await asyncio.to_thread(clip, size)
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    camera, pumps, shown = Camera(reel, fps), [], []

    async def look(track: MediaStreamTrack) -> None:
        try:
            while True:
                await track.recv()
                shown.append(time.monotonic())
        except MediaStreamError:
            return

    connection.on("track", lambda track: pumps.append(asyncio.create_task(look(track))))
    connection.addTransceiver(camera, "sendrecv")
    await connection.setLocalDescription(await connection.createOffer())
    pipe.send(connection.localDescription.sdp)
    answer = await asyncio.to_thread(pipe.recv)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(_SETTLE + seconds + 1)
    await connection.close()
    await asyncio.gather(*pumps)
    return shown


def clip(size: tuple[int, int]) -> list[Bytes]:
    """The beginning of the built-in clip at another size."""
    reel: list[Bytes] = []
    with av.open(str(models_folder() / "demo" / "performer.mp4")) as container:
        for picture in container.decode(video=0):
            scaled = picture.reformat(*size, "yuv420p", interpolation="AREA")
            reel.append(np.ascontiguousarray(scaled.to_ndarray(), np.uint8))
            if len(reel) == _CLIP:
                break
    return reel


def measure(size: str, fps: float, seconds: float) -> dict[str, Any]:
    """Send the clip through and measure after some seconds.

    Args:
        size: "1080p", "720p" or "360p".
        fps: pictures a second.
        seconds: how long to measure.

    Returns:
        Plain values: machine, pictures a second, processor time a picture in all and by thread, and how steadily the
        pictures came back.
    """
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    client = context.Process(target=_client, args=(there, _SIZES[size], fps, seconds), daemon=True)
    client.start()
    result = asyncio.run(_serve(here, seconds))
    shown = here.recv()
    client.join()
    begun = result.pop("begun")
    gaps = np.diff([at for at in shown if begun <= at <= begun + seconds]) * 1000
    percentiles = {f"p{share}": round(float(np.percentile(gaps, share)), 1) for share in (5, 50, 95, 99)}
    return {"machine": describe_machine(), "size": size, "fps": fps} | result | {"gaps_ms": percentiles}


async def _serve(pipe: Connection, seconds: float) -> dict[str, Any]:
    peer = PerformerPeer(clock=monotonic, bitrate=Bitrate())
    count, first = [0], asyncio.Event()
    session = asyncio.create_task(_show(peer, count, first))
    offer = await asyncio.to_thread(pipe.recv)
    pipe.send(await peer.accept(offer))
    await first.wait()
    await asyncio.sleep(_SETTLE)
    begun, before, cpu, threads = time.monotonic(), count[0], time.process_time(), _threads()
    await asyncio.sleep(seconds)
    cpu, taken = time.process_time() - cpu, count[0] - before
    spent = {name: round(1000 * (used - threads.get(name, 0.0)) / taken, 2) for name, used in _threads().items()}
    dropped = peer.sink.mailbox.dropped + peer.source.mailbox.dropped
    await peer.close()
    await session
    return {
        "begun": begun,
        "seconds": seconds,
        "taken_fps": round(taken / seconds, 2),
        "dropped": dropped,
        "cpu_ms_a_frame": round(1000 * cpu / taken, 2),
        "cpu_ms_by_thread": {name: cost for name, cost in spent.items() if cost},
    }


async def _show(peer: PerformerPeer, count: list[int], first: asyncio.Event) -> None:
    """A session in a few lines: seal what comes."""
    seal = Seal(1)
    async for frame in peer.source:
        count[0] += 1
        first.set()
        peer.sink.show(_sealed(seal, frame))


def _sealed(seal: Seal, frame: Frame) -> Any:
    frame.faces = (_FACE,)
    frame.done |= {"blend", "label", "watermark"}
    return seal(frame)


def _threads() -> dict[str, float]:
    """Processor time of this process's threads by name, seconds (proc(5), fields utime and stime of a task)."""
    used: dict[str, float] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for thread in threading.enumerate():
        fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
        used[thread.name] = used.get(thread.name, 0.0) + (int(fields[11]) + int(fields[12])) / tick
    return used


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(_SIZES), default="720p")
    parser.add_argument("--fps", type=float, default=30)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    print(json.dumps(measure(options.size, options.fps, options.seconds), indent=2))


if __name__ == "__main__":
    main()
