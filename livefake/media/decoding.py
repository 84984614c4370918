"""The program that decodes a foreign file, and what it and ``livefake.media.sandbox`` say to each other.

It is started as ``python -m livefake.media.decoding ORDER`` with the file as standard input. It loads what it needs,
gives up what it does not need (files, connections, processes, memory, time), and only then reads the first byte. What
it finds goes to standard output as records: a fixed header, then as many bytes as the header says.

Nothing it writes is trusted by the other side.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from livefake.media.confine import confine

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from livefake.frame import Bytes

__all__ = ["DECODER", "HEADER", "MOST_A_PLACE", "Fault", "Order", "Tag", "main", "places"]

DECODER: Final = "livefake.media.decoding"
"""This module's name as a program."""

HEADER: Final = struct.Struct("<BBIIdI")
"""Tag, place or fault, width, height, seconds, length of what follows."""

MOST_A_PLACE: Final = 30
"""Pictures that are looked at in each place."""

_RUN: Final = 1.0
"""Seconds of a clip that are looked at in each place."""

_UNSEARCHABLE: Final = (0.0, 4.0, 12.0)
"""Where to look in a clip that does not say how long it is: early, because it is decoded all the way there."""

_RATE: Final = 30.0
_LEAST_A_PLACE: Final = 8
_MOST_SKIPPED: Final = 300
_MOST_DAMAGED: Final = 200
_MICROSECONDS: Final = 1_000_000
_LUMA_FIRST: Final = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray", "yuva420p"}
)
"""Formats of FFmpeg whose first plane is 8-bit luma."""


class Tag(IntEnum):
    """What a record is."""

    CLIP = 1
    """Size and length of the clip, before anything is decoded."""
    PICTURE = 2
    """One picture's luma, row by row."""
    END = 3
    """There is no more."""
    FAULT = 4
    """The file cannot be used."""


class Fault(IntEnum):
    """Why a file cannot be used."""

    UNREADABLE = 1
    """Not what its first bytes say it is."""
    NO_PICTURE = 2
    """Sound alone, or nothing."""
    TOO_MANY_PIXELS = 3
    TOO_LONG = 4
    DAMAGED = 5
    """It opens, and not one picture of it can be decoded."""
    MEMORY = 6
    UNKNOWN_CODEC = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the decoder is to do, and with what it must manage.

    Attributes:
        demuxer: FFmpeg's name of the only reader to try.
        still: the file is one picture.
        looks: in how many places of a clip to look.
        pixels: most pixels of a picture.
        seconds: longest clip.
        memory: bytes of address space for the decoding.
        cpu: seconds of processor time.
    """

    demuxer: str
    still: bool
    looks: int
    pixels: int
    seconds: float
    memory: int
    cpu: int

    def text(self) -> str:
        """The order as an argument of a program."""
        return json.dumps(asdict(self))


def places(seconds: float, looks: int) -> tuple[float, ...]:
    """Where to look in a clip: evenly from its beginning to its end, and never twice at the same pictures.

    Args:
        seconds: how long it is; 0 if it does not say.
        looks: in how many places at most, from 1.

    Returns:
        Seconds from the clip's beginning, rising.
    """
    if seconds <= 0:
        return _UNSEARCHABLE[:looks]
    count = max(1, min(looks, int(seconds / _RUN)))
    last = max(0.0, seconds - _RUN)
    return tuple(last * index / max(1, count - 1) for index in range(count))


def main() -> None:
    """Decode standard input as the first argument orders."""
    order = Order(**json.loads(sys.argv[1]))
    out = os.fdopen(1, "wb", buffering=0)
    _load()
    confine(memory=order.memory, cpu=order.cpu)
    try:
        _decode(order, os.fdopen(0, "rb", buffering=0), out)
    except MemoryError:
        _tell(out, Tag.FAULT, place=Fault.MEMORY)
    except BrokenPipeError:
        # The other side has seen enough.
        pass


def _load() -> None:
    """Decode a picture of our own, so that every module and table is there before files are given up."""
    import av

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(16 * (1 + 3 * 16)))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    with av.open(io.BytesIO(png), "r", format="png_pipe") as container:
        for picture in container.decode(video=0):
            _luma(picture)


def _decode(order: Order, file: BinaryIO, out: BinaryIO) -> None:
    """Write what the file holds."""
    import av
    from av.stream import Disposition

    try:
        container = av.open(file, "r", format=order.demuxer, buffer_size=1 << 18, metadata_errors="replace")
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError):
        _tell(out, Tag.FAULT, place=Fault.UNREADABLE)
        return
    with container:
        streams = container.streams.video
        # The cover of an album is a picture in a file of sound.
        video = next((stream for stream in streams if not stream.disposition & Disposition.attached_pic), None)
        if video is None:
            _tell(out, Tag.FAULT, place=Fault.NO_PICTURE)
            return
        fault = _unfit(container, video, order)
        if fault is not None:
            _tell(out, Tag.FAULT, place=fault)
            return
        coder = video.codec_context
        video.thread_type = "NONE"
        coder.thread_count = 1
        coder.options = {"max_pixels": str(order.pixels)}
        _tell(out, Tag.CLIP, width=coder.width, height=coder.height, seconds=_length(container))
        seen = 0
        for place, at, picture in _looked_at(container, video, order):
            if picture.width * picture.height > order.pixels:
                _tell(out, Tag.FAULT, place=Fault.TOO_MANY_PIXELS)
                return
            luma = _luma(picture)
            height, width = luma.shape
            _tell(out, Tag.PICTURE, place=place, width=width, height=height, seconds=at, content=luma.tobytes())
            seen += 1
        _tell(out, Tag.END if seen else Tag.FAULT, place=0 if seen else Fault.DAMAGED)


def _unfit(container: InputContainer, video: VideoStream, order: Order) -> Fault | None:
    """What speaks against a clip before one picture of it is decoded."""
    # FFmpeg knows codecs by name that it cannot decode; PyAV gives such a stream no context, whatever its types say.
    coder: Any = video.codec_context
    if coder is None:
        return Fault.UNKNOWN_CODEC
    if coder.width * coder.height > order.pixels:
        return Fault.TOO_MANY_PIXELS
    return Fault.TOO_LONG if _length(container) > order.seconds else None


def _length(container: InputContainer) -> float:
    """Seconds that the file says it lasts; 0 if it does not say."""
    return max(0.0, (container.duration or 0) / _MICROSECONDS)


def _looked_at(
    container: InputContainer, video: VideoStream, order: Order
) -> Iterator[tuple[int, float, av.VideoFrame]]:
    """Place, instant in seconds and picture, in every place that is looked at."""
    import av

    searchable, begun = _length(container) > 0, (container.start_time or 0) / _MICROSECONDS
    pictures = _pictures(container, video, begun)
    if order.still:
        yield from ((0, at, picture) for at, picture in islice(pictures, 1))
        return
    last = -1.0
    for place, due in enumerate(places(_length(container), order.looks)):
        if searchable and place:
            with suppress(av.FFmpegError):
                container.seek(int((begun + due) * _MICROSECONDS))
            pictures = _pictures(container, video, begun)
        for at, picture in _run(pictures, last=last, due=due if place else 0.0, searchable=searchable):
            last = at
            yield place, at, picture


def _run(
    pictures: Iterator[tuple[float, av.VideoFrame]], *, last: float, due: float, searchable: bool
) -> Iterator[tuple[float, av.VideoFrame]]:
    """About a second of pictures, 30 of them at most.

    Args:
        pictures: with their instants.
        last: instant of the last picture that was looked at before.
        due: where the run should begin.
        searchable: whether the file was told to go there. It then went to a picture before that which can be decoded
            on its own; only if it did not move at all is it decoded all the way.
    """
    first, step, taken, skipped = None, 1 / _RATE, 0, 0
    moved: bool | None = None
    for at, picture in pictures:
        if moved is None:
            moved = searchable and at > last
        if first is None and skipped < _MOST_SKIPPED and not moved and (at <= last or at < due):
            skipped += 1
            continue
        first = at if first is None else first
        # A little early is in time, because instants are rounded to the clip's own unit.
        if at < first + taken * step - step / 4:
            continue
        yield at, picture
        taken += 1
        if taken >= MOST_A_PLACE or (at - first >= _RUN and taken >= _LEAST_A_PLACE):
            return


def _pictures(container: InputContainer, video: VideoStream, begun: float) -> Iterator[tuple[float, av.VideoFrame]]:
    """Pictures from where the file stands, with their instants from the beginning; damaged ones are left out."""
    import av

    damaged = count = 0
    try:
        for packet in container.demux(video):
            try:
                found = packet.decode()
            except MemoryError:
                raise
            except av.FFmpegError:
                damaged += 1
                if damaged > _MOST_DAMAGED:
                    return
                continue
            for picture in found:
                count += 1
                at = picture.time if picture.time is not None else begun + count / _RATE
                yield at - begun, picture
    except MemoryError:
        raise
    except av.FFmpegError:
        # The end of a file that was cut off.
        return


def _luma(picture: av.VideoFrame) -> Bytes:
    """(height, width) uint8: the upright picture's luma."""
    import numpy as np

    if picture.format.name not in _LUMA_FIRST:
        picture = picture.reformat(format="yuv420p")
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    # Phones write beside the picture how it was held; anticlockwise, in degrees.
    return np.rot90(rows[: picture.height, : picture.width], round(picture.rotation / 90) % 4)


def _tell(
    out: BinaryIO,
    tag: Tag,
    *,
    place: int = 0,
    width: int = 0,
    height: int = 0,
    seconds: float = 0,
    content: bytes = b"",
) -> None:
    """Write one record."""
    record = memoryview(HEADER.pack(tag, place, width, height, seconds, len(content)) + content)
    while record:
        record = record[out.write(record) :]


if __name__ == "__main__":
    main()
