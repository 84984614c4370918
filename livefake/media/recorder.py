"""A sink that keeps what is shown, as a film that a crash cannot take away."""

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
from livefake.media.encoder import TICKS, Encoded, H264Encoder
from livefake.media.filmtime import FilmTime
from livefake.media.fragments import FragmentedWriter
from livefake.media.letterbox import fit
from livefake.trust.seal import Sealed

__all__ = ["RESERVE", "Phase", "Recorder", "Recording", "room_for"]

RESERVE: Final = 64 << 20
"""Bytes that a recording leaves free on the disk for everybody else."""

_DEEPEST: Final = 8
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
        dropped: pictures that it lacks because encoder or disk were slow.
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
    """Encodes sealed pictures on a thread of its own and writes them to a file in fragments of a second.

    Up to eight pictures wait for the encoder; one that finds no place is dropped and counted. All have the size of the
    first: others are scaled and get bars. What shows a real person under another grant than the recording's own is
    never taken.

    Args:
        file: an empty file, open for writing and unbuffered; closed here, once the film is finished.
        path: where the film is going to be.
        grant: id of the consent under which it is made; empty where no real person is in it.
        notes: texts to put into the file, by name.
        free: tells the bytes left on the disk.
        finish: completes and signs the film once the file is whole, and returns its size; raises LivefakeError.

    Attributes:
        deepest: most pictures that ever waited for the encoder, 0 to 8.
    """

    name = "recording"

    def __init__(
        self,
        file: IO[bytes],
        path: Path,
        *,
        grant: str,
        notes: Mapping[str, str],
        free: Callable[[], int],
        finish: Callable[[], int],
    ) -> None:
        self.grant = grant
        self._file = file
        self._path = path
        self._notes = dict(notes)
        self._free = free
        self._finish = finish
        self._waiting: queue.Queue[Sealed] = queue.Queue(_DEEPEST)
        self._stopping = threading.Event()
        self._phase = Phase.RECORDING
        self._problem = ""
        self._dropped = self._bytes = self.deepest = 0
        self._last = 0
        self._thread = threading.Thread(target=self._work, name=f"recorder-{path.stem}", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Pictures that wait for the encoder now, 0 to 8."""
        return self._waiting.qsize()

    def report(self) -> Recording:
        """How the recording is doing right now."""
        phase = self._phase
        if phase is Phase.RECORDING and self._stopping.is_set():
            phase = Phase.FINISHING
        return Recording(phase, self._last / TICKS, self._bytes, self._dropped, self._problem, str(self._path))

    def show(self, sealed: Sealed) -> None:
        """Take the newest picture. Returns at once."""
        if self.report().phase is not Phase.RECORDING:
            return
        if sealed.frame.grant not in ("", self.grant):
            return
        try:
            self._waiting.put_nowait(sealed)
            self.deepest = max(self.deepest, self.depth)
        except queue.Full:
            self._dropped += 1

    def stop(self) -> None:
        """Take nothing more, and begin to finish the film. Returns at once; safe to call twice."""
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
        timeline = FilmTime()
        encoder: H264Encoder | None = None
        writer: FragmentedWriter | None = None
        synced = 0
        try:
            while (sealed := self._next()) is not None:
                frame = sealed.frame
                encoder = encoder or H264Encoder(frame.width, frame.height)
                at = timeline.place(frame.instant, frame.arrived)
                writer = self._write(writer, encoder.encode(fit(frame, encoder.width, encoder.height), at))
                self._last = at
                size = self._file.tell()
                if size > synced:
                    os.fsync(self._file.fileno())
                    self._bytes = synced = size
                    if not room_for(self._free(), size):
                        self._problem = "The disk is nearly full, so the recording ended."
                        break
        finally:
            if encoder is not None:
                writer = self._write(writer, encoder.flush())
            if writer is not None:
                writer.close()
                os.fsync(self._file.fileno())
                self._bytes = self._file.tell()

    def _next(self) -> Sealed | None:
        """The next picture; None once it was stopped and none waits."""
        while True:
            try:
                return self._waiting.get(timeout=_PATIENCE)
            except queue.Empty:
                if self._stopping.is_set():
                    return None

    def _write(self, writer: FragmentedWriter | None, packets: list[Encoded]) -> FragmentedWriter | None:
        for packet in packets:
            writer = writer or FragmentedWriter(self._file, packet, notes=self._notes)
            writer.write(packet)
        return writer
