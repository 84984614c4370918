"""Does an encoder do what a live stream needs? A trial of a second, and the program that runs it where it may crash.

    python -m livefake.media.encode.trial nvenc

prints one line of JSON: ``{"problem": ""}`` when it does.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any, Final

import av
import numpy as np

from livefake.frame import RTP_CLOCK, Bytes
from livefake.media.encode.coder import Format, MakeCoder
from livefake.media.encode.hardware import HARDWARE, hardware_coders

__all__ = ["PROGRAM", "main", "try_coder"]

PROGRAM: Final = "livefake.media.encode.trial"

_WIDTH, _HEIGHT, _RATE, _PICTURES, _ASKED = 640, 360, 2_000_000, 30, 15
_LEAST_DB: Final = 30.0


def try_coder(make: MakeCoder) -> str:
    """Encode 30 pictures, ask for a key frame in the middle, decode everything, and compare.

    Args:
        make: makes the coder that is tried.

    Returns:
        What is wrong, a clause; empty when it is good: each picture comes back at once, the key frame that was asked
        for is one and can be decoded alone, and each decoded picture is as good as 30 dB PSNR of its luma.
    """
    pictures = [_picture(index) for index in range(_PICTURES)]
    encoded: list[bytes] = []
    try:
        coder = make(Format.H264, _WIDTH, _HEIGHT, _RATE)
        for index, planes in enumerate(pictures):
            picture = av.VideoFrame.from_numpy_buffer(planes, format="yuv420p")
            picture.pts, picture.time_base = index * 3000, RTP_CLOCK
            data, key = coder.encode(picture, key=index in (0, _ASKED))
            if not data:
                return "it holds pictures back"
            if key != (index in (0, _ASKED)):
                return "it makes no key frame when asked" if index in (0, _ASKED) else "it makes key frames unasked"
            encoded.append(data)
    except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
        return f"it fails: {getattr(error, 'strerror', None) or error}"
    for start in (0, _ASKED):
        if problem := _compare(encoded[start:], pictures[start:]):
            return problem
    return ""


def _picture(index: int) -> Bytes:
    """A soft pattern that moves: (height * 3 // 2, width) uint8, the planes of 4:2:0."""
    rows, columns = np.mgrid[0:_HEIGHT, 0:_WIDTH]
    luma = 126 + 60 * np.sin((columns + 4 * index) / 40) + 40 * np.cos((rows - 2 * index) / 30)
    planes = np.full((_HEIGHT * 3 // 2, _WIDTH), 128, np.uint8)
    planes[:_HEIGHT] = luma.astype(np.uint8)
    return planes


def _compare(encoded: list[bytes], pictures: list[Bytes]) -> str:
    """What is wrong with a stream that begins with a key frame; empty when nothing is."""
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoded: list[Bytes] = []
    try:
        packets: list[Any] = [*(av.Packet(data) for data in encoded), None]
        for packet in packets:
            decoded += [np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8) for frame in decoder.decode(packet)]
    except (av.FFmpegError, ValueError):
        return "what it makes cannot be decoded"
    if len(decoded) != len(pictures):
        return f"of {len(pictures)} pictures {len(decoded)} can be decoded"
    worst = min(_psnr(one, other) for one, other in zip(decoded, pictures, strict=True))
    return "" if worst >= _LEAST_DB else f"its pictures are poor, {worst:.1f} dB"


def _psnr(one: Bytes, other: Bytes) -> float:
    """Of the luma of two pictures, dB."""
    error = float(np.mean((one[:_HEIGHT].astype(np.float64) - other[:_HEIGHT]) ** 2))
    return 99.0 if error == 0 else 10 * math.log10(255**2 / error)


def main(name: str) -> None:
    """Try an encoder by its name in the settings."""
    print(json.dumps({"problem": try_coder(hardware_coders(HARDWARE[name]))}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
