"""A video track that carries pictures which were encoded once for many viewers."""

from __future__ import annotations

from typing import Any

import av
from aiortc.mediastreams import MediaStreamError

from livefake.frame import RTP_CLOCK
from livefake.media.encode.feed import Feed
from livefake.media.encode.stretch import Stretch
from livefake.media.stamped import MediaClock, StampedTrack
from livefake.media.webrtc.reports import ReportingSender

__all__ = ["FeedSender", "FeedTrack"]


class FeedTrack(StampedTrack):
    """Hands encoded pictures to the sender, which only cuts them into packets.

    Args:
        feed: of an encode in the format that was negotiated; the track closes it when it stops.
        times: shared with the sound's track.
    """

    kind = "video"

    def __init__(self, feed: Feed, times: MediaClock) -> None:
        super().__init__(times)
        self._feed = feed
        self._stretch = Stretch()

    async def recv(self) -> av.Packet[Any]:
        """The next picture.

        Raises:
            MediaStreamError: the track has ended.
        """
        picture = await self._feed.take()
        if picture is None:
            raise MediaStreamError
        self._stretch.see(picture.ticks, picture.instant, card=picture.card)
        self._taken = self._stretch.instant(picture.ticks)
        packet: av.Packet[Any] = av.Packet(picture.data)
        packet.pts = packet.dts = picture.ticks
        packet.time_base = RTP_CLOCK
        return packet

    def ask_for_key_frame(self) -> None:
        """Pass on what the receiver asked for (RFC 4585, picture loss indication)."""
        self._feed.ask_for_key_frame()

    def stop(self) -> None:
        """End the track and leave the encode. Safe to call twice."""
        self._feed.close()
        super().stop()


class FeedSender(ReportingSender):
    """A sender that tells a shared encode when its receiver needs a key frame; the stock one has only its own."""

    def _send_keyframe(self) -> None:
        super()._send_keyframe()
        if isinstance(track := self._RTCRtpSender__track, FeedTrack):
            track.ask_for_key_frame()
