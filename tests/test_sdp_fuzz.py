"""Offers of real peers, damaged: each is answered or refused with a sentence, soon, and nothing stays open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from livefake.clock import FakeClock, monotonic
from livefake.errors import BadRequest
from livefake.media.encode.hub import Broadcast
from livefake.media.sound.bus import SoundBus
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.connection import Connection
from livefake.media.webrtc.peer import PerformerPeer, ViewerPeer

PATIENCE = 20.0
"""Seconds, far above what any answer takes: what is still open then hangs."""

NASTY = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "65536",
        "99999999999999999999",
        "1e400",
        "nan",
        "\x00",
        "\ud800",
        "☃",
        " ",
        "/",
        "a=b=c",
        "%s%n",
        "../..",
        "A" * 5000,
        "::1",
        "999.1.1.1",
        "localhost",
        "guess.local",
    ]
)


async def offer(*, watching: bool) -> str:
    """The offer of a peer with camera and microphone, or of one that watches."""
    peer = RTCPeerConnection()
    if watching:
        peer.addTransceiver("video", direction="recvonly")
    else:
        peer.addTrack(VideoStreamTrack())
        peer.addTrack(AudioStreamTrack())
    await peer.setLocalDescription(await peer.createOffer())
    text = peer.localDescription.sdp
    await peer.close()
    return text


OFFERS = {watching: asyncio.run(offer(watching=watching)) for watching in (False, True)}


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """The text with a few lines lost, doubled, moved, cut or with a word replaced."""
    lines = text.splitlines()
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 5)):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(at, lines[draw(st.integers(0, len(lines) - 1))])
            case 2:
                lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
            case 3:
                lines.insert(at, draw(st.sampled_from("vostamcba")) + "=" + draw(NASTY))
            case _:
                words = lines[at].replace(":", " : ").split(" ")
                words[draw(st.integers(0, len(words) - 1))] = draw(NASTY)
                lines[at] = " ".join(words).replace(" : ", ":")
    return "\r\n".join(lines) + "\r\n"


def performer() -> Connection:
    return PerformerPeer(clock=monotonic, bitrate=Bitrate())


def viewer() -> Connection:
    return ViewerPeer(Broadcast(bitrate=Bitrate(), clock=FakeClock()), SoundBus(), clock=FakeClock(), bitrate=Bitrate())


async def answered(make: Callable[[], Connection], text: str) -> str:
    """What a fresh peer says to an offer: its answer, or the sentence of its refusal; it is closed in the end."""
    before = asyncio.all_tasks()
    peer = make()
    async with asyncio.timeout(PATIENCE):
        try:
            said = await peer.accept(text)
        except BadRequest as error:
            said = error.problem if error.remedy else ""
        await peer.close()
        if left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    return said


BOUNDS = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@BOUNDS
@given(damaged(OFFERS[False]))
@example(OFFERS[False])
def test_a_performer_with_a_damaged_offer_is_answered_or_refused(text: str) -> None:
    assert asyncio.run(answered(performer, text))


@BOUNDS
@given(damaged(OFFERS[True]))
@example(OFFERS[True])
def test_a_viewer_with_a_damaged_offer_is_answered_or_refused(text: str) -> None:
    assert asyncio.run(answered(viewer, text))


@pytest.mark.parametrize("name", ["guess-{}.local", "{}.example", "10.0.0.{}", "fe80::{}"])
def test_candidates_that_lead_nowhere_keep_nobody_waiting(name: str) -> None:
    lines = [f"a=candidate:{n} 1 udp 2130706431 {name.format(n)} 50000 typ host" for n in range(1, 50)]
    head, camera = OFFERS[True].rstrip().split("m=video", 1)
    text = "\r\n".join([head.rstrip(), "m=video" + camera, *lines, ""])
    assert asyncio.run(answered(viewer, text)).startswith("v=0")
