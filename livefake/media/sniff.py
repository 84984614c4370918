"""What a file is by its first bytes, and how large its picture claims to be; nothing is decoded for that.

A name says what somebody wants a file to be taken for, so names are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

__all__ = ["HEAD", "Kind", "claimed_size", "sniff"]

HEAD: Final = 4096
"""Bytes from the beginning of a file that ``sniff`` wants to see."""

_SEGMENTS: Final = 512
_TS_PACKET: Final = 188


@dataclass(frozen=True, slots=True)
class Kind:
    """A format that can be looked at.

    Attributes:
        name: for people.
        demuxer: FFmpeg's name for what reads it; nothing else is tried, so that a file cannot choose its reader.
        suffix: the usual ending of its name, with the dot.
        still: one picture, without time.
    """

    name: str
    demuxer: str
    suffix: str
    still: bool = False


_JPEG: Final = Kind("JPEG", "jpeg_pipe", ".jpg", still=True)
_PNG: Final = Kind("PNG", "png_pipe", ".png", still=True)
_WEBP: Final = Kind("WebP", "webp_pipe", ".webp", still=True)
_GIF: Final = Kind("GIF", "gif", ".gif")
_MP4: Final = Kind("MP4", "mov", ".mp4")
_MATROSKA: Final = Kind("Matroska or WebM", "matroska", ".mkv")
_AVI: Final = Kind("AVI", "avi", ".avi")
_OGG: Final = Kind("Ogg", "ogg", ".ogv")
_TS: Final = Kind("MPEG-TS", "mpegts", ".ts")

_BOXES: Final = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp"})
"""What an MP4 or QuickTime file may begin with."""


def sniff(head: bytes) -> Kind | None:
    """The format of a file, or None for one that is not looked at.

    Args:
        head: its first ``HEAD`` bytes, fewer where there are fewer.
    """
    return next((kind for kind, fits in _SIGNS if fits(head)), None)


def claimed_size(kind: Kind, file: BinaryIO) -> tuple[int, int] | None:
    """Width and height in pixels as a picture's header states them; None where it states none that can be found.

    Only for formats whose decoder would take memory for the whole picture at once; clips state theirs in places that
    their demuxer knows.

    Args:
        kind: of the file.
        file: open for reading; left at an unspecified position.
    """
    measure = _SIZES.get(kind)
    file.seek(0)
    return measure(file) if measure is not None else None


def _is_ts(head: bytes) -> bool:
    # One 0x47 is a letter G; four at the distance of packets are a stream.
    places = range(0, 4 * _TS_PACKET, _TS_PACKET)
    return len(head) > places[-1] and all(head[place] == 0x47 for place in places)


_SIGNS: Final[tuple[tuple[Kind, Callable[[bytes], bool]], ...]] = (
    (_JPEG, lambda head: head.startswith(b"\xff\xd8\xff")),
    (_PNG, lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    (_WEBP, lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP"),
    (_GIF, lambda head: head[:6] in {b"GIF87a", b"GIF89a"}),
    (_MP4, lambda head: head[4:8] in _BOXES),
    (_MATROSKA, lambda head: head.startswith(b"\x1a\x45\xdf\xa3")),
    (_AVI, lambda head: head[:4] == b"RIFF" and head[8:12] == b"AVI "),
    (_OGG, lambda head: head.startswith(b"OggS")),
    (_TS, _is_ts),
)


def _png_size(file: BinaryIO) -> tuple[int, int] | None:
    """From the IHDR chunk (PNG, third edition, section 11.2.1)."""
    head = file.read(24)
    if len(head) < 24 or head[12:16] != b"IHDR":
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _gif_size(file: BinaryIO) -> tuple[int, int] | None:
    """From the logical screen descriptor (GIF89a, section 18)."""
    head = file.read(10)
    return (int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")) if len(head) == 10 else None


def _webp_size(file: BinaryIO) -> tuple[int, int] | None:
    """From the first chunk (RFC 9649, sections 2.5 to 2.7): lossy, lossless or extended."""
    head = file.read(30)
    if len(head) < 30:
        return None
    match head[12:16]:
        case b"VP8X":
            return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
            return width & 0x3FFF, height & 0x3FFF
    return None


_FRAME_HEADERS: Final = re.compile(rb"[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]")


def _jpeg_size(file: BinaryIO) -> tuple[int, int] | None:
    """From the frame header (ITU-T T.81, section B.2.2), past the segments that come before it."""
    file.seek(2)
    for _ in range(_SEGMENTS):
        lead = file.read(2)
        while lead[1:] == b"\xff":  # fill bytes
            lead = lead[1:] + file.read(1)
        if len(lead) < 2 or lead[0] != 0xFF:
            return None
        length = int.from_bytes(file.read(2), "big")
        if length < 2:
            return None
        if _FRAME_HEADERS.fullmatch(lead[1:]):
            field = file.read(5)
            return (int.from_bytes(field[3:5], "big"), int.from_bytes(field[1:3], "big")) if len(field) == 5 else None
        file.seek(length - 2, 1)
    return None


_SIZES: Final[dict[Kind, Callable[[BinaryIO], tuple[int, int] | None]]] = {
    _JPEG: _jpeg_size,
    _PNG: _png_size,
    _WEBP: _webp_size,
    _GIF: _gif_size,
}
