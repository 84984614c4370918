"""Plays a video file in real time: pictures and sound come out when they are due, as from a camera."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import av
import numpy as np

from livefake.clock import Clock, Nanos
from livefake.errors import BadMedia
from livefake.frame import Frame
from livefake.media.file import FileReader
from livefake.media.sound.bus import CHANNELS, RATE, Chunk

__all__ = ["play"]

_BEHIND: Final[Nanos] = 500_000_000
"""A player that is so late goes on from now, and does not race to catch up."""
_WAITING: Final = 500
_SECOND: Final[Nanos] = 1_000_000_000


def play(path: Path, *, again: bool, clock: Clock, sleep: Callable[[float], object]) -> Generator[Frame | Chunk]:
    """Play a file.

    Args:
        path: any file with video that FFmpeg reads.
        again: whether it begins anew at its end, for ever.
        clock: stamps what comes out.
        sleep: waits that many seconds.

    Yields:
        Frames when they are due, their times rising over all runs, and sound that belongs to them.

    Raises:
        BadMedia: it cannot be read, or has no picture that can be decoded.
    """
    begun, passed = clock(), 0
    while True:
        with FileReader(path, clock=clock) as reader:
            sound = _Sound()
            first: Nanos | None = None
            due = passed
            for item in reader:
                if not isinstance(item, Frame):
                    sound.decode(item)
                    continue
                first = item.instant if first is None else first
                due = passed + item.instant - first
                now = clock()
                if now - begun - due > _BEHIND:
                    begun = now - due
                elif begun + due > now:
                    sleep((begun + due - now) / 1e9)
                yield from sound.until(item.instant, shift=begun + passed - first)
                item.arrived, item.taken = clock(), begun + due
                item.pts += round(passed / 1e9 / item.time_base)
                yield item
            if first is None:
                raise BadMedia(f"{path} has no picture that can be decoded.")
            passed = due + round(_SECOND / reader.rate)
        if not again:
            return


class _Sound:
    """Decoded sound of a file that is not due yet; at most 500 pieces wait, then the oldest goes."""

    def __init__(self) -> None:
        self._resampler = av.AudioResampler(format="s16", layout="stereo", rate=RATE)
        self._waiting: deque[Chunk] = deque(maxlen=_WAITING)

    def decode(self, packet: av.Packet[Any]) -> None:
        """Take a packet of sound; what is damaged in it is left out."""
        with suppress(av.FFmpegError):
            for frame in cast(list[av.AudioFrame], packet.decode()):
                if frame.time is None:
                    continue
                at = round(frame.time * 1e9)
                for piece in self._resampler.resample(frame):
                    samples = np.ascontiguousarray(piece.to_ndarray(), np.int16).reshape(-1, CHANNELS)
                    self._waiting.append(Chunk(samples, at))
                    at += len(samples) * _SECOND // RATE

    def until(self, instant: Nanos, *, shift: Nanos) -> Iterator[Chunk]:
        """What is due.

        Args:
            instant: by the file's own time.
            shift: from there to the clock.
        """
        while self._waiting and self._waiting[0].arrived <= instant:
            chunk = self._waiting.popleft()
            yield Chunk(chunk.samples, chunk.arrived + shift)
