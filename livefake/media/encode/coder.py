"""One encoder for a stream that many watch: low delay, a key frame whenever somebody joins."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from typing import Final, Protocol

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from livefake.frame import RTP_CLOCK
from livefake.media.encode.tempo import NOMINAL, Tempo

__all__ = ["Coder", "Format", "MakeCoder", "make_coder"]

_KEY_FRAME_DISTANCE: Final = 600
"""Frames between two unasked key frames; takers that need them more often ask."""


class Format(StrEnum):
    """How pictures are encoded."""

    H264 = "H264"
    VP8 = "VP8"


class Coder(Protocol):
    """Encodes pictures of one size."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        ...

    def encode(self, picture: av.VideoFrame, *, key: bool) -> tuple[bytes, bool]:
        """Encode a picture.

        Returns:
            Its bit stream, empty when the encoder gives nothing back yet, and whether it can be decoded alone.
        """
        ...


MakeCoder = Callable[[Format, int, int, int], Coder]
"""Makes a coder from format, width, height and bits a second."""

_OPTIONS: Final = {
    Format.H264: {"preset": "ultrafast", "tune": "zerolatency"},
    Format.VP8: {
        "cpu-used": "-12",
        "deadline": "realtime",
        "lag-in-frames": "0",
        "noise-sensitivity": "0",
        "static-thresh": "1",
    },
}
_LIBRARY: Final = {Format.H264: "libx264", Format.VP8: "libvpx"}


class _Software:
    """A coder of FFmpeg's on the processor."""

    def __init__(self, format: Format, width: int, height: int, rate: int) -> None:
        coder = av.CodecContext.create(_LIBRARY[format], "w")
        assert isinstance(coder, VideoCodecContext)
        coder.width, coder.height = width, height
        coder.pix_fmt = "yuv420p"
        coder.bit_rate = rate
        coder.framerate = Fraction(NOMINAL, 1)
        # RTP ticks, so that no two pictures share an instant.
        coder.time_base = RTP_CLOCK
        coder.gop_size = _KEY_FRAME_DISTANCE
        coder.options = _OPTIONS[format] | {"maxrate": str(rate), "bufsize": str(rate // 2)}
        if format is Format.H264:
            coder.profile = "Baseline"
        # One thread costs the least. Large pictures get a second, by slices: frame threads would add a delay.
        coder.thread_count = 1 if width * height <= 1280 * 720 else 2
        self._coder = coder
        self._rate = rate
        self._tempo = Tempo() if format is Format.H264 else None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self._coder.width, self._coder.height

    def encode(self, picture: av.VideoFrame, *, key: bool) -> tuple[bytes, bool]:
        """Encode a picture; see ``Coder``."""
        picture.pict_type = PictureType.I if key else PictureType.NONE
        if self._tempo is not None:
            told = round(self._rate * self._tempo.share(picture.pts or 0))
            if self._coder.bit_rate != told:
                self._coder.bit_rate = told
        packets = self._coder.encode(picture)
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)


def make_coder(format: Format, width: int, height: int, rate: int) -> Coder:
    """A coder on the processor: x264 or libvpx, set for the least delay.

    Args:
        format: of the stream.
        width, height: of its pictures, pixels, even.
        rate: bits a second.

    Raises:
        av.FFmpegError: FFmpeg was built without that encoder.
    """
    return _Software(format, width, height, rate)
