"""Both ends meet over a real TURN server, coturn, and nowhere else."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCPeerConnection

from livefake.clock import monotonic, wall
from livefake.media.ice import Ice, read_ice_servers
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.peer import PerformerPeer
from tests.test_peer import SWAPPED, Browser, work

SECRET = "shared-by-coturn-and-livefake"

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("turnserver") is None, reason="there is no coturn; on Debian: apt install coturn"),
]


@pytest.fixture(scope="module")
def turn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A coturn on the loopback interface; yields HOST:PORT."""
    folder: Path = tmp_path_factory.mktemp("coturn")
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        "turnserver",
        "-n",
        "--no-cli",
        "--no-tls",
        "--no-dtls",
        "--listening-ip=127.0.0.1",
        "--relay-ip=127.0.0.1",
        f"--listening-port={port}",
        "--allow-loopback-peers",
        "--use-auth-secret",
        f"--static-auth-secret={SECRET}",
        "--realm=livefake",
        f"--userdb={folder / 'turndb'}",
        f"--pidfile={folder / 'pid'}",
        "--log-file=stdout",
    ]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with closing(socket.socket()) as probe:
                probe.settimeout(0.1)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


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
    answer = await asyncio.wait_for(peer.accept(await browser.offer()), 20)
    assert "a=candidate" not in answer
    await peer.close()
    await browser.close()
