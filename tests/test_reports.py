"""What a viewer is told of when pictures and sound were taken: a real aiortc client reads the reports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st

from livefake.clock import Nanos, monotonic
from livefake.frame import Frame
from livefake.media.encode.coder import Format
from livefake.media.encode.feed import Encoded
from livefake.media.encode.hub import Broadcast
from livefake.media.sound.bus import Chunk, SoundBus
from livefake.media.sound.lipsync import OPUS_LOOK_AHEAD, SenderClock
from livefake.media.stamped import MediaClock
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.feed_track import FeedTrack
from livefake.media.webrtc.low_delay import install, receiver_of
from livefake.media.webrtc.peer import ViewerPeer
from livefake.trust.seal import Seal, Sealed
from tests.test_peer import FACE, HEIGHT, WIDTH, mean_luma

MS = 1_000_000
LATE = 150
"""Milliseconds that pictures spend in the service here."""


@given(st.integers(0, 1 << 62), st.integers(0, 10**12))
def test_an_instant_has_one_time_of_day(begun: int, later: int) -> None:
    times = MediaClock.begin(lambda: begun, lambda: 1_800_000_000.25)
    first, second = times.ntp(begun), times.ntp(begun + later)
    assert first >> 32 == 1_800_000_000 + 2_208_988_800
    assert (first & 0xFFFF_FFFF) / (1 << 32) == pytest.approx(0.25, abs=1e-6)
    assert abs(((second - first) * 10**9 >> 32) - later) <= 1


async def test_a_picture_is_told_by_when_it_was_taken_and_a_card_by_its_place() -> None:
    broadcast = Broadcast(bitrate=Bitrate(), clock=monotonic)
    feed = broadcast.feed(Format.H264, "test")
    track = FeedTrack(feed, MediaClock(0))
    assert track.ntp is None
    told = []
    for index in range(4):
        instant = 5000 * MS + index * 100 * MS // 3
        card = index == 2
        # It arrived late, and unsteadily; the card was drawn when its place had long been there.
        arrived = instant + (index * 37 % 80) * MS
        feed.put(Encoded(b"x", True, 3000 * index, arrived, 16, 16, "", card, None if card else instant))
        await track.recv()
        told.append(((track.ntp or 0) - MediaClock(0).ntp(0)) * 1000 / (1 << 32))
    track.stop()
    await broadcast.close()
    assert told == pytest.approx([5000 + index * 100 / 3 for index in range(4)], abs=0.1)


def picture(level: int, at: Nanos, taken: Nanos) -> Sealed:
    """A grey picture of an instant of its stream."""
    frame = Frame(np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8), at * 9 // 100_000, monotonic(), taken=taken)
    frame.y[:] = level
    frame.faces = (FACE,)
    frame.done |= {"blend", "label", "watermark"}
    return Seal(1)(frame)


class Ear:
    """A viewer that notes when, by the reports, the light and the tone were taken."""

    def __init__(self) -> None:
        install(Bitrate())
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.clocks = {"video": SenderClock(90_000), "audio": SenderClock(48_000)}
        self.taken: dict[str, Nanos] = {}
        self.heard = {"video": asyncio.Event(), "audio": asyncio.Event()}
        self._pumps: list[asyncio.Task[None]] = []
        self.connection.on("track", self._receive)
        for kind in ("video", "audio"):
            self.connection.addTransceiver(kind, "recvonly")
        known = RTCRtpSender.getCapabilities("video").codecs
        (video, _) = self.connection.getTransceivers()
        video.setCodecPreferences([each for each in known if each.name in ("H264", "rtx")])

    async def join(self, peer: ViewerPeer) -> None:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        answer = await peer.accept(self.connection.localDescription.sdp)
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.gather(*self._pumps)

    def _receive(self, track: MediaStreamTrack) -> None:
        receiver = receiver_of(self.connection, track)

        def heed(stream: int, ntp: int, stamp: int) -> None:
            self.clocks[track.kind].report(stream, ntp, stamp)
            if ntp:
                self.heard[track.kind].set()

        receiver.heed = heed
        self._pumps.append(asyncio.create_task(self._look(track)))

    async def _look(self, track: MediaStreamTrack) -> None:
        receiver = receiver_of(self.connection, track)
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, av.VideoFrame):
                    hits = np.zeros(1, int) if mean_luma(frame) > 150 else np.empty(0)
                else:
                    assert isinstance(frame, av.AudioFrame)
                    hits = np.flatnonzero(np.abs(frame.to_ndarray().reshape(-1, 2)[:, 0].astype(np.int32)) > 3000)
                taken = self.clocks[track.kind].instant(receiver.stamp(frame.pts or 0))
                if len(hits) and taken is not None:
                    self.taken.setdefault(track.kind, taken + int(hits[0]) * 10**9 // 48_000)
        except MediaStreamError:
            return


@pytest.fixture
async def broadcast() -> AsyncIterator[Broadcast]:
    made = Broadcast(bitrate=Bitrate(), clock=monotonic)
    yield made
    await made.close()


async def test_a_receiver_learns_which_sound_belongs_to_which_picture(broadcast: Broadcast) -> None:
    bus, ear = SoundBus(), Ear()
    bus.present = True
    peer = ViewerPeer(broadcast, bus, clock=monotonic, bitrate=Bitrate())
    await ear.join(peer)
    tone = np.rint(np.cos(np.arange(960) * 2 * np.pi * 400 / 48_000) * 8000).astype(np.int16)
    begun, lit, pieces, pictures = monotonic(), None, 0, 0
    async with asyncio.timeout(30):
        while len(ear.taken) < 2:
            now = monotonic() - begun
            if lit is None and all(event.is_set() for event in ear.heard.values()):
                lit = now + 300 * MS
            while pieces * 20 * MS <= now:
                loud = lit is not None and pieces * 20 * MS >= lit
                bus.put(Chunk(np.stack([tone, tone], 1) * np.int16(loud), begun + pieces * 20 * MS))
                pieces += 1
            while pictures * 40 * MS <= now - LATE * MS:
                at = pictures * 40 * MS
                broadcast.show(picture(200 if lit is not None and at >= lit else 40, at, begun + at))
                pictures += 1
            await asyncio.sleep(0.005)
    await ear.close()
    await peer.close()
    # A picture is 40 ms, a piece of sound 20; a stream that is not the newest picture's may have lost one.
    assert abs(ear.taken["audio"] + OPUS_LOOK_AHEAD - ear.taken["video"]) <= 75 * MS
