"""An MPEG transport stream (ISO/IEC 13818-1) of encoded pictures and sound, for OBS and other players.

One muxer a reader: it begins with tables and a key frame whenever the reader joins. Settings for the least delay: the
tables come ten times a second, nothing is held back, and the sound goes out as soon as its picture has.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any, Final, cast

import av
from av.audio.stream import AudioStream

from livefake.frame import RTP_CLOCK
from livefake.media.encode.feed import Encoded, Feed
from livefake.media.encode.stretch import Stretch
from livefake.media.sound.bus import RATE, Chunk, SoundTap
from livefake.media.sound.line import Line

__all__ = ["CONTENT_TYPE", "TsMuxer", "transport_stream"]

CONTENT_TYPE: Final = "video/mp2t"

_OPTIONS: Final = {
    "mpegts_flags": "resend_headers+initial_discontinuity",
    "pat_period": "0.1",
    "flush_packets": "1",
    # Interleaving by the muxer would hold pictures back until sound has come, and there may be none.
    "max_interleave_delta": "1",
}
_LEAD: Final = RTP_CLOCK.denominator
"""Ticks in front of the first picture, so that sound that belongs before it has a time too."""
_SOUND_BITS: Final = 128_000


class _Sink(io.RawIOBase):
    """Where the muxer writes; emptied after each packet."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def empty(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


class TsMuxer:
    """Turns encoded pictures and sound into a transport stream.

    Args:
        sound: whether the stream has sound; it is announced at the start and cannot come later.
    """

    def __init__(self, *, sound: bool) -> None:
        self._sink = _Sink()
        self._container = av.open(self._sink, "w", format="mpegts", options=_OPTIONS)
        self._video = self._container.add_mux_stream("h264", rate=30, width=1280, height=720)
        self._video.time_base = RTP_CLOCK
        self._audio: AudioStream | None = None
        if sound:
            self._audio = self._container.add_stream("aac", rate=RATE)
            self._audio.layout = "stereo"
            self._audio.bit_rate = _SOUND_BITS
            self._audio.time_base = Fraction(1, RATE)
        self._first: int | None = None
        self._stretch = Stretch()
        self._line = Line()

    @property
    def sound(self) -> bool:
        """Whether the stream has sound."""
        return self._audio is not None

    def picture(self, picture: Encoded) -> bytes:
        """Append a picture; the bytes to send."""
        if self._first is None:
            self._first = picture.ticks - _LEAD
        self._stretch.see(picture.ticks, picture.arrived)
        packet: av.Packet[Any] = av.Packet(picture.data)
        packet.stream = self._video
        packet.pts = packet.dts = picture.ticks - self._first
        packet.time_base = RTP_CLOCK
        packet.is_keyframe = picture.key
        self._container.mux(packet)
        return self._sink.empty()

    def due(self, chunk: Chunk, shown: Encoded) -> bool:
        """Whether the picture that a chunk belongs to has been sent."""
        return chunk.arrived <= shown.arrived

    def chunk(self, chunk: Chunk) -> bytes:
        """Append sound, after at least one picture; the bytes to send. What lies before the start is left out.

        Raises:
            ValueError: the stream has no sound.
        """
        if self._audio is None:
            raise ValueError("this transport stream was opened without sound")
        ticks = self._stretch.ticks(chunk.arrived)
        if ticks is None or self._first is None or ticks < self._first:
            return b""
        frame = self._line.place(chunk, (ticks - self._first) * RATE // RTP_CLOCK.denominator)
        if frame is None:
            return b""
        for packet in self._audio.encode(frame):
            self._container.mux(packet)
        return self._sink.empty()

    def close(self) -> None:
        """Give the muxer back; what it still holds is not wanted by a live reader."""
        self._container.close()


async def transport_stream(feed: Feed, sound: SoundTap | None) -> AsyncIterator[bytes]:
    """The bytes for one reader, from the next key frame on, until the session ends or the reader goes.

    Args:
        feed: pictures in H.264.
        sound: of the same session; None for a silent stream.
    """
    muxer = TsMuxer(sound=sound is not None)
    try:
        while (picture := await feed.take()) is not None:
            data = muxer.picture(picture)
            while sound is not None and (chunk := sound.peek()) is not None and muxer.due(chunk, picture):
                data += muxer.chunk(cast(Chunk, sound.take_now()))
            if data:
                yield data
    finally:
        feed.close()
        if sound is not None:
            sound.close()
        muxer.close()
