"""A program that only sends a camera: OBS, FFmpeg or GStreamer over WHIP (RFC 9725). Nothing goes back to it."""

from __future__ import annotations

import asyncio
from typing import Final

from aiortc import RTCRtpSender
from aiortc.sdp import SessionDescription
from aiortc.stats import RTCTransportStats

from livefake.clock import Clock
from livefake.media.ice import Ice
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.giver import Giver
from livefake.media.webrtc.low_delay import waive_consent
from livefake.media.webrtc.sdp import PERFORMER, check_offer, preferred

__all__ = ["SILENCE", "PublisherPeer"]

SILENCE: Final = 5
"""Seconds without a packet after which a publisher has gone."""


class PublisherPeer(Giver):
    """A program that sends a camera, and sound if it likes, and gets nothing back.

    FFmpeg does not answer when it is asked whether it still wants our packets (RFC 7675), and we send it next to none.
    What tells that it is there are its own.

    Args:
        clock: stamps arrivals.
        bitrate: what the program is asked to aim for.
        ice: how the path is found.
    """

    sink = None

    def __init__(self, *, clock: Clock, bitrate: Bitrate, ice: Ice | None = None) -> None:
        super().__init__("publisher", clock=clock, bitrate=bitrate, ice=ice)

    def _prepare(self, sdp: str) -> None:
        check_offer(sdp, PERFORMER)
        # The first section carries the others (RFC 9143), so ours have to stand in the order of the offer.
        for part in SessionDescription.parse(sdp).media:
            transceiver = self._connection.addTransceiver(part.kind, "recvonly")
            if part.kind == "video":
                transceiver.setCodecPreferences(preferred(RTCRtpSender.getCapabilities("video").codecs))

    def _settle(self) -> None:
        for transceiver in self._connection.getTransceivers():
            transceiver.direction = "recvonly"

    def _follow(self) -> None:
        super()._follow()
        if self._connection.connectionState == "connected":
            waive_consent(self._connection)
            self._pumps.append(asyncio.create_task(self._listen(), name="publisher vigil"))

    async def _listen(self) -> None:
        """Leave when nothing has come for a while."""
        heard, silent = -1, 0
        while silent < SILENCE:
            await asyncio.sleep(1)
            before, heard = heard, await self._packets()
            silent = 0 if heard != before else silent + 1
        self._leave()

    async def _packets(self) -> int:
        """Packets that have come."""
        reports = [await each.receiver.getStats() for each in self._connection.getTransceivers()[:1]]
        return sum(
            item.packetsReceived
            for report in reports
            for item in report.values()
            if isinstance(item, RTCTransportStats)
        )
