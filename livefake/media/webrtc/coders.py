"""Coders for pictures that must be fresh: aiortc's own, with FFmpeg set for the least delay."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import ClassVar, Final

import av
from aiortc.codecs.base import Encoder
from aiortc.codecs.h264 import H264Decoder, H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.mediastreams import convert_timebase
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from livefake.clock import Clock, monotonic
from livefake.frame import RTP_CLOCK
from livefake.media.encode.tempo import NOMINAL, Tempo
from livefake.media.tap import Ticket
from livefake.media.webrtc.bitrate import Bitrate, RateKeeper

__all__ = ["LowDelayH264Decoder", "LowDelayH264Encoder", "LowDelayVp8Encoder"]

_KEY_FRAME_DISTANCE: Final = 3_000
"""Frames between two unasked key frames. A receiver that needs one asks for it."""


class LowDelayH264Decoder(H264Decoder):
    """Decodes in one thread and hands out each picture at once, without waiting to reorder."""

    def __init__(self) -> None:
        super().__init__()
        self.codec.flags |= Flags.low_delay
        self.codec.thread_count = 1


class _KeptRate(Encoder):
    """An encoder whose rate is decided by a ``RateKeeper``; the receiver's estimate is only reported to it.

    Args:
        bitrate: what to aim for, by picture size.
        clock: time of the changes.
    """

    codec: VideoCodecContext | None
    decoder: ClassVar[str]
    """FFmpeg's name of what decodes it."""

    def __init__(self, bitrate: Bitrate, clock: Clock = monotonic) -> None:
        super().__init__()
        self._keeper = RateKeeper(bitrate)
        self._clock = clock
        self._tempo = Tempo()

    @property
    def target_bitrate(self) -> int:
        """Bits a second the coder works at, 0 before the first picture; setting it reports an estimate."""
        return (self.codec.bit_rate or 0) if self.codec else 0

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._keeper.report(bitrate)

    def _rate(self, picture: av.VideoFrame) -> int:
        return self._keeper.rate(picture.width, picture.height, self._clock())

    def _encode(self, picture: av.VideoFrame, *, key: bool) -> bytes:
        """One encoded picture. The tap that it carries a ticket of may ask for a key frame, and gets a copy."""
        assert self.codec is not None
        ticket = picture.opaque if isinstance(picture.opaque, Ticket) else None
        key = key or (ticket is not None and ticket.tap.wants_key)
        picture.pict_type = PictureType.I if key else PictureType.NONE
        packets = self.codec.encode(picture)
        data = b"".join(bytes(packet) for packet in packets)
        if ticket is not None:
            ticket.tap.put(
                self.decoder,
                data,
                key=any(packet.is_keyframe for packet in packets),
                size=(picture.width, picture.height),
                card=ticket.card,
            )
        return data

    def _fits(self, picture: av.VideoFrame) -> bool:
        return self.codec is not None and (self.codec.width, self.codec.height) == (picture.width, picture.height)


class LowDelayH264Encoder(_KeptRate, H264Encoder):
    """x264 set for the least delay: ultrafast, zero latency, a rate buffer of half a second.

    The stock encoder runs x264 at its default preset, about eight times slower, without a bound on the size of
    one picture, and makes a new coder with a new key frame whenever the estimate moves by 10 %. x264 takes a
    new rate while it runs.
    """

    decoder = "h264"

    def _encode_frame(self, frame: av.VideoFrame, force_keyframe: bool) -> Iterator[bytes]:
        rate = self._rate(frame)
        told = round(rate * self._tempo.share(frame.pts or 0))
        if self.codec is None or not self._fits(frame):
            self.codec = _coder("libx264", frame, told)
            self.codec.options = {
                "preset": "ultrafast",
                "tune": "zerolatency",
                "maxrate": str(rate),
                "bufsize": str(rate // 2),
            }
            self.codec.profile = "Baseline"
            # One thread costs the least. Large pictures get a second, by slices: frame threads would add a delay.
            self.codec.thread_count = 1 if frame.width * frame.height <= 1280 * 720 else 2
        elif self.codec.bit_rate != told:
            self.codec.bit_rate = told
        return self._split_bitstream(self._encode(frame, key=force_keyframe))


class LowDelayVp8Encoder(_KeptRate, Vp8Encoder):
    """libvpx at its quickest speed that still holds the rate, without denoising.

    libvpx takes no new rate from FFmpeg while it runs: a change makes a new coder and a key frame. The keeper
    allows that once in five seconds at most.
    """

    decoder = "vp8"

    def encode(self, frame: av.frame.Frame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        """Encode a picture.

        Returns:
            Its RTP payloads, and its time in ticks of 1/90000 s.
        """
        assert isinstance(frame, av.VideoFrame)
        rate = self._rate(frame)
        if self.codec is None or not self._fits(frame) or self.codec.bit_rate != rate:
            self.codec = _coder("libvpx", frame, rate)
            self.codec.qmin, self.codec.qmax = 2, 56
            self.codec.options = {
                "bufsize": str(rate // 2),
                # The speed goes to -16; from there on libvpx no longer meets its rate.
                "cpu-used": "-12",
                "deadline": "realtime",
                "lag-in-frames": "0",
                "maxrate": str(rate),
                "minrate": str(rate),
                "noise-sensitivity": "0",
                "overshoot-pct": "15",
                "static-thresh": "1",
                "undershoot-pct": "100",
            }
            self.codec.thread_count = 1
        payloads = self._packetize(self._encode(frame, key=force_keyframe), self.picture_id)
        self.picture_id = (self.picture_id + 1) % (1 << 15)
        return payloads, convert_timebase(frame.pts or 0, frame.time_base or RTP_CLOCK, RTP_CLOCK)


def _coder(name: str, picture: av.VideoFrame, rate: int) -> VideoCodecContext:
    """A coder for pictures of that size; it counts time in RTP ticks, so that no two pictures share an instant."""
    coder = av.CodecContext.create(name, "w")
    assert isinstance(coder, VideoCodecContext)
    coder.width, coder.height = picture.width, picture.height
    coder.pix_fmt = "yuv420p"
    coder.bit_rate = rate
    coder.framerate = Fraction(NOMINAL, 1)
    coder.time_base = RTP_CLOCK
    coder.gop_size = _KEY_FRAME_DISTANCE
    return coder
