"""A browser that only sends: camera and microphone come in, and nothing goes back. Enrolment uses it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import SessionDescription
from numpy.typing import NDArray

from livefake.clock import Clock, Nanos
from livefake.errors import BadRequest
from livefake.media.ice import Ice
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.connection import Connection
from livefake.media.webrtc.giver import CameraSource
from livefake.media.webrtc.sdp import PERFORMER, check_offer, preferred

__all__ = ["SOUND_RATE", "MicrophoneSource", "ReceiverPeer"]

SOUND_RATE: Final = 16_000
"""Samples a second of the sound that comes out."""

_WAITING: Final = 500
_DRIFT: Final[Nanos] = 500_000_000


class MicrophoneSource:
    """The browser's microphone: short pieces of mono sound wait until they are taken.

    At most 500 pieces wait, ten seconds of a browser's 20 ms pieces; then the oldest goes. Pieces are put in on one
    thread and may be taken on another.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resampler = av.AudioResampler("s16", "mono", SOUND_RATE)
        self._pieces: deque[tuple[NDArray[np.int16], Nanos]] = deque(maxlen=_WAITING)
        self._end: Nanos | None = None

    def arrive(self, sound: av.AudioFrame) -> None:
        """Place a decoded piece in time and let it wait.

        A piece follows the one before without a gap as long as that lies near its arrival: a network that stalls and
        catches up brings several at once. What runs ahead of its arrival by more than half a second is dropped.
        """
        now = self._clock()
        # Where a piece lies in the sender's own time does not matter here, and a jump there must not make silence.
        sound.pts = None
        for piece in self._resampler.resample(sound):
            pcm = np.asarray(piece.to_ndarray(), np.int16).reshape(-1)
            lasts = len(pcm) * 1_000_000_000 // SOUND_RATE
            start = now - lasts
            if self._end is not None:
                if self._end - start > _DRIFT:
                    continue
                if start - self._end <= _DRIFT:
                    start = self._end
            self._end = start + lasts
            self._pieces.append((pcm, start))

    def take(self, until: Nanos) -> list[tuple[NDArray[np.int16], Nanos]]:
        """All sound that began up to an instant, oldest first: (N,) int16 at 16 kHz, and when it began."""
        taken: list[tuple[NDArray[np.int16], Nanos]] = []
        while self._pieces and self._pieces[0][1] <= until:
            taken.append(self._pieces.popleft())
        return taken


class ReceiverPeer(Connection):
    """A browser that sends its camera and its microphone, and gets nothing back.

    Args:
        clock: stamps arrivals.
        bitrate: what the browser's camera is asked to aim for.
        ice: how the path is found.
    """

    def __init__(self, *, clock: Clock, bitrate: Bitrate, ice: Ice | None = None) -> None:
        super().__init__("enrolment", bitrate=bitrate, ice=ice)
        self._source = CameraSource(clock)
        self._sound = MicrophoneSource(clock)
        self._pumps: list[asyncio.Task[None]] = []
        self._connection.on("track", self._receive)

    @property
    def source(self) -> CameraSource:
        """Pictures from the browser; the newest wins."""
        return self._source

    @property
    def sound(self) -> MicrophoneSource:
        """Sound from the browser."""
        return self._sound

    def _prepare(self, sdp: str) -> None:
        check_offer(sdp, PERFORMER)
        media = SessionDescription.parse(sdp).media
        if not any(part.kind == "audio" and part.direction in PERFORMER for part in media):
            raise BadRequest(
                "This check needs the camera and the microphone, and the offer has no microphone.",
                "Allow both, and try again.",
            )
        # Receiving only: there is no track that could carry anything back. The first section carries the others
        # (RFC 9143), so ours have to stand in the order of the offer.
        for part in media:
            transceiver = self._connection.addTransceiver(part.kind, "recvonly")
            if part.kind == "video":
                transceiver.setCodecPreferences(preferred(RTCRtpSender.getCapabilities("video").codecs))

    def _settle(self) -> None:
        for transceiver in self._connection.getTransceivers():
            transceiver.direction = "recvonly"

    def _receive(self, track: MediaStreamTrack) -> None:
        pump = self._pump(track, self._picture if track.kind == "video" else self._piece)
        self._pumps.append(asyncio.create_task(pump, name=f"enrolment {track.kind}"))

    async def _pump(self, track: MediaStreamTrack, take: Callable[[object], None]) -> None:
        """Hand on what the decoder gives. A camera or a microphone that ends takes the peer with it."""
        recv: Callable[[], Awaitable[object]] = track.recv
        try:
            with contextlib.suppress(MediaStreamError):
                while True:
                    take(await recv())
        finally:
            self._leave()

    def _picture(self, picture: object) -> None:
        if isinstance(picture, av.VideoFrame):
            self._source.arrive(picture)

    def _piece(self, sound: object) -> None:
        if isinstance(sound, av.AudioFrame):
            self._sound.arrive(sound)

    async def _release(self) -> None:
        await self._source.close()
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)
        await super()._release()
