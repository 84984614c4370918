"""What happens to a live picture on its way, from an encoder with little bandwidth to a reaction video."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from benchmarks.watermark_covers import Clip
from benchmarks.watermark_drawn import DRAWN, studio_range, with_chroma
from livefake.frame import Bytes

__all__ = ["ATTACKS", "RATE", "Attack", "encoded", "luma_of"]

RATE: Final = 30
"""Frames a second of every cover."""

_SMALL: Final = (640, 360)
_INSET: Final = 0.55
"""Side of the picture in the picture, as a share of the whole one's."""

Change = Callable[[Clip], Clip]


@dataclass(frozen=True, slots=True)
class Attack:
    """One thing that happens to a clip.

    Attributes:
        change: makes the clip that the reader gets.
        search: the reader has to look for other sizes and rotations.
        rate: frames a second afterwards.
    """

    change: Change
    search: bool = False
    rate: int = RATE


def size_of(picture: Bytes) -> tuple[int, int]:
    """(width, height) of an I420 picture."""
    return picture.shape[1], picture.shape[0] * 2 // 3


def luma_of(picture: Bytes) -> Bytes:
    """(H, W) view of an I420 picture's luma."""
    return picture[: size_of(picture)[1]]


def encoded(clip: Clip, codec: str, bits: int) -> io.BytesIO:
    """What a live encoder sends at so many bits a second, as Matroska.

    Args:
        clip: I420.
        codec: ``libx264`` or ``libvpx``.
        bits: a second.
    """
    options = {
        "libx264": {"preset": "veryfast", "tune": "zerolatency", "maxrate": str(bits), "bufsize": str(bits)},
        "libvpx": {
            "deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "error-resilient": "1",
            "minrate": str(bits), "maxrate": str(bits), "bufsize": str(bits),
        },
    }[codec]  # fmt: skip
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size_of(clip[0])
        stream.pix_fmt, stream.bit_rate, stream.codec_context.gop_size = "yuv420p", bits, 60
        stream.codec_context.thread_count = 1
        for index, picture in enumerate(clip):
            image = av.VideoFrame.from_ndarray(picture, "yuv420p")
            image.pts, image.time_base = index, Fraction(1, RATE)
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    buffer.seek(0)
    return buffer


def decoded(buffer: io.BytesIO) -> Clip:
    """The pictures of a Matroska file."""
    with av.open(buffer, "r") as source:
        return [np.asarray(image.to_ndarray(), np.uint8) for image in source.decode(video=0)]


def through(codec: str, bits: int, size: tuple[int, int] | None = None) -> Change:
    """Resized, encoded and decoded."""
    return lambda clip: decoded(encoded(clip if size is None else _resized(clip, size), codec, bits))


def on_luma(change: Callable[[Bytes], Bytes]) -> Change:
    """A change of luma alone; colour is made anew, as the reader never looks at it."""
    return lambda clip: [with_chroma(np.ascontiguousarray(change(luma_of(picture)))) for picture in clip]


def after(*changes: Change) -> Change:
    """One after the other."""

    def change(clip: Clip) -> Clip:
        for one in changes:
            clip = one(clip)
        return clip

    return change


def _resized(clip: Clip, size: tuple[int, int]) -> Clip:
    """Every plane at another size."""
    images = (av.VideoFrame.from_ndarray(picture, "yuv420p") for picture in clip)
    return [np.asarray(image.reformat(*size, interpolation="AREA").to_ndarray(), np.uint8) for image in images]


def _jpeg(luma: Bytes) -> Bytes:
    """As JPEG of quality 50."""
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", luma, [cv2.IMWRITE_JPEG_QUALITY, 50])[1], 0), np.uint8)


def _brighter(luma: Bytes) -> Bytes:
    """With more contrast, and cut off at white."""
    return studio_range(1.3 * luma.astype(np.float32) - 20)


def _mirrored(luma: Bytes) -> Bytes:
    return luma[:, ::-1]


def _rotated(degrees: float) -> Callable[[Bytes], Bytes]:
    """Turned about the middle, black where nothing was."""

    def change(luma: Bytes) -> Bytes:
        height, width = luma.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        return np.asarray(cv2.warpAffine(luma, matrix, (width, height)), np.uint8)

    return change


def _cropped(luma: Bytes) -> Bytes:
    """Without a tenth of each side's length, off centre."""
    height, width = luma.shape
    return luma[height // 25 : height // 25 + int(height * 0.9) // 2 * 2, width // 14 :][:, : int(width * 0.9) // 2 * 2]


def _middle(luma: Bytes) -> Bytes:
    """The middle quarter: half of each side."""
    height, width = luma.shape
    return luma[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4]


def _inset(clip: Clip) -> Clip:
    """Made smaller and laid into a corner of another, moving picture."""
    rng = np.random.default_rng(11)
    width, height = size_of(clip[0])
    size = (round(width * _INSET) // 2 * 2, round(height * _INSET) // 2 * 2)
    top, left = round(height * 0.38), round(width * 0.41)
    made = []
    for around, picture in zip(DRAWN["portrait"](rng, len(clip)), clip, strict=True):
        scene = np.asarray(cv2.resize(around, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        small = cv2.resize(luma_of(picture), size, interpolation=cv2.INTER_AREA)
        scene[top : top + size[1], left : left + size[0]] = small
        made.append(with_chroma(scene))
    return made


_H264_HALF: Final = through("libx264", 500_000)

ATTACKS: Final[dict[str, Attack]] = {
    "nothing": Attack(lambda clip: clip),
    "H.264 at 2.5 Mb/s": Attack(through("libx264", 2_500_000)),
    "H.264 at 1 Mb/s": Attack(through("libx264", 1_000_000)),
    "H.264 at 0.5 Mb/s": Attack(_H264_HALF),
    "VP8 at 2.5 Mb/s": Attack(through("libvpx", 2_500_000)),
    "VP8 at 1 Mb/s": Attack(through("libvpx", 1_000_000)),
    "VP8 at 0.5 Mb/s": Attack(through("libvpx", 500_000)),
    "360 lines, H.264 at 0.5 Mb/s": Attack(through("libx264", 500_000, _SMALL)),
    "360 lines, VP8 at 0.5 Mb/s": Attack(through("libvpx", 500_000, _SMALL)),
    "H.264 at 1 Mb/s, then VP8 at 0.5": Attack(after(through("libx264", 1_000_000), through("libvpx", 500_000))),
    "brighter, more contrast": Attack(on_luma(_brighter)),
    "JPEG of quality 50": Attack(on_luma(_jpeg)),
    "half the frames": Attack(lambda clip: clip[::2], rate=RATE // 2),
    "mirrored": Attack(on_luma(_mirrored)),
    "crop of 10 %": Attack(on_luma(_cropped), search=True),
    "crop of 10 %, H.264 at 1 Mb/s": Attack(after(on_luma(_cropped), through("libx264", 1_000_000)), search=True),
    "rotation by 1 degree": Attack(on_luma(_rotated(1)), search=True),
    "rotation by 2 degrees": Attack(on_luma(_rotated(2)), search=True),
    "mirrored, crop of 10 %, 360 lines, H.264 at 0.5 Mb/s, JPEG 50": Attack(
        after(on_luma(lambda luma: _cropped(_mirrored(luma))), through("libx264", 500_000, _SMALL), on_luma(_jpeg)),
        search=True,
    ),
    "picture in picture, 55 %": Attack(_inset, search=True),
    "picture in picture, 55 %, H.264 at 2.5 Mb/s": Attack(after(_inset, through("libx264", 2_500_000)), search=True),
    "the middle half of each side": Attack(on_luma(_middle), search=True),
}
"""By name, in the order of the table."""
