"""The two kinds of browser at the other end: one performs, the other only watches.

Swapped pictures leave through the performer's sink, or through the broadcast that viewers share; unswapped ones come in
through the performer's source, and there is no way from the one to the other in here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription

from livefake.clock import Clock, Nanos
from livefake.flow.mailbox import AsyncMailbox
from livefake.frame import Frame
from livefake.media.encode.coder import Format
from livefake.media.encode.feed import Feed
from livefake.media.encode.hub import Broadcast
from livefake.media.ice import Ice
from livefake.media.picture import to_frame
from livefake.media.sound.bus import Chunk, SoundBus
from livefake.media.sound.lipsync import BROWSER_LAG, LipSync
from livefake.media.sound.track import SoundTrack
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.connection import Connection
from livefake.media.webrtc.feed_track import FeedTrack
from livefake.media.webrtc.low_delay import LowDelayReceiver, receiver_of
from livefake.media.webrtc.microphone import Microphone
from livefake.media.webrtc.sdp import PERFORMER, VIEWER, check_offer, preferred, wanted_format
from livefake.media.webrtc.track import SealedTrack, TrackSink

__all__ = ["CameraSource", "PerformerPeer", "ViewerPeer"]


class CameraSource:
    """The browser's camera: iterating waits for the next picture, and skips those it was too slow for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._newest: AsyncMailbox[tuple[av.VideoFrame, Nanos, Nanos | None]] = AsyncMailbox()

    @property
    def mailbox(self) -> AsyncMailbox[tuple[av.VideoFrame, Nanos, Nanos | None]]:
        """Where the newest picture waits; its counters tell what was dropped."""
        return self._newest

    def arrive(self, picture: av.VideoFrame, taken: Callable[[Nanos], Nanos] | None = None) -> None:
        """Stamp a decoded picture and let it wait; one that waited before is dropped.

        Args:
            picture: as it came.
            taken: tells, by its arrival, when it was taken; without it nobody knows.
        """
        now = self._clock()
        self._newest.put((picture, now, None if taken is None else taken(now)))

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
        self._sync = LipSync(lag=BROWSER_LAG)
        self._microphone = Microphone(clock, self._sync)
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

    @property
    def has_microphone(self) -> bool:
        """Whether the browser sends sound."""
        return any(other.kind == "audio" and other.receiver.track for other in self._connection.getTransceivers())

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
        receiver = receiver_of(self._connection, track)
        if track.kind == "video":
            receiver.heed = self._sync.pictures.report
            self._pumps.append(asyncio.create_task(self._take_pictures(track, receiver), name="browser camera"))
        else:
            receiver.heed = self._sync.sounds.report
            sound = self._microphone.run(track, receiver.stamp)
            self._pumps.append(asyncio.create_task(sound, name="browser microphone"))

    async def _take_pictures(self, track: MediaStreamTrack, receiver: LowDelayReceiver) -> None:
        """Stamp each picture as soon as the decoder hands it out. A camera that ends takes the peer with it."""
        try:
            with contextlib.suppress(MediaStreamError):
                while True:
                    picture = await track.recv()
                    if isinstance(picture, av.VideoFrame):
                        self._source.arrive(picture, partial(self._sync.picture, receiver.stamp(picture.pts or 0)))
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
        sound: of the same session.
        clock: the service's monotonic clock.
        bitrate: what the picture aims for.
        ice: how the path is found.
    """

    def __init__(
        self, broadcast: Broadcast, sound: SoundBus, *, clock: Clock, bitrate: Bitrate, ice: Ice | None = None
    ) -> None:
        super().__init__("viewer", bitrate=bitrate, ice=ice)
        self._broadcast = broadcast
        self._sound = sound
        self._clock = clock
        self._feed: Feed | None = None
        self._voice: SoundTrack | None = None

    def _prepare(self, sdp: str) -> None:
        check_offer(sdp, VIEWER)
        format = wanted_format(sdp)
        # The first section carries the others (RFC 9143), so ours have to stand in the order of the offer.
        for part in SessionDescription.parse(sdp).media:
            if part.kind == "video":
                self._send_pictures(format)
            elif self._sound.present and part.direction in ("recvonly", "sendrecv"):
                self._voice = SoundTrack(self._sound.tap("viewer"), lambda: self._broadcast.delay(format), self._clock)
                self._connection.addTransceiver(self._voice, "sendonly")

    def _send_pictures(self, format: Format) -> None:
        self._feed = self._broadcast.feed(format, "viewer")
        transceiver = self._connection.addTransceiver(FeedTrack(self._feed), "sendonly")
        kinds = {f"video/{format}".lower(), "video/rtx"}
        codecs = preferred(RTCRtpSender.getCapabilities("video").codecs)
        transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType.lower() in kinds])

    def _settle(self) -> None:
        for other in self._connection.getTransceivers():
            if other.kind == "audio" and self._voice is None:
                other.direction = "inactive"

    async def _release(self) -> None:
        if self._feed is not None:
            self._feed.close()
        if self._voice is not None:
            self._voice.stop()
        await super()._release()
