"""The two kinds of browser at the other end: one performs, the other only watches.

A peer answers one SDP offer, with its candidates gathered, and lives until the browser goes away. Swapped
pictures leave through its sink; unswapped ones come in through the performer's source, and there is no way
from the one to the other in here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Final

import av
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos
from livefake.errors import BadRequest
from livefake.flow.mailbox import AsyncMailbox
from livefake.frame import Frame
from livefake.media.encode.feed import Feed
from livefake.media.encode.hub import Broadcast
from livefake.media.picture import to_frame
from livefake.media.sound.bus import Chunk
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.feed_track import FeedTrack
from livefake.media.webrtc.low_delay import install
from livefake.media.webrtc.microphone import Microphone
from livefake.media.webrtc.sdp import PERFORMER, VIEWER, check_offer, preferred, wanted_format, with_bitrates
from livefake.media.webrtc.track import SealedTrack, TrackSink

__all__ = ["CameraSource", "PerformerPeer", "ViewerPeer"]

CONNECT_SECONDS: Final = 20.0
"""A browser that has not connected by then is given up."""

_log = logging.getLogger(__name__)


class CameraSource:
    """The browser's camera: iterating waits for the next picture, and skips those it was too slow for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._newest: AsyncMailbox[tuple[av.VideoFrame, Nanos]] = AsyncMailbox()

    @property
    def mailbox(self) -> AsyncMailbox[tuple[av.VideoFrame, Nanos]]:
        """Where the newest picture waits; its counters tell what was dropped."""
        return self._newest

    def arrive(self, picture: av.VideoFrame) -> None:
        """Stamp a decoded picture and let it wait; one that waited before is dropped."""
        self._newest.put((picture, self._clock()))

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        """The newest picture, copied into a frame of our own only now that it is wanted.

        Raises:
            BadMedia: the camera's pictures are too large or too small.
        """
        arrival = await self._newest.take()
        if arrival is None:
            raise StopAsyncIteration
        return to_frame(*arrival)

    async def close(self) -> None:
        """Stop the stream. Safe to call twice."""
        self._newest.close()


class _Peer:
    """What both kinds share: one answered offer, a track of sealed pictures, and an end that always comes."""

    def __init__(self, name: str, directions: frozenset[str], *, bitrate: Bitrate) -> None:
        install(bitrate)
        self._name = name
        self._directions = directions
        self._bitrate = bitrate
        self._settled = asyncio.Event()
        self._gone = asyncio.Event()
        self._closed = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        # Host candidates only: the service runs on the user's own machine or network.
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
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
        """
        if self._life is not None or self._closed.is_set():
            raise BadRequest("This connection has already had its offer.", "Open a new connection.")
        self._life = asyncio.create_task(self._live(), name=f"{self._name} peer")
        try:
            return await self._answer(sdp)
        except BaseException:
            await self.close()
            raise

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
        check_offer(sdp, self._directions)
        connection = self._connection
        codecs = preferred(RTCRtpSender.getCapabilities("video").codecs)
        track, codecs = self._outgoing(sdp, codecs)
        transceiver = connection.addTransceiver(track, self._direction())
        transceiver.setCodecPreferences(codecs)
        try:
            await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
            for other in connection.getTransceivers():
                if other.kind == "audio":
                    other.direction = self._sound_direction()
            await connection.setLocalDescription()
        except Exception as error:
            # What aiortc raises here depends on the line it stumbles over; the offer is the only thing that varies.
            raise BadRequest(
                "The SDP offer cannot be answered.", "Send the offer of a current browser, unchanged."
            ) from error
        return with_bitrates(connection.localDescription.sdp, self._bitrate)

    def _direction(self) -> str:
        return "sendonly"

    def _sound_direction(self) -> str:
        return "inactive"

    def _outgoing(
        self, sdp: str, codecs: list[RTCRtpCodecCapability]
    ) -> tuple[MediaStreamTrack, list[RTCRtpCodecCapability]]:
        """The track of sealed pictures for an offer, and the codecs it may be sent with, best first."""
        raise NotImplementedError

    def _follow(self) -> None:
        """Note what became of the connection; aiortc says ``failed`` when consent (RFC 7675) expires."""
        if self._connection.connectionState == "connected":
            self._settled.set()
        elif self._connection.connectionState in ("failed", "closed"):
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
        await self._connection.close()


class PerformerPeer(_Peer):
    """A browser that sends its camera and gets the swapped pictures back.

    Args:
        clock: stamps arrivals, and places cards in time.
        bitrate: what both directions aim for.
    """

    def __init__(self, *, clock: Clock, bitrate: Bitrate) -> None:
        super().__init__("browser", PERFORMER, bitrate=bitrate)
        self._track = SealedTrack(clock)
        self._sink = TrackSink("browser", self._track)
        self._source = CameraSource(clock)
        self._microphone = Microphone(clock)
        self._pumps: list[asyncio.Task[None]] = []
        self._connection.on("track", self._receive)

    @property
    def source(self) -> CameraSource:
        """Unswapped pictures from the browser."""
        return self._source

    @property
    def sink(self) -> TrackSink:
        """Where sealed pictures leave."""
        return self._sink

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        """Hand the microphone's sound to somebody from now on, where the browser sends any."""
        self._microphone.hear(listener)

    def _direction(self) -> str:
        return "sendrecv"

    def _sound_direction(self) -> str:
        return "recvonly"

    def _outgoing(
        self, sdp: str, codecs: list[RTCRtpCodecCapability]
    ) -> tuple[MediaStreamTrack, list[RTCRtpCodecCapability]]:
        return self._track, codecs

    def _receive(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            self._pumps.append(asyncio.create_task(self._take_pictures(track), name="browser camera"))
        else:
            self._pumps.append(asyncio.create_task(self._microphone.run(track), name="browser microphone"))

    async def _take_pictures(self, track: MediaStreamTrack) -> None:
        """Stamp each picture as soon as the decoder hands it out. A camera that ends takes the peer with it."""
        try:
            with contextlib.suppress(MediaStreamError):
                while True:
                    picture = await track.recv()
                    if isinstance(picture, av.VideoFrame):
                        self._source.arrive(picture)
        finally:
            self._leave()

    async def _release(self) -> None:
        await self._sink.close()
        await self._source.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await super()._release()


class ViewerPeer(_Peer):
    """Somebody who only watches: the clean page that OBS opens, or a WHEP player.

    It encodes nothing itself: all viewers of one format share one encode.

    Args:
        broadcast: of the session that is watched.
        bitrate: what the picture aims for.
    """

    def __init__(self, broadcast: Broadcast, *, bitrate: Bitrate) -> None:
        super().__init__("viewer", VIEWER, bitrate=bitrate)
        self._broadcast = broadcast
        self._feed: Feed | None = None

    def _outgoing(
        self, sdp: str, codecs: list[RTCRtpCodecCapability]
    ) -> tuple[MediaStreamTrack, list[RTCRtpCodecCapability]]:
        format = wanted_format(sdp)
        self._feed = self._broadcast.feed(format, self._name)
        kinds = {f"video/{format}".lower(), "video/rtx"}
        return FeedTrack(self._feed), [codec for codec in codecs if codec.mimeType.lower() in kinds]

    async def _release(self) -> None:
        if self._feed is not None:
            self._feed.close()
        await super()._release()
