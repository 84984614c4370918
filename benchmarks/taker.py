"""Somebody who watches, in a process of its own: python -m benchmarks.taker view|read ADDRESS

Says ``begun`` at the first picture, and how many more came when it is told to end (SIGTERM). Pictures are put together
from their packets and counted, but not decoded.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import Final

import av
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcrtpreceiver
from aiortc.codecs.base import Decoder
from aiortc.jitterbuffer import JitterFrame

__all__ = ["Taker"]

_MARGIN: Final = 20.0


class Taker:
    """The process, seen from outside. It has begun to get pictures once this is made.

    Args:
        how: "view" for WHEP, "read" for a transport stream.
        address: where.

    Raises:
        RuntimeError: it got none.
    """

    def __init__(self, how: str, address: str) -> None:
        command = [sys.executable, "-m", "benchmarks.taker", how, address]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "begun":
            self._process.kill()
            raise RuntimeError(f"nothing to {how} came from the service")
        self._began = time.monotonic()

    def end(self) -> float:
        """End it; pictures a second that it got."""
        passed = time.monotonic() - self._began
        self._process.send_signal(signal.SIGTERM)
        text, _ = self._process.communicate(timeout=_MARGIN)
        return int(text) / passed


class _Counter(Decoder):
    """Stands where a viewer would decode."""

    pictures = 0

    def decode(self, encoded_frame: JitterFrame) -> list[av.frame.Frame]:
        """Count a picture."""
        if encoded_frame.data:
            _count(_Counter.pictures)
            _Counter.pictures += 1
        return []


def _count(before: int) -> None:
    if before == 0:
        print("begun", flush=True)


async def _view(address: str) -> None:
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    setattr(rtcrtpreceiver, "get_decoder", lambda _codec: _Counter())  # noqa: B010 - it is not exported
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("video", "recvonly")
    await connection.setLocalDescription(await connection.createOffer())
    offer = connection.localDescription.sdp.encode()
    request = urllib.request.Request(address, offer, {"Content-Type": "application/sdp"}, method="POST")
    with await asyncio.to_thread(urllib.request.urlopen, request) as response:
        answer, place = response.read().decode(), response.headers["Location"]
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await over.wait()
    print(_Counter.pictures, flush=True)
    origin = "/".join(address.split("/")[:3])
    with await asyncio.to_thread(urllib.request.urlopen, urllib.request.Request(origin + place, method="DELETE")):
        await connection.close()


def _read(address: str) -> None:
    pictures = 0

    def end(_signal: int, _frame: object) -> None:
        print(pictures, flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    with av.open(address, options={"fflags": "nobuffer", "probesize": "32768", "analyzeduration": "0"}) as stream:
        for packet in stream.demux(video=0):
            if packet.size:
                _count(pictures)
                pictures += 1


if __name__ == "__main__":
    how, address = sys.argv[1:]
    if how == "view":
        asyncio.run(_view(address))
    else:
        _read(address)
