"""Both ends meet over a real TURN server, coturn, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

from livefake.clock import monotonic, wall
from livefake.errors import Unreachable
from livefake.media.ice import Ice, read_ice_servers
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.peer import PerformerPeer
from tests.test_peer import SWAPPED, Browser, work
from tests.turnkit import NEEDS_COTURN, SECRET, coturn

pytestmark = NEEDS_COTURN


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A coturn on the loopback interface; yields HOST:PORT."""
    with coturn(tmp_path_factory.mktemp("coturn"), "127.0.0.1") as place:
        yield place


@pytest.fixture(params=["udp", "tcp"])
async def ends(turn: str, request: pytest.FixtureRequest) -> AsyncIterator[tuple[PerformerPeer, Browser]]:
    """A performer's peer and a browser that both use nothing but the relay."""
    servers = read_ice_servers(f"turn:{turn}?transport={request.param}")
    ice = Ice(servers=servers, relay_only=True, secret=SECRET)
    peer, browser = PerformerPeer(clock=monotonic, bitrate=Bitrate(), ice=ice), Browser("sendrecv", ice=told(ice))
    yield peer, browser
    await browser.close()
    await peer.close()


def told(ice: Ice) -> RTCConfiguration:
    """What the page does with ``/api/ice``."""
    servers = [RTCIceServer(each.url, each.username, each.credential) for each in ice.admitted(wall())]
    return RTCConfiguration(servers, RTCIceTransportPolicy.RELAY)


def kinds(connection: RTCPeerConnection) -> set[str]:
    """Kinds of the candidates on both sides of the pair that carries the pictures."""
    [path] = {each.receiver.transport.transport for each in connection.getTransceivers()}
    [pair] = path._connection._nominated.values()
    return {pair.local_candidate.type, pair.remote_candidate.type}


async def test_swapped_pictures_come_back_over_the_relay_alone(ends: tuple[PerformerPeer, Browser]) -> None:
    peer, browser = ends
    session = asyncio.create_task(work(peer))
    answer = await browser.join(peer)
    offered = [line for line in answer.splitlines() if line.startswith("a=candidate")]
    assert offered
    assert all("typ relay" in line for line in offered), "no address of the service's own"
    levels = [await browser.level() for _ in range(5)]
    assert all(abs(level - SWAPPED) < 12 for level in levels)
    assert kinds(browser.connection) == {"relay"}
    await peer.close()
    assert await session >= 5


async def test_a_wrong_secret_lets_nobody_in(turn: str) -> None:
    ice = Ice(servers=read_ice_servers(f"turn:{turn}"), relay_only=True, secret="not the one")
    peer, browser = PerformerPeer(clock=monotonic, bitrate=Bitrate(), ice=ice), Browser("sendrecv")
    with pytest.raises(Unreachable, match="did not let livefake in"):
        await asyncio.wait_for(peer.accept(await browser.offer()), 20)
    await peer.close()
    await browser.close()
