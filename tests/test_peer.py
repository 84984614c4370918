"""A real aiortc client in the same process stands for the browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import TypeVar

import aioice.ice
import aioice.stun
import av
import numpy as np
import pytest
from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, FakeClock, monotonic
from livefake.errors import BadMedia, BadRequest
from livefake.frame import Box, Face, Frame
from livefake.media.encode.coder import Format
from livefake.media.encode.hub import Broadcast
from livefake.media.ports import Sink, Source
from livefake.media.sound.bus import Chunk, SoundBus
from livefake.media.webrtc import connection as connection_module
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.giver import CameraSource
from livefake.media.webrtc.peer import PerformerPeer, ViewerPeer
from livefake.trust.seal import Seal, Sealed

WIDTH, HEIGHT = 192, 128
RAW, SWAPPED = 60, 200
End = TypeVar("End", "Browser", "Listener", PerformerPeer, ViewerPeer)
FACE = Face(Box(0, 0, 8, 8), np.zeros((468, 3), np.float32), score=1.0, presence=1.0, track=1, performer=True)


def grey(level: int) -> av.VideoFrame:
    planes = np.full((HEIGHT * 3 // 2, WIDTH), level, np.uint8)
    planes[HEIGHT:] = 128
    return av.VideoFrame.from_ndarray(planes, format="yuv420p")


def mean_luma(picture: av.VideoFrame) -> float:
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return float(rows[: picture.height, : picture.width].mean())


class Camera(VideoStreamTrack):
    """Pictures of one dark grey: the face that must never come back."""

    async def recv(self) -> av.VideoFrame:
        picture = grey(RAW)
        picture.pts, picture.time_base = await self.next_timestamp()
        return picture


class Browser:
    """The other end: sends a camera or only watches, and looks at the mean level of what it gets."""

    def __init__(
        self, direction: str, codec: str = "H264", *, sound: bool = False, ice: RTCConfiguration | None = None
    ) -> None:
        self.connection = RTCPeerConnection(ice or RTCConfiguration(iceServers=[]))
        self.connection.on("track", self._receive)
        self.levels: asyncio.Queue[float] = asyncio.Queue()
        self._pumps: list[asyncio.Task[None]] = []
        video = self.connection.addTransceiver("video" if direction == "recvonly" else Camera(), direction)
        known = RTCRtpSender.getCapabilities("video").codecs
        video.setCodecPreferences([each for each in known if each.name in (codec, "rtx")])
        if sound:
            self.connection.addTransceiver(AudioStreamTrack(), "sendonly")

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def join(self, peer: PerformerPeer | ViewerPeer) -> str:
        answer = await peer.accept(await self.offer())
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return answer

    async def level(self) -> float:
        """Mean luma of the next picture."""
        return await asyncio.wait_for(self.levels.get(), 20)

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.gather(*self._pumps)

    async def vanish(self) -> None:
        """Go without a word, as a browser does that loses its network."""
        for transceiver in self.connection.getTransceivers():
            await transceiver.receiver.transport.transport._connection.close()

    def _receive(self, track: MediaStreamTrack) -> None:
        self._pumps.append(asyncio.create_task(self._look(track)))

    async def _look(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                picture = await track.recv()
                assert isinstance(picture, av.VideoFrame)
                self.levels.put_nowait(mean_luma(picture))
        except MediaStreamError:
            return


def sealed(frame: Frame) -> Sealed:
    """What a pipeline would do: replace every pixel that could be a face."""
    frame.y[:] = SWAPPED
    frame.faces = (FACE,)
    frame.done |= {"blend", "label", "watermark"}
    return Seal(1)(frame)


async def work(peer: PerformerPeer, *ways_out: Sink) -> int:
    """A session in four lines; returns how many frames it saw."""
    count = 0
    async for frame in peer.source:
        count += 1
        picture = sealed(frame)
        for way_out in (peer.sink, *ways_out):
            way_out.show(picture)
    return count


class Stage:
    """Makes the two ends, and hangs up whatever a test leaves open."""

    def __init__(self) -> None:
        self._ends: list[Browser | PerformerPeer | ViewerPeer] = []
        self.broadcast = Broadcast(bitrate=Bitrate(), clock=monotonic)
        self.sound = SoundBus()

    def browser(self, direction: str, codec: str = "H264", *, sound: bool = False) -> Browser:
        return self._keep(Browser(direction, codec, sound=sound))

    def performer(self, clock: Clock = monotonic) -> PerformerPeer:
        return self._keep(PerformerPeer(clock=clock, bitrate=Bitrate()))

    def viewer(self) -> ViewerPeer:
        return self._keep(ViewerPeer(self.broadcast, self.sound, clock=monotonic, bitrate=Bitrate()))

    async def close(self) -> None:
        for end in self._ends:
            await end.close()
        await self.broadcast.close()

    def _keep(self, end: End) -> End:
        self._ends.append(end)
        return end


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A stage that is empty again afterwards: no task may be left."""
    before = asyncio.all_tasks()
    made = Stage()
    yield made
    await made.close()
    left: set[asyncio.Task[object]] = set()
    for _ in range(100):
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        if not left:
            break
        # aioice notices at its next check, 20 ms later, that it was closed.
        await asyncio.sleep(0.01)
    assert not left


# The whole way


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_pictures_come_back_sealed_and_never_raw(stage: Stage, codec: str) -> None:
    peer, browser = stage.performer(), stage.browser("sendrecv", codec)
    session = asyncio.create_task(work(peer))
    answer = await browser.join(peer)
    levels = [await browser.level() for _ in range(8)]
    assert all(abs(level - SWAPPED) < 12 for level in levels)
    assert codec in answer
    assert "x-google-start-bitrate=3000" in answer
    assert peer.sink.name == "browser"
    await browser.close()
    await asyncio.wait_for(peer.wait_closed(), 5)
    assert peer.hung_up
    assert await asyncio.wait_for(session, 5) >= 8
    assert peer.source.mailbox.passed >= peer.sink.mailbox.passed >= 8


async def test_without_a_session_nothing_comes_back(stage: Stage) -> None:
    peer, browser = stage.performer(), stage.browser("sendrecv")
    await browser.join(peer)
    frame = await asyncio.wait_for(anext(aiter(peer.source)), 20)
    assert abs(float(frame.y.mean()) - RAW) < 12
    assert (frame.width, frame.height) == (WIDTH, HEIGHT)
    with pytest.raises(TypeError):
        peer.sink.show(frame)  # type: ignore[arg-type]  # the point of the test
    assert browser.levels.empty()
    await peer.close()
    await browser.close()


async def test_frames_are_stamped_with_the_clock_of_the_service(stage: Stage) -> None:
    clock = FakeClock(start=123)
    peer = stage.performer(clock)
    browser = stage.browser("sendonly")
    await browser.join(peer)
    first, second = [await asyncio.wait_for(anext(aiter(peer.source)), 20) for _ in range(2)]
    assert first.arrived == second.arrived == 123
    assert first.time_base == Fraction(1, 90_000)
    assert second.pts > first.pts
    await peer.close()
    await browser.close()


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_viewers_get_what_the_performer_gets_from_one_encode(stage: Stage, codec: str) -> None:
    peer, watching, another = stage.performer(), stage.viewer(), stage.viewer()
    browser, audience, latecomer = (stage.browser(way, codec) for way in ("sendrecv", "recvonly", "recvonly"))
    session = asyncio.create_task(work(peer, stage.broadcast))
    await browser.join(peer)
    answer = await audience.join(watching)
    assert abs(await audience.level() - SWAPPED) < 12
    assert "a=sendonly" in answer
    await latecomer.join(another)
    assert abs(await latecomer.level() - SWAPPED) < 12
    (hub,) = stage.broadcast.hubs
    assert hub.format == codec
    assert [feed.name for feed in hub.feeds] == ["viewer", "viewer"]
    await audience.close()
    await asyncio.wait_for(watching.wait_closed(), 5)
    assert abs(await latecomer.level() - SWAPPED) < 12
    await latecomer.close()
    await asyncio.wait_for(another.wait_closed(), 5)
    assert stage.broadcast.hubs == ()
    assert abs(await browser.level() - SWAPPED) < 12
    await peer.close()
    await session
    await browser.close()


async def test_a_viewer_that_lost_a_picture_asks_the_shared_encode(stage: Stage) -> None:
    peer, watching = stage.performer(), stage.viewer()
    browser, audience = stage.browser("sendrecv"), stage.browser("recvonly")
    session = asyncio.create_task(work(peer, stage.broadcast))
    await browser.join(peer)
    await audience.join(watching)
    await audience.level()
    taken = stage.broadcast.feed(Format.H264, "test")
    first = await asyncio.wait_for(taken.take(), 5)
    assert first is not None
    assert first.key
    (receiver,) = [each.receiver for each in audience.connection.getTransceivers()]
    (sent,) = [source.source for source in receiver.getSynchronizationSources()]
    keys = 0
    async with asyncio.timeout(10):
        while not keys:
            # What a receiver does that misses something; it repeats that until it is heard.
            await receiver._send_rtcp_pli(sent)
            picture = await taken.take()
            assert picture is not None
            keys += picture.key
    await peer.close()
    await session
    await browser.close()


async def test_sound_is_taken_from_the_performer(stage: Stage) -> None:
    peer, browser = stage.performer(), stage.browser("sendonly", sound=True)
    heard: asyncio.Queue[Chunk] = asyncio.Queue()
    peer.hear(heard.put_nowait)
    answer = await browser.join(peer)
    video, sound = answer.split("m=")[1:]
    assert "a=recvonly" in video
    assert "a=recvonly" in sound
    assert "x-google" not in sound
    await asyncio.wait_for(anext(aiter(peer.source)), 20)
    assert peer.has_microphone
    chunk = await asyncio.wait_for(heard.get(), 20)
    assert chunk.samples.shape == (960, 2)
    assert 0 < monotonic() - chunk.arrived < 5_000_000_000
    await peer.close()
    await browser.close()


class Listener(Browser):
    """A viewer that wants sound, and keeps how loud each piece was."""

    def __init__(self) -> None:
        super().__init__("recvonly")
        self.loudness: asyncio.Queue[float] = asyncio.Queue()
        self.connection.addTransceiver("audio", "recvonly")

    async def _look(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            return await super()._look(track)
        try:
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self.loudness.put_nowait(float(np.abs(frame.to_ndarray().astype(np.int32)).mean()))
        except MediaStreamError:
            return


async def test_a_viewer_hears_the_microphone(stage: Stage) -> None:
    stage.sound.present = True
    watching, audience = stage.viewer(), stage._keep(Listener())
    answer = await audience.join(watching)
    assert answer.count("a=sendonly") == 2
    wave = np.rint(np.sin(np.arange(960) * 2 * np.pi * 400 / 48_000) * 8000).astype(np.int16)
    async with asyncio.timeout(20):
        while audience.loudness.empty() or audience.loudness.get_nowait() < 3000:
            stage.sound.put(Chunk(np.stack([wave, wave], 1), monotonic()))
            await asyncio.sleep(0.02)
    await watching.close()
    assert stage.sound.taps == ()
    await audience.close()


async def test_there_is_no_sound_for_viewers_of_a_session_without_a_microphone(stage: Stage) -> None:
    watching, audience = stage.viewer(), stage._keep(Listener())
    answer = await audience.join(watching)
    assert answer.count("a=sendonly") == answer.count("a=inactive") == 1
    assert stage.sound.taps == ()
    stage.broadcast.show(sealed(Frame(np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8), 0, monotonic())))
    assert abs(await audience.level() - SWAPPED) < 12
    await watching.close()
    await audience.close()


# The end


async def test_closing_the_peer_ends_the_browsers_picture(stage: Stage) -> None:
    peer, browser = stage.performer(), stage.browser("sendrecv")
    await browser.join(peer)
    await asyncio.wait_for(anext(aiter(peer.source)), 20)
    await asyncio.gather(peer.close(), peer.close())
    await peer.close()
    await peer.wait_closed()
    assert not peer.hung_up
    with pytest.raises(StopAsyncIteration):
        await anext(aiter(peer.source))
    await browser.close()


async def test_a_browser_that_vanishes_is_let_go(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    peer, browser = stage.performer(), stage.browser("sendrecv")
    # The real times are added up in the tests of the mends; here they only pass faster.
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.02)
    monkeypatch.setattr(aioice.stun, "RETRY_RTO", 0.2)
    session = asyncio.create_task(work(peer))
    await browser.join(peer)
    await browser.level()
    await browser.vanish()
    await asyncio.wait_for(peer.wait_closed(), 20)
    assert not peer.hung_up, "a network that fails is no goodbye"
    assert await asyncio.wait_for(session, 5) > 0
    await browser.close()


async def test_a_browser_that_never_connects_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "CONNECT_SECONDS", 0.05)
    peer, browser = stage.performer(), stage.browser("sendrecv")
    await peer.accept(await browser.offer())
    await asyncio.wait_for(peer.wait_closed(), 20)
    with pytest.raises(StopAsyncIteration):
        await anext(aiter(peer.source))
    await browser.close()


async def test_a_performer_offers_the_two_ports_of_a_session(stage: Stage) -> None:
    peer = stage.performer()
    source: Source = peer.source
    sink: Sink = peer.sink
    assert sink.name == "browser"
    await sink.close()
    await source.close()
    assert [frame async for frame in source] == []


async def test_a_peer_that_was_never_used_can_be_closed(stage: Stage) -> None:
    peer = stage.viewer()
    await peer.close()
    with pytest.raises(BadRequest, match="already had its offer"):
        await peer.accept("v=0")


# Offers


@pytest.mark.parametrize("offer", ["", "v=0", "{}", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"])
async def test_an_offer_that_does_not_fit_closes_the_peer(stage: Stage, offer: str) -> None:
    peer = stage.performer()
    with pytest.raises(BadRequest):
        await peer.accept(offer)
    await asyncio.wait_for(peer.wait_closed(), 5)


async def test_an_offer_aiortc_cannot_answer_is_a_bad_request(stage: Stage) -> None:
    browser, peer = stage.browser("sendrecv"), stage.performer()
    offer = (await browser.offer()).replace("packetization-mode=1", "packetization-mode=0")
    with pytest.raises(BadRequest, match="cannot be answered"):
        await peer.accept(offer)
    await asyncio.wait_for(peer.wait_closed(), 5)
    await browser.close()


async def test_a_viewer_may_not_send_and_a_performer_must(stage: Stage) -> None:
    for peer, direction in ((stage.viewer(), "sendrecv"), (stage.performer(), "recvonly")):
        browser = stage.browser(direction)
        with pytest.raises(BadRequest, match="should be"):
            await peer.accept(await browser.offer())
        await browser.close()


async def test_a_second_offer_is_refused_and_disturbs_nothing(stage: Stage) -> None:
    peer, browser = stage.performer(), stage.browser("sendrecv")
    await browser.join(peer)
    with pytest.raises(BadRequest, match="already had its offer"):
        await peer.accept(await stage.browser("recvonly").offer())
    await asyncio.wait_for(anext(aiter(peer.source)), 20)
    await peer.close()
    await browser.close()


# The camera


async def test_a_slow_reader_gets_the_newest_picture_with_its_own_stamp() -> None:
    clock = FakeClock()
    source = CameraSource(clock)
    for level in (10, 20, 30):
        clock.advance(1)
        source.arrive(grey(level))
    frame = await anext(aiter(source))
    assert (int(frame.y[0, 0]), frame.arrived) == (30, 3_000_000)
    assert (source.mailbox.dropped, source.mailbox.passed, source.mailbox.deepest) == (2, 1, 1)
    await source.close()
    await source.close()
    assert [frame async for frame in source] == []


async def test_a_picture_of_an_impossible_size_is_refused() -> None:
    source = CameraSource(FakeClock())
    source.arrive(av.VideoFrame(5000, 16, "yuv420p"))
    with pytest.raises(BadMedia, match="got 5000 x 16"):
        await anext(aiter(source))
