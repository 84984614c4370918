"""Encoded pictures and sound into one container, each sound beside the picture it belongs to."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer

from livefake.frame import RTP_CLOCK
from livefake.media.encode.feed import Encoded
from livefake.media.encode.stretch import Stretch
from livefake.media.sound.bus import CHANNELS, RATE, Chunk
from livefake.media.sound.line import Line

__all__ = ["Muxer"]

_LEAD: Final = RTP_CLOCK.denominator
"""Ticks in front of the first picture, so that sound that belongs before it has a time too."""
_SOUND_BITS: Final = 128_000
_SILENT_AFTER: Final = RATE // 2
_SILENCE_BEHIND: Final = RATE // 4


class Muxer:
    """Lays pictures and sound on the time line of a container.

    Args:
        container: just opened, still without streams; whoever opened it closes it.
        sound: whether the stream has sound; it is announced at the start and cannot come later.
        width, height: of the pictures, pixels; containers that tell the size in front tell this one.
    """

    def __init__(self, container: OutputContainer, *, sound: bool, width: int = 1280, height: int = 720) -> None:
        self._container = container
        self._video = container.add_mux_stream("h264", rate=30, width=width, height=height)
        self._video.time_base = RTP_CLOCK
        self._audio: AudioStream | None = None
        if sound:
            self._audio = container.add_stream("aac", rate=RATE)
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

    def picture(self, picture: Encoded) -> None:
        """Append a picture."""
        if self._first is None:
            self._first = picture.ticks - _LEAD
        self._stretch.see(picture.ticks, picture.instant, card=picture.card)
        packet: av.Packet[Any] = av.Packet(picture.data)
        packet.stream = self._video
        packet.pts = packet.dts = picture.ticks - self._first
        packet.time_base = RTP_CLOCK
        packet.is_keyframe = picture.key
        self._container.mux(packet)

    def due(self, chunk: Chunk, shown: Encoded) -> bool:
        """Whether the picture that a chunk belongs to has been appended."""
        return chunk.arrived <= shown.instant

    def chunk(self, chunk: Chunk) -> None:
        """Append sound, after at least one picture. What lies before the start is left out.

        Raises:
            ValueError: the stream has no sound.
        """
        if self._audio is None:
            raise ValueError("this stream was opened without sound")
        ticks = self._stretch.ticks(chunk.arrived)
        if ticks is None or self._first is None or ticks < self._first:
            return
        place = (ticks - self._first) * RATE // RTP_CLOCK.denominator
        frame = self._line.place(chunk, place)
        if frame is not None:
            self._encode(frame)

    def silence(self, shown: Encoded) -> None:
        """Append silence where no sound has come for half a second of pictures.

        For receivers that wait for the sound that was announced before they show a picture.
        """
        if self._audio is None or self._first is None:
            return
        place = (shown.ticks - self._first) * RATE // RTP_CLOCK.denominator
        end = place - _SILENT_AFTER if self._line.end is None else self._line.end
        if place - end >= _SILENT_AFTER:
            count = place - end - _SILENCE_BEHIND
            # After a long gap only its end is filled: what nobody hears need not be encoded.
            if count > RATE:
                end, count = end + count - RATE, RATE
            self._encode(self._line.put(np.zeros((count, CHANNELS), np.int16), end))

    def _encode(self, frame: av.AudioFrame) -> None:
        assert self._audio is not None
        for packet in self._audio.encode(frame):
            self._container.mux(packet)
