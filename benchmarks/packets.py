"""The demo clip as numbered H.264 pictures, encoded beforehand, so that whoever sends them costs next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np

from benchmarks.browser import stamp
from livefake.frame import Bytes, Frame
from livefake.media.webrtc.bitrate import Bitrate
from livefake.stagereel import Reel, read_clip

__all__ = ["SIZES", "encoded", "scaled"]

SIZES: Final = {"360p": (640, 360), "720p": (1280, 720)}
"""Width and height by name."""

_SECONDS: Final = 16


def scaled(clip: Path, size: tuple[int, int], *, step: int = 1, count: int = 240) -> Reel:
    """A clip at another size.

    Args:
        clip: any video.
        size: width and height, even.
        step: every how many-th picture is taken; 2 halves the frame rate.
        count: how many of the clip's own pictures at most.

    Raises:
        BadMedia: it cannot be read.
    """
    return Reel([_resized(frame, size) for frame in read_clip(clip, count)[::step]])


def _resized(frame: Frame, size: tuple[int, int]) -> Bytes:
    if (frame.width, frame.height) == size:
        return frame.i420
    width, height = size
    small = Frame(np.empty((height * 3 // 2, width), np.uint8), 0, 0)
    cv2.resize(frame.y, size, dst=small.y, interpolation=cv2.INTER_AREA)
    for plane, target in ((frame.u, small.u), (frame.v, small.v)):
        cv2.resize(plane, (width // 2, height // 2), dst=target, interpolation=cv2.INTER_AREA)
    return small.i420


def encoded(
    clip: Path, size: tuple[int, int], rate: int, *, change: Callable[[Bytes], Bytes] | None = None
) -> list[bytes]:
    """Pictures in the form of H.264's Annex B, numbered from 0 in their lower edge; the first follows on the last.

    A key frame begins each second, because nobody can ask for one.

    Args:
        clip: any video, of 30 frames a second.
        size: width and height, even.
        rate: frames a second, 30 or 15.
        change: makes each picture another one of the same size, before it is numbered.

    Raises:
        BadMedia: it cannot be read.
    """
    reel = scaled(clip, size, step=30 // rate)
    coder = av.CodecContext.create("libx264", "w")
    assert isinstance(coder, av.VideoCodecContext)
    coder.width, coder.height = size
    coder.pix_fmt, coder.framerate, coder.gop_size = "yuv420p", Fraction(rate), rate
    coder.bit_rate = Bitrate().of(*size) * rate // 30
    coder.options = {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline", "forced-idr": "1"}
    coder.thread_count = 1
    packets = []
    for number in range(_SECONDS * rate):
        frame = reel.next()
        if change is not None:
            frame = Frame(change(frame.i420), 0, 0)
        stamp(frame.y, number)
        picture = av.VideoFrame.from_ndarray(frame.i420, format="yuv420p")
        picture.pts = number
        packets += [bytes(packet) for packet in coder.encode(picture)]
    packets += [bytes(packet) for packet in coder.encode(None)]
    return packets
