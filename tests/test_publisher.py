"""A program that publishes, played by aiortc in the same process: sound first, candidates late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiortc import AudioStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from livefake.clock import monotonic
from livefake.errors import BadRequest
from livefake.media.sound.bus import Chunk
from livefake.media.webrtc import publisher as publisher_module
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.publisher import PublisherPeer
from tests.test_peer import RAW, Camera


class Program:
    """OBS, as far as the peer can tell: sends sound and picture, in this order, and hides its candidates at first."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.connection.addTransceiver(AudioStreamTrack(), "sendonly")
        self.connection.addTransceiver(Camera(), "sendonly")

    async def join(self, peer: PublisherPeer) -> list[str]:
        """Connect without candidates, and return the lines that come later."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        lines = self.connection.localDescription.sdp.splitlines()
        late = [line for line in lines if line.startswith(("a=candidate", "a=end-of-candidates", "a=ice-ufrag"))]
        offer = [line for line in lines if not line.startswith(("a=candidate", "a=end-of-candidates"))]
        answer = await peer.accept("\r\n".join(offer) + "\r\n")
        assert "a=recvonly" in answer
        assert "a=sendrecv" not in answer
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return list(dict.fromkeys(late))

    async def close(self) -> None:
        await self.connection.close()


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Program, PublisherPeer]]:
    program, peer = Program(), PublisherPeer(clock=monotonic, bitrate=Bitrate())
    yield program, peer
    await program.close()
    await peer.close()


Ends = tuple[Program, PublisherPeer]


async def test_a_program_sends_picture_and_sound_after_late_candidates(ends: Ends) -> None:
    program, peer = ends
    heard: asyncio.Queue[Chunk] = asyncio.Queue()
    peer.hear(heard.put_nowait)
    late = await program.join(peer)
    await peer.trickle("\r\n".join(["m=audio 9 RTP/AVP 0", "a=mid:0", *late]))
    frame = await asyncio.wait_for(anext(peer.source), 20)
    assert abs(float(frame.y.mean()) - RAW) < 4
    chunk = await asyncio.wait_for(heard.get(), 20)
    assert chunk.samples.shape[1] == 2
    assert peer.sink is None


async def test_candidates_of_another_start_are_refused(ends: Ends) -> None:
    program, peer = ends
    await program.join(peer)
    with pytest.raises(BadRequest, match="new start of ICE"):
        await peer.trickle("a=ice-ufrag:another\r\n")


async def test_candidates_are_counted_over_all_requests(ends: Ends) -> None:
    program, peer = ends
    await program.join(peer)
    lines = [f"a=candidate:1 1 udp 1 192.0.2.1 {port} typ host" for port in range(1000, 1040)]
    await peer.trickle("\r\n".join(lines))
    with pytest.raises(BadRequest, match="64 candidates"):
        await peer.trickle("\r\n".join(lines))


async def test_a_program_that_falls_silent_has_gone(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher_module, "SILENCE", 2)
    program, peer = ends
    late = await program.join(peer)
    await peer.trickle("\r\n".join(late))
    await asyncio.wait_for(anext(peer.source), 20)
    # Longer than it takes to miss answers about consent to our packets: nobody asks for it.
    assert all(asking(peer))
    # Without a word, as a program does that loses its network.
    for transceiver in program.connection.getTransceivers():
        await transceiver.receiver.transport.transport._connection.close()
    await asyncio.wait_for(peer.wait_closed(), 20)


def asking(peer: PublisherPeer) -> list[bool]:
    """Whether each transport has stopped asking for consent."""
    tasks: list[Any] = [
        each.receiver.transport.transport._connection._query_consent_task for each in peer._connection.getTransceivers()
    ]
    return [task is None or task.done() for task in tasks]
