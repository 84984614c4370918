"""H.264 encoders of graphics hardware, as far as PyAV offers them, set for the least delay."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.codec.hwaccel import HWAccel
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from livefake.frame import RTP_CLOCK
from livefake.media.encode.coder import Coder, Format, MakeCoder, make_coder

__all__ = ["HARDWARE", "Hardware", "hardware_coders", "offered"]

_FRAME_RATE: Final = 30
_KEY_FRAME_DISTANCE: Final = 600


@dataclass(frozen=True, slots=True)
class Hardware:
    """An encoder.

    Attributes:
        library: FFmpeg's name of it.
        device: a file that is there wherever the hardware is, on Linux; empty where the encoder is for another system.
        system: the start of ``sys.platform`` where it is; empty for any.
        upload: FFmpeg's name of the device that pictures are copied to; empty where the encoder does that itself.
        pixels: the format of pictures that it takes.
        options: for the least delay, and a real key frame whenever one is asked for.
    """

    library: str
    device: str = ""
    system: str = ""
    upload: str = ""
    pixels: str = "yuv420p"
    options: Mapping[str, str] = field(default_factory=dict)


_DRI: Final = "/dev/dri"

HARDWARE: Final[Mapping[str, Hardware]] = {
    "nvenc": Hardware(
        "h264_nvenc",
        device="/dev/nvidiactl",
        options={"preset": "p1", "tune": "ull", "zerolatency": "1", "delay": "0", "rc": "cbr", "forced-idr": "1"},
    ),
    "videotoolbox": Hardware("h264_videotoolbox", system="darwin", options={"realtime": "1", "allow_sw": "0"}),
    "vaapi": Hardware(
        "h264_vaapi", device=_DRI, system="linux", upload="vaapi", options={"async_depth": "1", "rc_mode": "CBR"}
    ),
    "qsv": Hardware(
        "h264_qsv",
        device=_DRI,
        pixels="nv12",
        options={"preset": "veryfast", "async_depth": "1", "low_delay_brc": "1", "forced_idr": "1"},
    ),
}
"""By the name in settings, in the order in which they are tried."""


def offered(hardware: Hardware) -> bool:
    """Whether PyAV has the encoder and this computer may have the hardware; a look, no trial."""
    if not sys.platform.startswith(hardware.system) or hardware.library not in av.codec.codecs_available:
        return False
    return not sys.platform.startswith("linux") or not hardware.device or Path(hardware.device).exists()


class _HardwareCoder:
    """One stream's encoder."""

    def __init__(self, hardware: Hardware, width: int, height: int, rate: int) -> None:
        accelerator = HWAccel(hardware.upload) if hardware.upload else None
        coder = av.CodecContext.create(hardware.library, "w", accelerator)
        assert isinstance(coder, VideoCodecContext)
        coder.width, coder.height = width, height
        coder.pix_fmt = hardware.pixels
        coder.bit_rate = rate
        coder.framerate = Fraction(_FRAME_RATE, 1)
        coder.time_base = RTP_CLOCK
        coder.gop_size = _KEY_FRAME_DISTANCE
        coder.max_b_frames = 0
        coder.options = {**hardware.options, "maxrate": str(rate), "bufsize": str(rate // 2)}
        coder.profile = "Baseline" if hardware.library == "h264_videotoolbox" else "Main"
        self._coder = coder
        self._pixels = hardware.pixels

    @property
    def size(self) -> tuple[int, int]:
        return self._coder.width, self._coder.height

    def encode(self, picture: av.VideoFrame, *, key: bool) -> tuple[bytes, bool]:
        if picture.format.name != self._pixels:
            fresh = picture.reformat(format=self._pixels)
            fresh.pts, fresh.time_base = picture.pts, picture.time_base
            picture = fresh
        picture.pict_type = PictureType.I if key else PictureType.NONE
        packets = self._coder.encode(picture)
        return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)


def hardware_coders(hardware: Hardware) -> MakeCoder:
    """A factory of coders on that hardware; formats other than H.264 are encoded on the processor."""

    def make(format: Format, width: int, height: int, rate: int) -> Coder:
        if format is not Format.H264:
            return make_coder(format, width, height, rate)
        return _HardwareCoder(hardware, width, height, rate)

    return make
