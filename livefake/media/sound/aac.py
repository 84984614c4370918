"""Sound for a film, in AAC."""

from __future__ import annotations

import io
from typing import Final

import av

from livefake.media.packet import TICKS, Packet
from livefake.media.sound.bus import RATE, Chunk
from livefake.media.sound.line import Line

__all__ = ["AacEncoder"]

_BITS: Final = 128_000


class AacEncoder:
    """Encodes chunks of sound.

    Attributes:
        stream: has the form of what comes out, for a writer.
    """

    def __init__(self) -> None:
        # FFmpeg's settings for a container come with a stream, and a stream with a container, which stays empty.
        self._nowhere = av.open(io.BytesIO(), "w", format="mp4")
        self.stream = self._nowhere.add_stream("aac", rate=RATE)
        self.stream.layout = "stereo"
        self.stream.bit_rate = _BITS
        self.stream.codec_context.open()
        self._line = Line()

    def encode(self, chunk: Chunk, at: int) -> list[Packet]:
        """Take a chunk, give what is ready.

        Args:
            chunk: sound.
            at: when it is heard, in ``TICKS`` from the film's start.

        Raises:
            av.FFmpegError: the encoder failed.
        """
        frame = self._line.place(chunk, at * RATE // TICKS)
        if frame is None:
            return []
        packets = ((bytes(packet), packet.pts or 0) for packet in self.stream.codec_context.encode(frame))
        # The first packet is from before the sound, for the decoder to swing in: a film does not begin before 0.
        return [Packet(data, pts * TICKS // RATE, True, "audio") for data, pts in packets if pts >= 0]

    def close(self) -> None:
        """Give the encoder back."""
        self._nowhere.close()
