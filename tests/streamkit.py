"""Servers that take a stream, each a program of its own so that it can be killed, and a session that pushes one.

python -m tests.streamkit URL [PASSPHRASE]      prints what it saw and heard, one line of JSON for ten pictures
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import io
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
from av.container import InputContainer

from livefake.clock import monotonic
from livefake.frame import Frame
from livefake.media.encode.hub import Broadcast
from livefake.media.ports import Sink
from livefake.media.push.srt import load_srt
from livefake.media.sound.bus import Chunk, SoundBus
from livefake.media.webrtc.bitrate import Bitrate
from livefake.outputs import Taps
from livefake.trust.consent import Output as Shown
from livefake.trust.seal import Seal, Sealed

WIDTH, HEIGHT = 320, 240


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def card(level: int, *, width: int = WIDTH, height: int = HEIGHT) -> Sealed:
    """A sealed picture whose left half has one grey and whose right half is black."""
    i420 = np.full((height * 3 // 2, width), 128, np.uint8)
    i420[:height, : width // 2], i420[:height, width // 2 :] = level, 16
    frame = Frame(i420, monotonic() * 90_000 // 1_000_000_000, monotonic())
    frame.done |= {"card", "label", "watermark"}
    return Seal(1).card(frame)


class Show:
    """What a session's outputs need, with a picture and a tone of 440 Hz that go on until the end."""

    def __init__(self, *, sound: bool = True, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
        self.broadcast = Broadcast(bitrate=Bitrate(), clock=monotonic)
        self.sound = SoundBus()
        self.taps = Taps(self, self.broadcast, self.sound, 1)
        self.level = 200
        self.size = size
        self.sinks: list[Sink] = []
        self.allowed: list[Shown] = []
        self._plays = sound

    def add(self, sink: Sink) -> None:
        self.sinks.append(sink)

    async def remove(self, sink: Sink) -> None:
        if sink in self.sinks:
            self.sinks.remove(sink)
            await sink.close()

    def allow(self, output: Shown) -> None:
        self.allowed.append(output)

    def disallow(self, output: Shown) -> None:
        self.allowed.remove(output)

    async def play(self) -> None:
        samples = (np.sin(np.arange(1440) * 2 * np.pi * 440 / 48_000) * 8000).astype(np.int16)
        while True:
            sealed = card(self.level, width=self.size[0], height=self.size[1])
            for sink in [self.broadcast, *self.sinks]:
                sink.show(sealed)
            if self._plays:
                self.sound.put(Chunk(np.stack([samples, samples], 1), sealed.frame.arrived))
            await asyncio.sleep(0.03)


@contextlib.asynccontextmanager
async def playing(show: Show) -> AsyncIterator[Show]:
    """The show runs."""
    task = asyncio.create_task(show.play())
    try:
        yield show
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await show.broadcast.close()
        show.sound.close()


@dataclass
class Taker:
    """A server that takes one stream."""

    process: asyncio.subprocess.Process

    async def line(self) -> dict[str, Any]:
        """What it says next."""
        assert self.process.stdout is not None
        text = await asyncio.wait_for(self.process.stdout.readline(), 15)
        assert text, "the server ended"
        said: dict[str, Any] = json.loads(text)
        return said

    async def sees(self, level: float) -> dict[str, Any]:
        """The first thing it says once it sees that grey and hears something."""
        async with asyncio.timeout(30):
            while True:
                said = await self.line()
                if abs(said["left"] - level) < 12 and said["loud"] > 0:
                    return said

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.communicate()


async def take(url: str, *options: str) -> Taker:
    """Start a server, and wait until it listens."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.streamkit", url, *options, stdout=subprocess.PIPE
    )
    taker = Taker(process)
    assert await taker.line() == {"listens": True}
    if url.startswith("rtmp://"):
        # FFmpeg listens a moment after it was asked to, and takes one connection only: no knocking.
        async with asyncio.timeout(10):
            while not listening(urlsplit(url).port or 0):  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.02)
    return taker


def listening(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1; where that cannot be seen, it is believed."""
    table = Path("/proc/net/tcp")
    return not table.exists() or f":{port:04X} 00000000:0000 0A" in table.read_text()


class Received(io.RawIOBase):
    """The transport stream of the first who connects to an SRT listener."""

    def __init__(self, port: int, passphrase: str) -> None:
        super().__init__()
        self._srt = load_srt()
        listener = self._srt.srt_create_socket()
        if passphrase:
            self._srt.srt_setsockflag(listener, 26, passphrase.encode(), len(passphrase))
        where = socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
        assert self._srt.srt_bind(listener, where, len(where)) == 0
        assert self._srt.srt_listen(listener, 1) == 0
        tell(listens=True)
        self._socket = self._srt.srt_accept(listener, None, None)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = ctypes.create_string_buffer(1500)
        count = max(int(self._srt.srt_recv(self._socket, data, len(data))), 0)
        buffer[:count] = data.raw[:count]
        return count


def tell(**said: object) -> None:
    print(json.dumps(said), flush=True)


def main(url: str, passphrase: str = "") -> None:
    """Listen, and tell of each tenth picture what was seen and heard."""
    if url.startswith("srt://"):
        received = io.BufferedReader(Received(urlsplit(url).port or 0, passphrase), 1500)
        watch(av.open(received, "r", format="mpegts"))
        return
    tell(listens=True)
    watch(av.open(url, "r", options={"listen": "1", "analyzeduration": "1000000", "fpsprobesize": "0"}))


def watch(stream: InputContainer) -> None:
    loud, pictures = 0.0, 0
    for packet in stream.demux():
        for frame in packet.decode():
            if isinstance(frame, av.AudioFrame):
                loud = float(np.abs(frame.to_ndarray().astype(np.float64)).mean())
            elif isinstance(frame, av.VideoFrame):
                pictures += 1
                if pictures % 10 == 1:
                    left, right = np.array_split(frame.to_ndarray()[: frame.height], 2, axis=1)
                    size = [frame.width, frame.height]
                    tell(left=float(left.mean()), right=float(right.mean()), size=size, loud=loud)


if __name__ == "__main__":
    main(*sys.argv[1:])
