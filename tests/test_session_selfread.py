"""A whole session, a real peer and a real browser end: a way out that loses the mark leads to the hold card."""

from __future__ import annotations

import asyncio

import av
import cv2
import numpy as np
import pytest

from livefake.clock import monotonic
from livefake.flow.budget import Budget
from livefake.flow.timing import Timings
from livefake.frame import Frame
from livefake.media.encode.coder import Format, make_coder
from livefake.media.encode.hub import Broadcast
from livefake.media.holdcard import CardPainter
from livefake.media.reel import Reel
from livefake.media.sound.bus import SoundBus
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.peer import ViewerPeer
from livefake.session import UNREAD, Others, Session, State, Tally
from livefake.studio import Studio
from tests.footage import footage
from tests.test_peer import Browser

pytestmark = [pytest.mark.models, pytest.mark.slow]


class Spoiling:
    """Blurs what it encodes, after it was marked and sealed."""

    def __init__(self, format: Format, width: int, height: int, rate: int) -> None:
        self._coder = make_coder(format, width, height, rate)

    @property
    def size(self) -> tuple[int, int]:
        return self._coder.size

    def encode(self, picture: av.VideoFrame, *, key: bool) -> tuple[bytes, bool]:
        blurred = picture.to_ndarray()
        rows = picture.height
        blurred[:rows] = cv2.blur(blurred[:rows], (41, 41))
        spoilt = av.VideoFrame.from_ndarray(np.ascontiguousarray(blurred, np.uint8), format="yuv420p")
        spoilt.pts, spoilt.time_base = picture.pts, picture.time_base
        return self._coder.encode(spoilt, key=key)


def small(frame: Frame) -> Frame:
    half = cv2.resize(frame.bgr(), (640, 360), interpolation=cv2.INTER_AREA)
    return Frame(np.asarray(cv2.cvtColor(half, cv2.COLOR_BGR2YUV_I420), np.uint8), 0, 0)


@pytest.mark.parametrize("spoilt", [True, False])
async def test_a_way_out_that_loses_the_mark_gets_the_card(studio: Studio, spoilt: bool) -> None:
    clip = [small(frame) for frame in footage(60)]

    class Looping(Reel):
        def __init__(self) -> None:
            super().__init__(
                (Frame(clip[index % 60].i420.copy(), index * 6000, monotonic()) for index in range(10_000)), gap=0.066
            )

    tally, timings = Tally(), Timings()
    rig = studio.rig(
        "mara",
        session=5,
        others=Others.BLUR,
        # How fast this machine is says nothing here: no step of quality is given up.
        budget=Budget(patience=50, learning=False),
        refine=False,
        clock=monotonic,
        cpu_clock=monotonic,
        observers=(tally, timings),
    )
    running = Session(
        Looping(),
        rig,
        number=5,
        persona="mara",
        others=Others.BLUR,
        outfit=studio.outfit,
        painter=CardPainter(),
        tally=tally,
        timings=timings,
        clock=monotonic,
    )
    broadcast = Broadcast(bitrate=Bitrate(), clock=monotonic, coders=Spoiling if spoilt else make_coder)
    broadcast.watch_with(running.watch)
    running.add(broadcast)
    viewer, browser = ViewerPeer(broadcast, SoundBus(), clock=monotonic, bitrate=Bitrate()), Browser("recvonly")
    await browser.join(viewer)
    (hub,) = broadcast.hubs
    task = asyncio.create_task(running.run())
    try:
        async with asyncio.timeout(60):
            while (report := running.report()).mark.missed < 3 and report.mark.read < 6:  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.5)
        report = running.report()
        assert report.mark_unread is spoilt
        if spoilt:
            assert report.state is State.CARD
            assert report.reason == "The mark could not be read"
            shown = report.frames["swapped"]
            await asyncio.sleep(0.7)
            assert running.report().frames["swapped"] == shown, "nothing but the card goes out"
        else:
            assert report.mark.missed == 0
            running.distrust(UNREAD)
            assert running.report().state is State.CARD
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await viewer.close()
        await browser.close()
    assert hub.tap.closed
