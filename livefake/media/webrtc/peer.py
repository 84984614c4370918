"""The two kinds of browser at the other end: one performs, the other only watches.

A peer answers one SDP offer, with its candidates gathered, and lives until the browser goes away. Swapped
pictures leave through its sink; unswapped ones come in through the performer's source, and there is no way
from the one to the other in here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos
from livefake.flow.mailbox import AsyncMailbox
from livefake.frame import Frame
from livefake.media.picture import to_frame
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.connection import Connection
from livefake.media.webrtc.sdp import PERFORMER, VIEWER, check_offer, preferred
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


class _Peer(Connection):
    """What both kinds share beside the connection: a track of sealed pictures."""

    def __init__(self, name: str, directions: frozenset[str], *, clock: Clock, bitrate: Bitrate) -> None:
        super().__init__(name, bitrate=bitrate)
        self._directions = directions
        self._track = SealedTrack(clock)
        self._sink = TrackSink(name, self._track)

    @property
    def sink(self) -> TrackSink:
        """Where sealed pictures leave."""
        return self._sink

    def _prepare(self, sdp: str) -> None:
        check_offer(sdp, self._directions)
        transceiver = self._connection.addTransceiver(self._track, self._direction())
        transceiver.setCodecPreferences(preferred(RTCRtpSender.getCapabilities("video").codecs))

    def _settle(self) -> None:
        for other in self._connection.getTransceivers():
            if other.kind == "audio":
                other.direction = "inactive"

    def _direction(self) -> str:
        return "sendonly"

    async def _release(self) -> None:
        await self._sink.close()
        await super()._release()


class PerformerPeer(_Peer):
    """A browser that sends its camera and gets the swapped pictures back.

    Args:
        clock: stamps arrivals, and places cards in time.
        bitrate: what both directions aim for.
    """

    def __init__(self, *, clock: Clock, bitrate: Bitrate) -> None:
        super().__init__("browser", PERFORMER, clock=clock, bitrate=bitrate)
        self._source = CameraSource(clock)
        self._pump: asyncio.Task[None] | None = None
        self._connection.on("track", self._receive)

    @property
    def source(self) -> CameraSource:
        """Unswapped pictures from the browser."""
        return self._source

    def _direction(self) -> str:
        return "sendrecv"

    def _receive(self, track: MediaStreamTrack) -> None:
        if track.kind == "video":
            self._pump = asyncio.create_task(self._take_pictures(track), name="browser camera")

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
        await self._source.close()
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.wait([self._pump])
        await super()._release()


class ViewerPeer(_Peer):
    """A browser that only watches: the clean page that OBS opens.

    Args:
        clock: places cards in time.
        bitrate: what the picture aims for.
    """

    def __init__(self, *, clock: Clock, bitrate: Bitrate) -> None:
        super().__init__("viewer", VIEWER, clock=clock, bitrate=bitrate)
