"""Sender reports that tell when something was taken, not when it was sent (RFC 3550, section 6.4.1).

A report pairs a time stamp of a stream with a wall clock. A receiver that has such pairs of a picture and of its sound
plays both together. The stock sender reads the clock when it sends, so that the picture's way through the service is
not in its reports, and nor is how long sound waited.
"""

from __future__ import annotations

from typing import Final

from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpsender import RTCEncodedFrame

from livefake.media.stamped import StampedTrack

__all__ = ["SENDING", "ReportingSender"]

SENDING: Final = ("ntp_timestamp", "rtp_timestamp")
"""Private fields of the stock sender that this one builds on: it sets the one right before the other."""


class ReportingSender(RTCRtpSender):
    """A sender whose reports carry the instants of its track, where that knows them."""

    _RTCRtpSender__track: MediaStreamTrack | None
    _sending: int | None = None
    _ntp: int = 0

    @property
    def _RTCRtpSender__ntp_timestamp(self) -> int:  # noqa: N802 - the name is aiortc's
        return self._ntp

    @_RTCRtpSender__ntp_timestamp.setter
    def _RTCRtpSender__ntp_timestamp(self, now: int) -> None:  # noqa: N802 - the name is aiortc's
        self._ntp = now if self._sending is None else self._sending

    async def _next_encoded_frame(self, codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        frame = await super()._next_encoded_frame(codec)
        track = self._RTCRtpSender__track
        self._sending = track.ntp if isinstance(track, StampedTrack) else None
        return frame
