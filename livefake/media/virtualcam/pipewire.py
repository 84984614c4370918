"""A camera on a PipeWire desktop: pictures go through shared memory to a small program of ours, ``camera.c``."""

from __future__ import annotations

import mmap
import os
import select
import struct
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from livefake.errors import LivefakeError
from livefake.frame import Bytes

__all__ = ["PipeWireCamera"]

_SLOTS: Final = 3
_PAGE: Final = 4096
_RATE: Final = 30
_NUMBER: Final = struct.Struct("=Q")
_PATIENCE: Final = 5.0


class PipeWireCamera:
    """Makes a node that other programs list as a camera.

    Three pictures have room in the memory; the program takes the newest, and notices when it was overwritten meanwhile.

    Args:
        program: the compiled ``camera.c``.
        name: of the camera.
        width, height: of its pictures, pixels, even.

    Raises:
        LivefakeError: PipeWire does not run, or refuses.
    """

    def __init__(self, program: Path, name: str, width: int, height: int) -> None:
        self._shape = (height * 3 // 2, width)
        size = height * 3 // 2 * width
        self._slot = -(-size // _PAGE) * _PAGE
        self._sent = 0
        memory = os.memfd_create("livefake-camera")
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            os.ftruncate(memory, _PAGE + _SLOTS * self._slot)
            self._memory = mmap.mmap(memory, _PAGE + _SLOTS * self._slot)
            self._process = subprocess.Popen(
                [program, str(memory), str(self._event), str(width), str(height), str(_RATE), name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=(memory, self._event),
                # Ctrl-C on the terminal is for the service, which ends its cameras in good order.
                start_new_session=True,
            )
        except OSError as error:
            os.close(self._event)
            raise LivefakeError(f"The camera's program cannot be started: {error.strerror}.") from error
        finally:
            os.close(memory)
        said = self._hear()
        if said != "ready":
            self.close()
            raise LivefakeError(f"PipeWire gives no camera: {said}.", "Check that PipeWire runs for this user.")

    def send(self, i420: Bytes) -> None:
        """Show a picture.

        Raises:
            LivefakeError: PipeWire has ended.
            ValueError: it has another size than the camera.
        """
        if i420.shape != self._shape:
            raise ValueError(f"this camera takes {self._shape}, got {i420.shape}")
        if self._process.poll() is not None:
            raise LivefakeError("PipeWire has taken the camera away.", "Check that PipeWire runs for this user.")
        number = self._sent + 1
        place = _PAGE + number % _SLOTS * self._slot
        self._write(1 + number % _SLOTS, 0)
        target = np.frombuffer(self._memory, np.uint8, i420.size, place)
        target[:] = i420.reshape(-1)
        self._write(1 + number % _SLOTS, number)
        self._write(0, number)
        self._sent = number
        os.eventfd_write(self._event, 1)

    def close(self) -> None:
        """Take the camera away. Safe to call twice."""
        if self._event < 0:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        os.close(self._event)
        self._event = -1
        self._memory.close()

    def _write(self, place: int, number: int) -> None:
        _NUMBER.pack_into(self._memory, place * _NUMBER.size, number)

    def _hear(self) -> str:
        """The line that the program says after its start."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _PATIENCE)
        return self._process.stdout.readline().decode("utf-8", "replace").strip() if ready else "it does not answer"
