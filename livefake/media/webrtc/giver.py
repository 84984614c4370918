"""A connection over which somebody sends a camera, and a microphone if they like."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos
from livefake.flow.mailbox import AsyncMailbox
from livefake.frame import Frame
from livefake.media.ice import Ice
from livefake.media.picture import to_frame
from livefake.media.sound.bus import Chunk
from livefake.media.sound.lipsync import LipSync
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.connection import Connection
from livefake.media.webrtc.low_delay import LowDelayReceiver, receiver_of
from livefake.media.webrtc.microphone import Microphone

__all__ = ["CameraSource", "Giver"]


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


class Giver(Connection):
    """What a performer's browser and a program that publishes have in common: they give pictures and sound.

    Args:
        name: for the log.
        clock: stamps arrivals.
        bitrate: what the video aims for.
        ice: how the path is found.
        lag: see ``LipSync``.
    """

    def __init__(self, name: str, *, clock: Clock, bitrate: Bitrate, ice: Ice | None = None, lag: Nanos = 0) -> None:
        super().__init__(name, bitrate=bitrate, ice=ice)
        self._source = CameraSource(clock)
        self._sync = LipSync(lag=lag)
        self._microphone = Microphone(clock, self._sync)
        self._pumps: list[asyncio.Task[None]] = []
        self._connection.on("track", self._receive)

    @property
    def source(self) -> CameraSource:
        """Unswapped pictures; the newest wins."""
        return self._source

    @property
    def has_microphone(self) -> bool:
        """Whether sound is sent."""
        return any(each.kind == "audio" and each.receiver.track for each in self._connection.getTransceivers())

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        """Hand the sound to somebody from now on, where any is sent."""
        self._microphone.hear(listener)

    def _receive(self, track: MediaStreamTrack) -> None:
        receiver = receiver_of(self._connection, track)
        if track.kind == "video":
            receiver.heed = self._sync.pictures.report
            pump = self._take_pictures(track, receiver)
        else:
            receiver.heed = self._sync.sounds.report
            pump = self._microphone.run(track, receiver.stamp)
        self._pumps.append(asyncio.create_task(pump, name=f"{self._name} {track.kind}"))

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
        await self._source.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await super()._release()
