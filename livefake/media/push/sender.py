"""One connection with one stream on it: pictures and sound in, bytes of a container out to a link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import av

from livefake.media.encode.feed import Encoded
from livefake.media.muxer import Muxer
from livefake.media.outbox import Outbox
from livefake.media.push.address import Address, Scheme
from livefake.media.push.link import Link, RtmpLink
from livefake.media.push.srt import SrtLink
from livefake.media.sound.bus import Chunk

__all__ = ["Sender", "make_link"]

_PATIENCE: Final = 10.0
"""Seconds that a server may be silent before it counts as gone."""
_INTERLEAVE: Final = {"max_interleave_delta": "500000", "flush_packets": "1"}
"""Sound and pictures go out in the order of their times, as long as sound keeps pace within half a second."""
_FORMATS: Final = {
    Scheme.RTMP: ("flv", {"flvflags": "no_duration_filesize"}),
    Scheme.RTMPS: ("flv", {"flvflags": "no_duration_filesize"}),
    Scheme.SRT: ("mpegts", {"mpegts_flags": "resend_headers", "pat_period": "0.1"}),
}


def make_link(address: Address) -> Link:
    """A link to an address, not connected yet.

    Raises:
        BadRequest: an option of the address is unknown or wrong.
        LivefakeError: a library that it needs is not on this computer.
    """
    if address.scheme is Scheme.SRT:
        return SrtLink(address, patience=_PATIENCE)
    return RtmpLink(address, patience=_PATIENCE)


class Sender:
    """Sends pictures of one size. Everything belongs on one thread that may wait.

    Args:
        scheme: decides the container.
        link: carries its bytes.
        size: width and height of the pictures.
    """

    def __init__(self, scheme: Scheme, link: Link, size: tuple[int, int]) -> None:
        format, options = _FORMATS[scheme]
        self._link = link
        self._outbox = Outbox()
        self._container = av.open(self._outbox, "w", format=format, options=options | _INTERLEAVE)
        # Always with sound: many platforms take no stream without.
        self._muxer = Muxer(self._container, sound=True, width=size[0], height=size[1])

    def send(self, picture: Encoded, chunks: Sequence[Chunk]) -> int:
        """Send a picture and the sound that has become due with it.

        Returns:
            Bytes that were sent.

        Raises:
            LivefakeError: the connection is lost.
        """
        self._muxer.picture(picture)
        for chunk in chunks:
            self._muxer.chunk(chunk)
        self._muxer.silence(picture)
        return self._link.write(self._outbox.empty())

    def finish(self) -> None:
        """End the stream in good order, as far as that can be done."""
        self._container.close()
        self._link.finish()

    def drop(self) -> None:
        """Give the container back after a failure; what it still holds goes nowhere."""
        self._container.close()
