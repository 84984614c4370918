"""An MPEG transport stream (ISO/IEC 13818-1) of encoded pictures and sound, for OBS and other players.

One muxer a reader: it begins with tables and a key frame whenever the reader joins. Settings for the least delay: the
tables come ten times a second, nothing is held back, and the sound goes out as soon as its picture has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, cast

import av

from livefake.media.encode.feed import Encoded, Feed
from livefake.media.muxer import Muxer
from livefake.media.outbox import Outbox
from livefake.media.sound.bus import Chunk, SoundTap

__all__ = ["CONTENT_TYPE", "TsMuxer", "transport_stream"]

CONTENT_TYPE: Final = "video/mp2t"

_OPTIONS: Final = {
    "mpegts_flags": "resend_headers+initial_discontinuity",
    "pat_period": "0.1",
    "flush_packets": "1",
    # Interleaving by the muxer would hold pictures back until sound has come, and there may be none.
    "max_interleave_delta": "1",
}


class TsMuxer:
    """Turns encoded pictures and sound into a transport stream.

    Args:
        sound: whether the stream has sound; it is announced at the start and cannot come later.
    """

    def __init__(self, *, sound: bool) -> None:
        self._sink = Outbox()
        self._container = av.open(self._sink, "w", format="mpegts", options=_OPTIONS)
        self._muxer = Muxer(self._container, sound=sound)

    @property
    def sound(self) -> bool:
        """Whether the stream has sound."""
        return self._muxer.sound

    def picture(self, picture: Encoded) -> bytes:
        """Append a picture; the bytes to send."""
        self._muxer.picture(picture)
        return self._sink.empty()

    def due(self, chunk: Chunk, shown: Encoded) -> bool:
        """Whether the picture that a chunk belongs to has been sent."""
        return self._muxer.due(chunk, shown)

    def chunk(self, chunk: Chunk) -> bytes:
        """Append sound, after at least one picture; the bytes to send. What lies before the start is left out.

        Raises:
            ValueError: the stream has no sound.
        """
        self._muxer.chunk(chunk)
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
