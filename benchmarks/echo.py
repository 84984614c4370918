"""The way through browser and network without the swap, to tell what the swap itself costs. For measurements only.

``python -m benchmarks.echo`` answers one page on this computer, whose pictures come back labelled and marked and
otherwise as they are. It is no way around the swap: it takes only pictures whose lower edge carries numbers of
``benchmarks.browser``'s that count up, and what the laboratory sends it has nobody in it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, PlainTextResponse
from fastapi.staticfiles import StaticFiles

from benchmarks.browser import read_stamp, stamp
from livefake.clock import monotonic
from livefake.frame import Bytes, Frame
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.peer import PerformerPeer
from livefake.resources import web_folder
from livefake.trust.label import Label
from livefake.trust.mark import Watermark
from livefake.trust.seal import Seal
from livefake.trust.watermark.code import Payload

__all__ = ["NUMBERS", "Echo", "build", "shuffled"]

NUMBERS: Final = 480
"""Numbers of the clip; after the last comes the first."""

_BLOCK: Final = 40
_MISSED: Final = 60

_PAGE: Final = """<!doctype html>
<meta charset="utf-8"><title>Echo</title>
<video id="local" autoplay muted playsinline></video><video id="remote" autoplay muted playsinline></video>
<script type="module">
import { connect } from "/static/js/rtc.js";
const [local, remote] = ["local", "remote"].map((id) => document.getElementById(id));
const height = HEIGHT;
const stream = await navigator.mediaDevices.getUserMedia({ video: { height, frameRate: 30 } });
local.srcObject = stream;
const signal = async (sdp) => (await fetch("/offer", { method: "POST", body: sdp })).text();
const made = await connect(stream.getVideoTracks()[0], undefined, height, signal, {}, async () => undefined);
globalThis.connection = made.pc;
remote.srcObject = made.remote;
remote.requestVideoFrameCallback(() => { globalThis.live = true; });
</script>
"""


def shuffled(i420: Bytes) -> Bytes:
    """The same picture with its blocks in another order, always the same: as much to encode, and nobody in it.

    Args:
        i420: (H * 3 // 2, W), both sides of the picture multiples of 40.
    """
    source = Frame(i420, 0, 0)
    target = Frame(np.empty_like(i420), 0, 0)
    count = source.width * source.height // _BLOCK**2
    order = np.random.default_rng(1).permutation(count)
    for ours, theirs in ((source.y, target.y), (source.u, target.u), (source.v, target.v)):
        side = _BLOCK * ours.shape[1] // source.width
        rows, columns = ours.shape[0] // side, ours.shape[1] // side
        blocks = ours.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(count, side, side)
        moved = blocks[order].reshape(rows, columns, side, side).swapaxes(1, 2)
        theirs[:] = moved.reshape(ours.shape)
    return target.i420


class Echo:
    """Hands numbered pictures back."""

    def __init__(self) -> None:
        self._label, self._mark, self._seal = Label(), Watermark(Payload(version=1, issuer=0, session=1)), Seal(1)
        self.taken = self.refused = 0
        self._last = -1

    async def run(self, peer: PerformerPeer) -> None:
        """Until the browser leaves."""
        async for frame in peer.source:
            number, last = read_stamp(frame.y), self._last
            self._last = number
            # A camera whose lower edge happens to look like a number does not count as well.
            if not 0 <= number < NUMBERS or not 0 < (number - last) % NUMBERS <= _MISSED or last < 0:
                self.refused += 1
                continue
            self.taken += 1
            await asyncio.to_thread(self._finish, frame, number)
            peer.sink.show(self._seal.card(frame))

    def _finish(self, frame: Frame, number: int) -> None:
        frame.done.add("card")
        self._mark(self._label(frame))
        stamp(frame.y, number)


def build() -> FastAPI:
    """The page and its other end."""
    echo, peers = Echo(), set[PerformerPeer]()
    running: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.gather(*(peer.close() for peer in peers))

    app = FastAPI(openapi_url=None, lifespan=lifespan)
    app.mount("/static", StaticFiles(directory=web_folder()))

    @app.get("/", response_class=HTMLResponse)
    async def page(lines: int = 720) -> str:
        return _PAGE.replace("HEIGHT", str(lines))

    @app.get("/counts")
    async def counts() -> dict[str, int]:
        return {"taken": echo.taken, "refused": echo.refused}

    @app.post("/offer", response_class=PlainTextResponse)
    async def offer(request: Request) -> str:
        peer = PerformerPeer(clock=monotonic, bitrate=Bitrate())
        peers.add(peer)
        answer = await peer.accept((await request.body()).decode())
        task = asyncio.create_task(echo.run(peer))
        running.add(task)
        task.add_done_callback(running.discard)
        return answer

    return app


def main() -> None:
    """Serve on a free port of this computer, print the address, end at Ctrl-C."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config: dict[str, Any] = {"log_level": "error", "access_log": False, "timeout_graceful_shutdown": 1}
        print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(uvicorn.Config(build(), **config)).run(sockets=[listener])


if __name__ == "__main__":
    main()
