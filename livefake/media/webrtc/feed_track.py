"""A video track that carries pictures which were encoded once for many viewers."""

from __future__ import annotations

from typing import Any

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError

from livefake.frame import RTP_CLOCK
from livefake.media.encode.feed import Feed

__all__ = ["FeedSender", "FeedTrack"]


class FeedTrack(MediaStreamTrack):
    """Hands encoded pictures to the sender, which only cuts them into packets.

    Args:
        feed: of an encode in the format that was negotiated; the track closes it when it stops.
    """

    kind = "video"

    def __init__(self, feed: Feed) -> None:
        super().__init__()
        self._feed = feed

    async def recv(self) -> av.Packet[Any]:
        """The next picture.

        Raises:
            MediaStreamError: the track has ended.
        """
        picture = await self._feed.take()
        if picture is None:
            raise MediaStreamError
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


class FeedSender(RTCRtpSender):
    """A sender that tells a shared encode when its receiver needs a key frame; the stock one has only its own."""

    _RTCRtpSender__track: MediaStreamTrack | None

    def _send_keyframe(self) -> None:
        super()._send_keyframe()
        if isinstance(track := self._RTCRtpSender__track, FeedTrack):
            track.ask_for_key_frame()
