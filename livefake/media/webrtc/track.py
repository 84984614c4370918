"""The only video track that leaves the service: it carries sealed pictures and nothing else."""

from __future__ import annotations

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock
from livefake.flow.mailbox import AsyncMailbox
from livefake.frame import RTP_CLOCK
from livefake.media.timeline import Timeline
from livefake.trust.seal import Sealed

__all__ = ["SealedTrack", "TrackSink"]


class SealedTrack(MediaStreamTrack):
    """A video track fed with sealed pictures; it holds the newest one until the encoder asks for it."""

    kind = "video"

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._timeline = Timeline()
        self._newest: AsyncMailbox[Sealed] = AsyncMailbox()

    @property
    def mailbox(self) -> AsyncMailbox[Sealed]:
        """Where the newest picture waits; its counters tell what was dropped."""
        return self._newest

    def show(self, sealed: Sealed) -> None:
        """Take a picture and return at once; one that still waits for the encoder is dropped.

        Raises:
            TypeError: it is not a ``Sealed``. This is the last door before the network.
        """
        if not isinstance(sealed, Sealed):
            raise TypeError(f"a track takes sealed pictures only, got {type(sealed).__name__}")
        self._newest.put(sealed)

    async def recv(self) -> av.VideoFrame:
        """The next picture, wrapped without a copy.

        The array of a sealed picture is read-only, and FFmpeg's encoders take their input as constant: the
        encoder reads the very memory that was sealed, and neither side writes to it.

        Raises:
            MediaStreamError: the track has ended.
        """
        sealed = await self._newest.take()
        if sealed is None:
            raise MediaStreamError
        picture = av.VideoFrame.from_numpy_buffer(sealed.frame.i420, format="yuv420p")
        picture.pts = self._timeline.place(sealed, self._clock())
        picture.time_base = RTP_CLOCK
        return picture

    def stop(self) -> None:
        """End the track; whoever waits for a picture is told. Safe to call twice."""
        self._newest.close()
        super().stop()


class TrackSink:
    """A sink that shows its pictures on a track."""

    def __init__(self, name: str, track: SealedTrack) -> None:
        self._name = name
        self._track = track

    @property
    def name(self) -> str:
        return self._name

    @property
    def mailbox(self) -> AsyncMailbox[Sealed]:
        """Where the newest picture waits for the encoder."""
        return self._track.mailbox

    def show(self, sealed: Sealed) -> None:
        """Take the newest picture.

        Raises:
            TypeError: it is not a ``Sealed``.
        """
        self._track.show(sealed)

    async def close(self) -> None:
        """End the track. Safe to call twice."""
        self._track.stop()
