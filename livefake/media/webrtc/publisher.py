"""A program that only sends a camera: OBS, FFmpeg or GStreamer over WHIP (RFC 9725). Nothing goes back to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription
from aiortc.stats import RTCTransportStats

from livefake.clock import Clock
from livefake.media.ice import Ice
from livefake.media.sound.bus import Chunk
from livefake.media.sound.lipsync import LipSync
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.connection import Connection
from livefake.media.webrtc.low_delay import LowDelayReceiver, receiver_of, waive_consent
from livefake.media.webrtc.microphone import Microphone
from livefake.media.webrtc.peer import CameraSource
from livefake.media.webrtc.sdp import PERFORMER, check_offer, preferred

__all__ = ["SILENCE", "PublisherPeer"]

SILENCE: Final = 5
"""Seconds without a packet after which a publisher has gone."""


class PublisherPeer(Connection):
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
        super().__init__("publisher", bitrate=bitrate, ice=ice)
        self._source = CameraSource(clock)
        self._sync = LipSync()
        self._microphone = Microphone(clock, self._sync)
        self._pumps: list[asyncio.Task[None]] = []
        self._connection.on("track", self._receive)

    @property
    def source(self) -> CameraSource:
        """Unswapped pictures; the newest wins."""
        return self._source

    @property
    def has_microphone(self) -> bool:
        """Whether the program sends sound."""
        return any(each.kind == "audio" and each.receiver.track for each in self._connection.getTransceivers())

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        """Hand the sound to somebody from now on, where the program sends any."""
        self._microphone.hear(listener)

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

    def _receive(self, track: MediaStreamTrack) -> None:
        receiver = receiver_of(self._connection, track)
        if track.kind == "video":
            receiver.heed = self._sync.pictures.report
            self._pumps.append(asyncio.create_task(self._take_pictures(track, receiver), name="publisher camera"))
        else:
            receiver.heed = self._sync.sounds.report
            sound = self._microphone.run(track, receiver.stamp)
            self._pumps.append(asyncio.create_task(sound, name="publisher sound"))

    async def _take_pictures(self, track: MediaStreamTrack, receiver: LowDelayReceiver) -> None:
        """Stamp each picture as it is decoded. A camera that ends takes the peer with it."""
        try:
            with contextlib.suppress(MediaStreamError):
                while True:
                    picture = await track.recv()
                    if isinstance(picture, av.VideoFrame):
                        self._source.arrive(picture, partial(self._sync.picture, receiver.stamp(picture.pts or 0)))
        finally:
            self._leave()

    async def _release(self) -> None:
        await self._source.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await super()._release()
