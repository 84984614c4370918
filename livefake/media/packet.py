"""What a film is made of: encoded pictures and sound, each with its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["TICKS", "Packet", "Track"]

TICKS: Final = 90_000
"""Units of time a second, of pictures and packets: the RTP clock of video."""

Track = str
"""Which of a file's tracks a packet belongs to: ``video`` or ``audio``."""


@dataclass(frozen=True, slots=True)
class Packet:
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
