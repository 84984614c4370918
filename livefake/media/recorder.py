"""Keeps what is shown and heard, as a film that a crash cannot take away."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

import av

from livefake.errors import LivefakeError
from livefake.media.encode.feed import Encoded
from livefake.media.encode.stretch import Stretch
from livefake.media.fragments import FragmentedWriter
from livefake.media.packet import TICKS, Packet
from livefake.media.sound.aac import AacEncoder
from livefake.media.sound.bus import Chunk

__all__ = ["RESERVE", "Phase", "Recorder", "Recording", "room_for"]

RESERVE: Final = 64 << 20
"""Bytes that a recording leaves free on the disk for everybody else."""

_DEEPEST: Final = 64
_KEY_EVERY: Final = TICKS
_PATIENCE: Final = 0.2
_GOODBYE: Final = 1.5

_log = logging.getLogger(__name__)


class Phase(StrEnum):
    """Where a recording stands."""

    RECORDING = "recording"
    FINISHING = "finishing"
    """Nothing more is taken; the film is completed and signed."""
    SAVED = "saved"
    FAILED = "failed"
    """There is no signed film; what was kept of it is looked at again at the next start."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording at one moment.

    Attributes:
        phase: where it stands.
        seconds: how long the film is.
        bytes: how large.
        dropped: pictures and pieces of sound that it lacks because the disk was slow, or others before them are
            missing.
        problem: what ended it early or made it fail, one sentence; empty when nothing did.
        file: where the film is or will be.
    """

    phase: Phase
    seconds: float
    bytes: int
    dropped: int
    problem: str
    file: str


def room_for(free: int, written: int) -> bool:
    """Whether a recording may go on.

    Args:
        free: bytes left on the disk.
        written: bytes of the film so far: completing and signing it needs that much again, twice.
    """
    return free >= 2 * written + RESERVE


class Recorder:
    """Writes encoded pictures, and sound, to a file in fragments of a second, on a thread of its own.

    Pictures and sound wait in one queue of 64 places; what finds no place is dropped and counted. Encoded pictures
    build on each other: after one that is missing, nothing is taken before the next that stands on its own. What shows
    a real person under another grant than the recording's own is never taken, and nothing that builds on it.

    Args:
        file: an empty file, open for writing and unbuffered; closed here, once the film is finished.
        path: where the film is going to be.
        grant: id of the consent under which it is made; empty where no real person is in it.
        sound: whether the film has sound.
        notes: texts to put into the file, by name.
        free: tells the bytes left on the disk.
        finish: completes and signs the film once the file is whole, and returns its size; raises LivefakeError.

    Attributes:
        deepest: most pictures and pieces of sound that ever waited, 0 to 64.
    """

    def __init__(
        self,
        file: IO[bytes],
        path: Path,
        *,
        grant: str,
        sound: bool = False,
        notes: Mapping[str, str],
        free: Callable[[], int],
        finish: Callable[[], int],
    ) -> None:
        self.grant = grant
        self.sound = sound
        self._file = file
        self._path = path
        self._notes = dict(notes)
        self._free = free
        self._finish = finish
        self._waiting: queue.Queue[Encoded | Chunk] = queue.Queue(_DEEPEST)
        self._stopping = threading.Event()
        self._phase = Phase.RECORDING
        self._problem = ""
        self._dropped = self._bytes = self.deepest = 0
        self._last = 0
        self._size: tuple[int, int] | None = None
        self._skipping = True
        self._keyed = 0
        self._thread = threading.Thread(target=self._work, name=f"recorder-{path.stem}", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Pictures and pieces of sound that wait now, 0 to 64."""
        return self._waiting.qsize()

    def report(self) -> Recording:
        """How the recording is doing right now."""
        phase = self._phase
        if phase is Phase.RECORDING and self._stopping.is_set():
            phase = Phase.FINISHING
        return Recording(phase, self._last / TICKS, self._bytes, self._dropped, self._problem, str(self._path))

    def fits(self, picture: Encoded) -> bool:
        """Whether a picture has the size of those before it; all pictures of a film have one size."""
        return self._size in (None, (picture.width, picture.height))

    def put(self, picture: Encoded) -> bool:
        """Take the next picture, in H.264, or leave it out. Returns at once.

        Returns:
            Whether a picture is wanted that stands on its own: after a gap, and once a second, as a film can be
            entered and broken off there.
        """
        if self.report().phase is not Phase.RECORDING or not self.fits(picture):
            return False
        if picture.grant not in ("", self.grant):
            self._skipping = True
            return False
        if self._skipping and not picture.key:
            self._dropped += 1
            return True
        self._skipping = not self._wait(picture)
        if not self._skipping:
            self._size = picture.width, picture.height
            self._keyed = picture.ticks if picture.key else self._keyed
        return self._skipping or picture.ticks - self._keyed >= _KEY_EVERY

    def hear(self, chunk: Chunk) -> None:
        """Take the sound of a picture that was put; without pictures there is none. Returns at once."""
        if self.sound and not self._skipping and self.report().phase is Phase.RECORDING:
            self._wait(chunk)

    def _wait(self, item: Encoded | Chunk) -> bool:
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self._dropped += 1
            return False
        self.deepest = max(self.deepest, self.depth)
        return True

    def stop(self, problem: str = "") -> None:
        """Take nothing more, and begin to finish the film. Returns at once; safe to call twice.

        Args:
            problem: what ends it early, one sentence; empty when nothing does.
        """
        self._problem = self._problem or problem
        self._stopping.set()

    def join(self, within: float | None = None) -> bool:
        """Wait until the film is finished.

        Args:
            within: seconds to wait at most; None for as long as it takes.

        Returns:
            Whether it is.
        """
        self._thread.join(within)
        return not self._thread.is_alive()

    async def close(self) -> None:
        """Finish the film; a long one goes on being signed after this has returned. Safe to call twice."""
        self.stop()
        await asyncio.to_thread(self.join, _GOODBYE)

    def _work(self) -> None:
        try:
            self._record()
        except (OSError, av.FFmpegError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            self._problem = f"The recording ended because it could not be written: {reason}."
        except Exception:
            _log.exception("The recording %s ended", self._path)
            self._problem = "The recording ended because of a fault in livefake."
        self._phase = Phase.FINISHING
        try:
            self._bytes = self._finish()
            self._phase = Phase.SAVED
        except LivefakeError as error:
            self._problem = f"{self._problem} {error}".strip()
            self._phase = Phase.FAILED
        except Exception:
            _log.exception("The recording %s could not be finished", self._path)
            self._problem = f"{self._problem} The film could not be finished because of a fault in livefake.".strip()
            self._phase = Phase.FAILED
        finally:
            with suppress(OSError):
                self._file.close()
        if self._problem:
            _log.warning("%s", self._problem)

    def _record(self) -> None:
        film = _Film(self._file, self._notes, AacEncoder() if self.sound else None)
        synced = 0
        try:
            while (item := self._next()) is not None:
                self._last = film.write(item)
                size = self._file.tell()
                if size > synced:
                    os.fsync(self._file.fileno())
                    self._bytes = synced = size
                    if not room_for(self._free(), size):
                        self._problem = "The disk is nearly full, so the recording ended."
                        break
        finally:
            film.close()
            os.fsync(self._file.fileno())
            self._bytes = self._file.tell()

    def _next(self) -> Encoded | Chunk | None:
        """What comes next; None once it was stopped and nothing waits."""
        while True:
            try:
                return self._waiting.get(timeout=_PATIENCE)
            except queue.Empty:
                if self._stopping.is_set():
                    return None


class _Film:
    """Puts pictures and sound into a file, at times that begin at 0."""

    def __init__(self, file: IO[bytes], notes: Mapping[str, str], voice: AacEncoder | None) -> None:
        self._file = file
        self._notes = notes
        self._voice = voice
        self._writer: FragmentedWriter | None = None
        self._first = self._last = 0
        self._stretch = Stretch()

    def write(self, item: Encoded | Chunk) -> int:
        """Append a picture or sound; when the film shows its last picture, in ``TICKS``."""
        if isinstance(item, Chunk):
            self._hear(item)
            return self._last
        self._first = item.ticks if self._writer is None else self._first
        self._last = item.ticks - self._first
        self._stretch.see(item.ticks, item.instant, card=item.card)
        packet = Packet(item.data, self._last, item.key)
        if self._writer is None:
            stream = None if self._voice is None else self._voice.stream
            self._writer = FragmentedWriter(self._file, packet, sound=stream, notes=self._notes)
        self._writer.write(packet)
        return self._last

    def _hear(self, chunk: Chunk) -> None:
        ticks = self._stretch.ticks(chunk.arrived)
        if self._voice is None or self._writer is None or ticks is None or ticks < self._first:
            return
        for packet in self._voice.encode(chunk, ticks - self._first):
            self._writer.write(packet)

    def close(self) -> None:
        """Send the last fragment to the file."""
        if self._voice is not None:
            self._voice.close()
        if self._writer is not None:
            self._writer.close()
