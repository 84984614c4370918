"""Video files in and out, through PyAV: the picture frame by frame, the sound passed on untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import av
import numpy as np
from av.packet import Packet

from livefake.clock import Clock
from livefake.errors import BadMedia
from livefake.frame import Frame
from livefake.media.picture import to_frame
from livefake.trust.seal import Sealed

__all__ = ["FileReader", "FileWriter"]

_NOTE: Final = "The face in this video was replaced by AI (livefake)."


class FileReader:
    """Reads a video file.

    Args:
        path: any file that FFmpeg reads.
        clock: stamps each frame's arrival.

    Raises:
        BadMedia: it cannot be opened, or has no video.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        try:
            self._container = av.open(str(path))
        except (av.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise BadMedia(f"{path} cannot be read as a video: {reason}.") from error
        if not self._container.streams.video:
            self._container.close()
            raise BadMedia(f"{path} has no video in it.")
        self._path = path
        self._clock = clock
        self._video = self._container.streams.video[0]
        self._video.thread_type = "AUTO"
        self.audio = self._container.streams.audio[0] if self._container.streams.audio else None

    @property
    def frames(self) -> int:
        """How many frames the file says it has, or an estimate; 0 if it says nothing."""
        if self._video.frames:
            return int(self._video.frames)
        duration = self._container.duration
        return round(duration / av.time_base * float(self.rate)) if duration else 0

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""
        return Fraction(self._video.average_rate or 30)

    @property
    def seconds(self) -> float:
        """How long the file says it is; 0 if it says nothing."""
        return (self._container.duration or 0) / av.time_base

    @property
    def start(self) -> float:
        """Instant of the first picture by the file's own time stamps, seconds; 0 if the file does not say."""
        begun, unit = self._video.start_time, self._video.time_base
        return float(begun * unit) if begun and unit else 0.0

    def seek(self, at: float) -> None:
        """Go on from the last picture at or before an instant that can be decoded on its own.

        Args:
            at: seconds by the file's own time stamps. Where a file cannot be searched, reading goes on where it is.
        """
        with suppress(av.FFmpegError):
            self._container.seek(max(0, int(at * av.time_base)))

    def __iter__(self) -> Iterator[Frame | Packet[Any]]:
        """Frames and packets of sound, in the order of the file.

        Raises:
            BadMedia: the file is damaged beyond what the decoder mends.
        """
        streams = [self._video] if self.audio is None else [self._video, self.audio]
        last = -1
        try:
            for packet in self._container.demux(streams):
                if packet.stream is self.audio:
                    if packet.dts is not None:
                        yield packet
                    continue
                for picture in packet.decode():
                    if isinstance(picture, av.VideoFrame):
                        frame = _upright(to_frame(picture, self._clock()), picture.rotation)
                        # Damaged files repeat time stamps or lack them; encoders want them to rise.
                        frame.pts = last = max(last + 1, frame.pts)
                        yield frame
        except av.FFmpegError as error:
            raise BadMedia(f"{self._path} is damaged: {error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._container.close()


def _upright(frame: Frame, rotation: float) -> Frame:
    """Undo the rotation that phones write beside the picture; ``rotation`` is anticlockwise in degrees."""
    turns = round(rotation / 90) % 4
    if not turns:
        return frame
    planes = [np.rot90(plane, turns) for plane in (frame.y, frame.u, frame.v)]
    height, width = planes[0].shape
    i420 = np.concatenate([plane.ravel() for plane in planes]).reshape(height * 3 // 2, width)
    return Frame(i420, frame.pts, frame.arrived, frame.time_base)


class FileWriter:
    """Writes sealed pictures, and a reader's sound, to a signed MP4 file.

    The file appears under its name when it is complete; when anything goes wrong nothing is left behind.

    Args:
        path: where to; an existing file is replaced.
        reader: gives the rate and the sound.
        sign: writes a signed copy of its first file to its second; raises LivefakeError.
    """

    def __init__(self, path: Path, reader: FileReader, *, sign: Callable[[Path, Path], None]) -> None:
        self._path = path
        self._sign = sign
        self._half = path.with_name(f".{path.stem}.part.mp4")
        self._rate = reader.rate
        self._sound = reader.audio
        self._waiting: list[Packet[Any]] = []
        self._video: av.VideoStream | None = None
        self._audio: av.AudioStream | None = None

    def __enter__(self) -> Self:
        try:
            self._container = av.open(str(self._half), "w", format="mp4", options={"movflags": "+faststart"})
        except (av.FFmpegError, OSError) as error:
            raise self._unwritten(error) from error
        self._container.metadata["comment"] = _NOTE
        return self

    def write(self, sealed: Sealed, *, pts: int) -> None:
        """Append a picture.

        Args:
            sealed: the picture.
            pts: when to show it, in the picture's time base; a held picture is shown again later than its own.

        Raises:
            BadMedia: the picture has another size than the first one, the disk is full, or the encoder failed.
        """
        frame = sealed.frame
        video = self._video or self._start(frame)
        if (frame.width, frame.height) != (video.width, video.height):
            raise BadMedia(
                f"The picture should stay {video.width} x {video.height} through the file, it becomes"
                f" {frame.width} x {frame.height}.",
                "Cut the file where its size changes.",
            )
        picture = av.VideoFrame.from_ndarray(frame.i420, format="yuv420p")
        picture.pts, picture.time_base = pts, frame.time_base
        try:
            self._container.mux(video.encode(picture))
        except (av.FFmpegError, OSError) as error:
            raise self._unwritten(error) from error

    def pass_on(self, packet: Packet[Any]) -> None:
        """Append a packet of the reader's sound as it is.

        Raises:
            BadMedia: the disk is full.
        """
        if self._video is None:
            # The header names all streams, so nothing is written before the size of the picture is known.
            self._waiting.append(packet)
            return
        packet.stream = self._audio
        try:
            self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            raise self._unwritten(error) from error

    def _start(self, frame: Frame) -> av.VideoStream:
        video = self._container.add_stream("libx264", rate=self._rate, options={"preset": "veryfast", "crf": "19"})
        video.width, video.height, video.pix_fmt = frame.width, frame.height, "yuv420p"
        video.codec_context.time_base = frame.time_base
        if self._sound is not None:
            try:
                self._audio = self._container.add_stream_from_template(self._sound)
            except ValueError as error:
                raise BadMedia(
                    f"MP4 cannot carry the sound of the input ({self._sound.codec_context.name}).",
                    "Convert the sound to AAC first.",
                ) from error
        self._video = video
        waiting, self._waiting = self._waiting, []
        for packet in waiting:
            self.pass_on(packet)
        return video

    def _unwritten(self, error: Exception) -> BadMedia:
        reason = getattr(error, "strerror", None) or str(error)
        return BadMedia(f"{self._path} cannot be written: {reason}.", "Choose another place, or make room.")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None and self._video is not None:
                self._container.mux(self._video.encode(None))
            self._container.close()
            if error is None and self._video is not None:
                self._sign(self._half, self._path)
        except (av.FFmpegError, OSError) as failure:
            if error is None:
                raise self._unwritten(failure) from failure
        finally:
            self._half.unlink(missing_ok=True)
