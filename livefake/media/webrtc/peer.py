"""The two kinds of browser at the other end: one performs, the other only watches.

Swapped pictures leave through the performer's sink, or through the broadcast that viewers share; unswapped ones come in
through the performer's source, and there is no way from the one to the other in here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos
from livefake.flow.mailbox import AsyncMailbox
from livefake.frame import Frame
from livefake.media.encode.feed import Feed
from livefake.media.encode.hub import Broadcast
from livefake.media.ice import Ice
from livefake.media.picture import to_frame
from livefake.media.sound.bus import Chunk
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.connection import Connection
from livefake.media.webrtc.feed_track import FeedTrack
from livefake.media.webrtc.microphone import Microphone
from livefake.media.webrtc.sdp import PERFORMER, VIEWER, check_offer, preferred, wanted_format
from livefake.media.webrtc.track import SealedTrack, TrackSink

__all__ = ["CameraSource", "PerformerPeer", "ViewerPeer"]


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


class PerformerPeer(Connection):
    """A browser that sends its camera, and its microphone if it likes, and gets the swapped pictures back.

    Args:
        clock: stamps arrivals, and places cards in time.
        bitrate: what both directions aim for.
        ice: how the path is found.
    """

    def __init__(self, *, clock: Clock, bitrate: Bitrate, ice: Ice | None = None) -> None:
        super().__init__("browser", bitrate=bitrate, ice=ice)
        self._track = SealedTrack(clock)
        self._sink = TrackSink("browser", self._track)
        self._source = CameraSource(clock)
        self._microphone = Microphone(clock)
        self._pumps: list[asyncio.Task[None]] = []
        self._connection.on("track", self._receive)

    @property
    def sink(self) -> TrackSink:
        """Where sealed pictures leave."""
        return self._sink

    @property
    def source(self) -> CameraSource:
        """Unswapped pictures from the browser."""
        return self._source

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        """Hand the microphone's sound to somebody from now on, where the browser sends any."""
        self._microphone.hear(listener)

    def _prepare(self, sdp: str) -> None:
        check_offer(sdp, PERFORMER)
        transceiver = self._connection.addTransceiver(self._track, "sendrecv")
        transceiver.setCodecPreferences(preferred(RTCRtpSender.getCapabilities("video").codecs))

    def _settle(self) -> None:
        for other in self._connection.getTransceivers():
            if other.kind == "audio":
                # Nobody wants to hear themselves.
                other.direction = "recvonly"

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
            self._stream_ended()

    async def _release(self) -> None:
        await self._sink.close()
        await self._source.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await super()._release()


class ViewerPeer(Connection):
    """Somebody who only watches: the clean page that OBS opens, or a WHEP player.

    It encodes nothing itself: all viewers of one format share one encode.

    Args:
        broadcast: of the session that is watched.
        bitrate: what the picture aims for.
        ice: how the path is found.
    """

    def __init__(self, broadcast: Broadcast, *, bitrate: Bitrate, ice: Ice | None = None) -> None:
        super().__init__("viewer", bitrate=bitrate, ice=ice)
        self._broadcast = broadcast
        self._feed: Feed | None = None

    def _prepare(self, sdp: str) -> None:
        check_offer(sdp, VIEWER)
        format = wanted_format(sdp)
        self._feed = self._broadcast.feed(format, "viewer")
        transceiver = self._connection.addTransceiver(FeedTrack(self._feed), "sendonly")
        kinds = {f"video/{format}".lower(), "video/rtx"}
        codecs = preferred(RTCRtpSender.getCapabilities("video").codecs)
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType.lower() in kinds])

    def _settle(self) -> None:
        for other in self._connection.getTransceivers():
            if other.kind == "audio":
                other.direction = "inactive"

    async def _release(self) -> None:
        if self._feed is not None:
            self._feed.close()
        await super()._release()
