"""H.264 for what is kept: pictures in, packets out, each at its own time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
from av.video.frame import PictureType

from livefake.frame import RTP_CLOCK, Bytes

__all__ = ["TICKS", "Encoded", "H264Encoder", "Track"]

TICKS: Final = 90_000
"""Units of time a second, of pictures and packets: the RTP clock of video."""

_KEY_EVERY: Final = TICKS
"""A picture that stands on its own about each second: there a film can be cut, entered, and be broken off."""

Track = str
"""Which of a file's tracks a packet belongs to: ``video`` or ``audio``."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A packet from an encoder.

    Attributes:
        data: for H.264 in the byte-stream format (ITU-T H.264, annex B); a key picture's begins with its parameter
            sets.
        pts: when it is shown, in ``TICKS``; without reordering, so it is decoded in that order too.
        key: whether it can be decoded without those before it.
        track: where it belongs.
    """

    data: bytes
    pts: int
    key: bool
    track: Track = "video"


class H264Encoder:
    """x264, veryfast, constant quality; no reordering and no look-ahead, so that a crash loses next to nothing.

    Args:
        width, height: of every picture, even.
        quality: x264's constant rate factor, 0 (perfect) to 51.
    """

    def __init__(self, width: int, height: int, *, quality: int = 21) -> None:
        self.width, self.height = width, height
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = Fraction(1, TICKS)
        context.framerate = Fraction(30)
        # One thread: it shares two cores with the swap, and takes about 10 ms of one for a picture of 720p.
        context.thread_count = 1
        context.gop_size = 10_000
        context.options = {
            "preset": "veryfast",
            "crf": str(quality),
            "forced-idr": "1",
            "x264-params": "bframes=0:rc-lookahead=0:sync-lookahead=0:scenecut=0",
        }
        self._context = context
        self._key_at: int | None = None

    def encode(self, i420: Bytes, pts: int) -> list[Encoded]:
        """Take a picture, give what is ready.

        Args:
            i420: (height * 3 // 2, width) uint8.
            pts: later than the one before, in ``TICKS``.

        Raises:
            av.FFmpegError: the encoder failed.
        """
        picture = av.VideoFrame.from_ndarray(i420, format="yuv420p")
        picture.pts, picture.time_base = pts, RTP_CLOCK
        if self._key_at is None or pts - self._key_at >= _KEY_EVERY:
            picture.pict_type = PictureType.I
            self._key_at = pts
        return self._packets(picture)

    def flush(self) -> list[Encoded]:
        """What the encoder still holds; it takes no more pictures then."""
        return self._packets(None)

    def _packets(self, picture: av.VideoFrame | None) -> list[Encoded]:
        return [
            Encoded(bytes(packet), int(packet.pts or 0), packet.is_keyframe) for packet in self._context.encode(picture)
        ]
