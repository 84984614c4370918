"""A browser that only sends, in the same process; see ``test_peer`` for the connection itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription
from numpy.typing import NDArray

from livefake.clock import FakeClock, monotonic
from livefake.errors import BadRequest
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.receiver import SOUND_RATE, MicrophoneSource, ReceiverPeer
from tests.test_peer import RAW, Browser


class Whistle(MediaStreamTrack):
    """A loud tone of 440 Hz, in pieces of 20 ms, as a microphone would bring it."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._piece = 0

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(0.02)
        sound = tone(self._piece)
        self._piece += 1
        return sound


def tone(piece: int) -> av.AudioFrame:
    time = (np.arange(960) + piece * 960) / 48_000
    wave = (np.sin(2 * np.pi * 440 * time) * 12_000).astype(np.int16)
    sound = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
    sound.sample_rate, sound.pts, sound.time_base = 48_000, piece * 960, Fraction(1, 48_000)
    return sound


@pytest.fixture
async def peer() -> AsyncIterator[ReceiverPeer]:
    made = ReceiverPeer(clock=monotonic, bitrate=Bitrate())
    yield made
    await made.close()


class SoundFirst(Browser):
    """A browser whose offer names the microphone before the camera, as Chromium's does."""

    def __init__(self) -> None:
        super().__init__("sendonly")
        camera = self.connection.getTransceivers()[0].sender.track
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTransceiver(Whistle(), "sendonly")
        self.connection.addTransceiver(camera, "sendonly")


@pytest.mark.parametrize("order", [["video", "audio"], ["audio", "video"]])
async def test_pictures_and_sound_come_in_and_nothing_goes_back(peer: ReceiverPeer, order: list[str]) -> None:
    browser = Browser("sendonly") if order[0] == "video" else SoundFirst()
    if order[0] == "video":
        browser.connection.addTransceiver(Whistle(), "sendonly")
    back: list[str] = []
    browser.connection.on("track", lambda track: back.append(track.kind))
    answer = await peer.accept(await browser.offer())
    await browser.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    assert [(part.kind, part.direction) for part in SessionDescription.parse(answer).media] == [
        (kind, "recvonly") for kind in order
    ]
    frame = await asyncio.wait_for(anext(aiter(peer.source)), 20)
    assert abs(float(frame.y.mean()) - RAW) < 5
    pieces: list[NDArray[np.int16]] = []
    for _ in range(200):
        pieces += [pcm for pcm, _ in peer.sound.take(monotonic())]
        if sum(map(len, pieces)) >= SOUND_RATE // 2:
            break
        await asyncio.sleep(0.05)
    heard = np.concatenate(pieces)[-SOUND_RATE // 4 :].astype(float)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert abs(np.argmax(spectrum) * SOUND_RATE / len(heard) - 440) < 15
    assert back == []
    await browser.close()
    await asyncio.wait_for(peer.wait_closed(), 20)


async def test_an_offer_without_a_microphone_is_refused(peer: ReceiverPeer) -> None:
    browser = Browser("sendonly")
    with pytest.raises(BadRequest, match="needs the camera and the microphone"):
        await peer.accept(await browser.offer())
    await browser.close()


async def test_an_offer_that_only_watches_is_refused(peer: ReceiverPeer) -> None:
    browser = Browser("recvonly", sound=True)
    with pytest.raises(BadRequest, match="should be sendonly or sendrecv"):
        await peer.accept(await browser.offer())
    await browser.close()


async def test_a_peer_that_was_never_used_can_be_closed() -> None:
    peer = ReceiverPeer(clock=monotonic, bitrate=Bitrate())
    await peer.close()
    await peer.close()


def test_sound_waits_in_order_and_at_most_ten_seconds_of_it() -> None:
    clock = FakeClock()
    microphone = MicrophoneSource(clock)
    for piece in range(600):
        clock.advance(20)
        microphone.arrive(tone(piece))
    first = microphone.take(clock() // 2)
    rest = microphone.take(clock())
    assert len(first) + len(rest) == 500
    assert gapless(first + rest)
    assert first[-1][1] <= clock() // 2 < rest[0][1]
    assert all(pcm.dtype == np.int16 and pcm.ndim == 1 for pcm, _ in rest)
    assert microphone.take(clock()) == []


def gapless(pieces: list[tuple[NDArray[np.int16], int]]) -> bool:
    ends = [at + len(pcm) * 1_000_000_000 // SOUND_RATE for pcm, at in pieces]
    return all(abs(at - end) <= 1 for end, (_, at) in zip(ends[:-1], pieces[1:], strict=True))


def test_sound_that_a_stalled_network_brings_at_once_has_no_gap() -> None:
    clock = FakeClock()
    microphone = MicrophoneSource(clock)
    for piece in range(50):
        if piece % 10 == 0:
            clock.advance(200)
        microphone.arrive(tone(piece))
    heard = microphone.take(clock() + 1_000_000_000)
    assert len(heard) == 50
    assert gapless(heard)
    assert abs(heard[-1][1] - clock()) < 250_000_000


def test_sound_faster_than_time_is_dropped_and_sound_after_a_pause_is_placed_anew() -> None:
    clock = FakeClock()
    microphone = MicrophoneSource(clock)
    for piece in range(200):
        microphone.arrive(tone(piece))
    burst = microphone.take(clock() + 10_000_000_000)
    assert len(burst) <= 27
    clock.advance(5000)
    microphone.arrive(tone(0))
    [(pcm, at)] = microphone.take(clock())
    assert at == clock() - len(pcm) * 1_000_000_000 // SOUND_RATE


async def test_a_browser_without_a_word_about_itself_is_let_go() -> None:
    connection = RTCPeerConnection()
    peer = ReceiverPeer(clock=monotonic, bitrate=Bitrate())
    with pytest.raises(BadRequest):
        await peer.accept("v=0\r\n")
    await asyncio.wait_for(peer.wait_closed(), 5)
    await connection.close()
