"""MP4 in fragments of about a second: what is on the disk can be played whatever happens next (ISO/IEC 14496-12).

The muxer stands apart from the encoder: it takes packets, whoever made them.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, Final

import av
from av.packet import Packet as AvPacket

from livefake.errors import BadMedia
from livefake.media.packet import TICKS, Packet

__all__ = ["FragmentedWriter", "boxes", "plain_copy", "whole_length"]

_FLAGS: Final = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"


class FragmentedWriter:
    """Writes packets to a file that is complete after each fragment.

    Args:
        file: takes the bytes, in order, unbuffered.
        first: the first packet of the picture, a key picture; it tells the size and the codec's parameters.
        sound: a stream whose form the sound has, such as an encoder's or a reader's; None for a file without.
        notes: texts to put into the file by name, as FFmpeg calls them: comment, description, title.

    Raises:
        av.FFmpegError: the packet is not the beginning of a film.
    """

    def __init__(
        self,
        file: IO[bytes],
        first: Packet,
        *,
        sound: av.AudioStream | None = None,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        options = {"movflags": _FLAGS, "flush_packets": "1"}
        self._file = _OneWay(file)
        self._container = av.open(self._file, "w", format="mp4", options=options)
        self._container.metadata.update(notes or {})
        # FFmpeg reads the parameters out of the packet, as it would out of a file of that format.
        with av.open(io.BytesIO(first.data), format="h264") as beginning:
            video = self._container.add_stream_from_template(beginning.streams.video[0], opaque=True)
            video.time_base = Fraction(1, TICKS)
        self._streams: dict[str, Any] = {"video": video}
        if sound is not None:
            self._streams["audio"] = self._container.add_stream_from_template(sound)

    def write(self, packet: Packet) -> None:
        """Append a packet; a key picture closes the fragment before it and sends that to the file.

        Raises:
            KeyError: the file has no such track.
            OSError, av.FFmpegError: the file cannot be written.
        """
        stream = self._streams[packet.track]
        out = AvPacket(packet.data)
        out.pts = out.dts = packet.pts
        out.time_base = Fraction(1, TICKS)
        out.is_keyframe = packet.key
        out.stream = stream
        with self._file.own_errors():
            self._container.mux_one(out)

    def close(self) -> None:
        """Send the last fragment to the file.

        Raises:
            OSError, av.FFmpegError: the file cannot be written.
        """
        with self._file.own_errors():
            self._container.close()


class _OneWay:
    """A file that the muxer can write to and cannot go back in."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        try:
            # An unbuffered file may take less than it was given.
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
            raise
        return len(data)

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        """Raise what the disk said instead of what FFmpeg makes of it."""
        try:
            yield
        except (OSError, av.FFmpegError) as error:
            if self._error is not None:
                raise self._error from error
            raise


def boxes(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """The boxes at the top of an MP4 file that are all there.

    Yields:
        Kind (4 bytes), first byte and end of each; stops before one that is cut short or is none.
    """
    size = file.seek(0, os.SEEK_END)
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1 and at + 16 <= size:
            [length], header = struct.unpack(">Q", file.read(8)), 16
        if length < header or at + length > size:
            return
        yield kind, at, at + length
        at += length


def whole_length(file: IO[bytes]) -> int:
    """Where the last whole fragment of a file ends, bytes; 0 when there is none."""
    end, head, last = 0, False, b""
    for kind, _, until in boxes(file):
        head = head or kind == b"moov"
        if head and kind == b"mdat" and last == b"moof":
            end = until
        last = kind
    return end


def plain_copy(source: Path, target: Path, notes: Mapping[str, str]) -> None:
    """Copy a file in fragments into one that any player can search: the index at the front, nothing encoded anew.

    Args:
        source: whole fragments.
        target: where to; an existing file is replaced.
        notes: texts to put into the file, by name.

    Raises:
        BadMedia: the source cannot be read, or the target cannot be written.
    """
    options = {"movflags": "+faststart"}
    try:
        with av.open(str(source)) as fragments, av.open(str(target), "w", format="mp4", options=options) as plain:
            plain.metadata.update(notes)
            tracks = [*fragments.streams.video, *fragments.streams.audio]
            streams = {track.index: plain.add_stream_from_template(track, opaque=True) for track in tracks}
            for packet in fragments.demux(tracks):
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    plain.mux_one(packet)
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadMedia(f"{source} cannot be finished: {reason}.", "Make room on the disk, and start again.") from error
