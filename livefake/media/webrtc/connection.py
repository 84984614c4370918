"""The life of one WebRTC connection: one answered offer, and an end that always comes."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.sdp import SessionDescription

from livefake.clock import Wall, wall
from livefake.errors import BadRequest, Unreachable
from livefake.media.ice import Ice
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.fragment import read_fragment
from livefake.media.webrtc.low_delay import install
from livefake.media.webrtc.sdp import with_bitrates

__all__ = ["CONNECT_SECONDS", "Connection"]

CONNECT_SECONDS: Final = 20.0
"""A browser that has not connected by then is given up."""

_MOST_TRICKLED: Final = 64

_log = logging.getLogger(__name__)


class Connection:
    """What every kind of peer shares; what goes in or out is for those that build on it.

    Args:
        name: for the log.
        bitrate: what the video aims for.
        ice: how the path is found.
        wall: the time of day, by which TURN servers let in.
    """

    def __init__(self, name: str, *, bitrate: Bitrate, ice: Ice | None = None, wall: Wall = wall) -> None:
        install(bitrate)
        self._name = name
        self._bitrate = bitrate
        self._hung_up = False
        self._settled = asyncio.Event()
        self._gone = asyncio.Event()
        self._closed = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        self._users: frozenset[str] = frozenset()
        self._trickled = 0
        self._relay_only = ice is not None and ice.relay_only
        self._connection = RTCPeerConnection(_configuration(ice or Ice(), wall()))
        self._connection.on("connectionstatechange", self._follow)

    async def accept(self, sdp: str) -> str:
        """Answer an offer, once.

        Args:
            sdp: the browser's offer, with its candidates.

        Returns:
            The answer, with ours.

        Raises:
            BadRequest: the offer does not fit, or the peer has had one before. After an offer that does not
                fit the peer is closed.
            Unreachable: nothing but TURN servers may be used, and none let this side in. The peer is closed.
        """
        if self._life is not None or self._closed.is_set():
            raise BadRequest("This connection has already had its offer.", "Open a new connection.")
        self._life = asyncio.create_task(self._live(), name=f"{self._name} peer")
        try:
            return await self._answer(sdp)
        except BaseException:
            await self.close()
            raise

    async def trickle(self, text: str) -> None:
        """Take candidates that came after the offer (RFC 8838).

        Args:
            text: body of the request, see ``read_fragment``.

        Raises:
            BadRequest: it cannot be read, has more candidates than anybody needs, or is about another start of ICE:
                starting it anew is not offered.
        """
        fragment = read_fragment(text)
        if fragment.user and fragment.user not in self._users:
            raise BadRequest(
                "These candidates are for a new start of ICE, and this connection cannot have one.",
                "Close it and send a new offer.",
            )
        self._trickled += len(fragment.candidates)
        if self._trickled > _MOST_TRICKLED:
            raise BadRequest(f"A connection takes {_MOST_TRICKLED} candidates after its offer, and this one had them.")
        if self._gone.is_set():
            return
        try:
            # At once: a name in a candidate is looked up on the local network, and may not be there.
            await asyncio.gather(*(self._connection.addIceCandidate(each) for each in fragment.candidates))
            if fragment.complete:
                await self._connection.addIceCandidate(None)
        except Exception as error:
            raise BadRequest("A candidate cannot be used.", "Send the browser's candidates, unchanged.") from error

    @property
    def hung_up(self) -> bool:
        """Whether the browser ended the connection on purpose, rather than that it was lost on the way."""
        return self._hung_up

    async def wait_closed(self) -> None:
        """Wait until the browser has gone, or ``close`` was called, and everything is released."""
        await self._closed.wait()

    async def close(self) -> None:
        """Hang up and release everything. Safe to call twice."""
        self._leave()
        if self._life is None:
            self._life = asyncio.create_task(self._live(), name=f"{self._name} peer")
        await self._closed.wait()

    async def _answer(self, sdp: str) -> str:
        self._prepare(sdp)
        media = SessionDescription.parse(sdp).media
        self._users = frozenset(part.ice.usernameFragment for part in media if part.ice and part.ice.usernameFragment)
        connection = self._connection
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            self._settle()
            await connection.setLocalDescription()
        except Exception as error:
            # What aiortc raises here depends on the line it stumbles over; the offer is the only thing that varies.
            raise BadRequest(
                "The SDP offer cannot be answered.", "Send the offer of a current browser, unchanged."
            ) from error
        answer = connection.localDescription.sdp
        if self._relay_only and "a=candidate:" not in answer:
            # Without this sentence both sides would wait for a path that cannot come.
            raise Unreachable(
                "The TURN server did not answer or did not let livefake in, and connections may use nothing else.",
                "Check that it runs, LIVEFAKE_ICE_SERVERS and LIVEFAKE_TURN_SECRET.",
            )
        return with_bitrates(answer, self._bitrate)

    def _prepare(self, sdp: str) -> None:
        """Check the offer, and add what this side wants before the offer is applied.

        Raises:
            BadRequest: the offer does not fit.
        """
        raise NotImplementedError

    def _settle(self) -> None:
        """Decide about what the offer brought, before the answer is made."""
        raise NotImplementedError

    def _follow(self) -> None:
        """Note what became of the connection; aiortc says ``failed`` when consent (RFC 7675) expires."""
        if self._connection.connectionState == "connected":
            self._settled.set()
        elif self._connection.connectionState in ("failed", "closed"):
            self._leave()

    def _stream_ended(self) -> None:
        """What the browser sends has ended. While the path still stands, that is how it says goodbye."""
        if not self._gone.is_set():
            paths = {each.receiver.transport.transport for each in self._connection.getTransceivers()}
            self._hung_up = not any(path.state == "failed" or path._connection._closing for path in paths)
        self._leave()

    def _leave(self) -> None:
        self._gone.set()
        self._settled.set()

    async def _live(self) -> None:
        """The peer's one task: wait for the end, then release everything, whoever asked for it."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._settled.wait()
            await self._gone.wait()
        except TimeoutError:
            _log.info("%s did not connect within %g s", self._name, CONNECT_SECONDS)
        finally:
            try:
                await self._release()
            finally:
                self._closed.set()

    async def _release(self) -> None:
        """Let go of everything; whoever builds on this releases its own first."""
        await self._connection.close()


def _configuration(ice: Ice, now: float) -> RTCConfiguration:
    """What aiortc is told; of several servers of one kind it uses the first."""
    policy = RTCIceTransportPolicy.RELAY if ice.relay_only else RTCIceTransportPolicy.ALL
    return RTCConfiguration(
        iceServers=[
            RTCIceServer(server.url, server.username or None, server.credential or None) for server in ice.admitted(now)
        ],
        iceTransportPolicy=policy,
        bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
    )
