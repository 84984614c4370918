"""The only video track that leaves the service: it carries sealed pictures and nothing else."""

from __future__ import annotations

from typing import Final

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from livefake.clock import Clock, Nanos
from livefake.flow.mailbox import AsyncMailbox
from livefake.frame import RTP_CLOCK
from livefake.media.tap import Tap, Ticket
from livefake.trust.seal import Sealed

__all__ = ["SealedTrack", "Timeline", "TrackSink"]

_TICKS: Final = RTP_CLOCK.denominator
_LEAP: Final = _TICKS
"""A step of more than a second away from the clock is not jitter: the source began anew."""


class Timeline:
    """Turns the times of swapped pictures and of cards into one line of RTP ticks that only rises.

    A swapped picture keeps the camera's own spacing, which is steadier than ours. A card has no camera time:
    it is placed by the clock, counted from what was shown before.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._shown: Nanos = 0
        self._offset = 0

    def place(self, sealed: Sealed, now: Nanos) -> int:
        """Ticks of 1/90000 s for a picture shown at ``now``; the first one gets 0."""
        frame = sealed.frame
        own = int(frame.pts * frame.time_base * _TICKS)
        if self._last is None:
            ticks, self._offset = 0, -own
        else:
            due = self._last + (now - self._shown) * _TICKS // 1_000_000_000
            ticks = due if sealed.card else own + self._offset
            if abs(ticks - due) > _LEAP:
                ticks, self._offset = due, due - own
            ticks = max(ticks, self._last + 1)
        self._last, self._shown = ticks, now
        return ticks


class SealedTrack(MediaStreamTrack):
    """A video track fed with sealed pictures; it holds the newest one until the encoder asks for it."""

    kind = "video"

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._timeline = Timeline()
        self._newest: AsyncMailbox[Sealed] = AsyncMailbox()
        self._tap = Tap(clock)

    @property
    def tap(self) -> Tap:
        """What the encoder makes of the pictures."""
        return self._tap

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
        picture.opaque = Ticket(self._tap, sealed.card)
        return picture

    def stop(self) -> None:
        """End the track; whoever waits for a picture is told. Safe to call twice."""
        self._newest.close()
        self._tap.close()
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

    @property
    def tap(self) -> Tap:
        """What the encoder makes of the pictures."""
        return self._track.tap

    def show(self, sealed: Sealed) -> None:
        """Take the newest picture.

        Raises:
            TypeError: it is not a ``Sealed``.
        """
        self._track.show(sealed)

    async def close(self) -> None:
        """End the track. Safe to call twice."""
        self._track.stop()
