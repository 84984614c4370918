"""The two kinds of browser at the other end: one performs, the other only watches.

Swapped pictures leave through the performer's sink, or through the broadcast that viewers share; unswapped ones come in
through the performer's source, and there is no way from the one to the other in here.
"""

from __future__ import annotations

from aiortc import RTCRtpSender
from aiortc.sdp import SessionDescription

from livefake.clock import Clock, wall
from livefake.media.encode.coder import Format
from livefake.media.encode.feed import Feed
from livefake.media.encode.hub import Broadcast
from livefake.media.ice import Ice
from livefake.media.sound.bus import SoundBus
from livefake.media.sound.lipsync import OPUS_LOOK_AHEAD
from livefake.media.sound.track import SoundTrack
from livefake.media.stamped import MediaClock
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.connection import Connection
from livefake.media.webrtc.feed_track import FeedTrack
from livefake.media.webrtc.giver import Giver
from livefake.media.webrtc.sdp import PERFORMER, VIEWER, check_offer, preferred, wanted_format
from livefake.media.webrtc.track import SealedTrack, TrackSink

__all__ = ["PerformerPeer", "ViewerPeer"]


class PerformerPeer(Giver):
    """A browser that sends its camera, and its microphone if it likes, and gets the swapped pictures back.

    Args:
        clock: stamps arrivals, and places cards in time.
        bitrate: what both directions aim for.
        ice: how the path is found.
    """

    def __init__(self, *, clock: Clock, bitrate: Bitrate, ice: Ice | None = None) -> None:
        super().__init__("browser", clock=clock, bitrate=bitrate, ice=ice, lag=OPUS_LOOK_AHEAD)
        self._track = SealedTrack(clock)
        self._sink = TrackSink("browser", self._track)

    @property
    def sink(self) -> TrackSink:
        """Where sealed pictures leave."""
        return self._sink

    def _prepare(self, sdp: str) -> None:
        check_offer(sdp, PERFORMER)
        transceiver = self._connection.addTransceiver(self._track, "sendrecv")
        transceiver.setCodecPreferences(preferred(RTCRtpSender.getCapabilities("video").codecs))

    def _settle(self) -> None:
        for other in self._connection.getTransceivers():
            if other.kind == "audio":
                # Nobody wants to hear themselves.
                other.direction = "recvonly"

    async def _release(self) -> None:
        await self._sink.close()
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
        self._times = MediaClock.begin(clock, wall)
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
                self._voice = SoundTrack(
                    self._sound.tap("viewer"), lambda: self._broadcast.delay(format), self._times, self._clock
                )
                self._connection.addTransceiver(self._voice, "sendonly")

    def _send_pictures(self, format: Format) -> None:
        self._feed = self._broadcast.feed(format, "viewer")
        transceiver = self._connection.addTransceiver(FeedTrack(self._feed, self._times), "sendonly")
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
