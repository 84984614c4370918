"""Describes faces in a process of its own: dlib holds Python's lock while it works, up to a third of a second a face.

In the process that streams, that would stop every session and every connection for so long. Run as a module, this is
the other process: it reads pictures of 150 x 150 pixels from its standard input and writes 128 numbers for each.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np

from livefake.errors import EngineError, LivefakeError
from livefake.faces.identity import CHIP, LENGTH, IdentityNet, chip
from livefake.frame import Bytes, Floats, Frame

__all__ = ["IdentityProcess", "main"]

_PICTURE: Final = CHIP * CHIP * 3
_ANSWER: Final = LENGTH * 4
_READY: Final = b"R"
_START_SECONDS: Final = 60.0
_ANSWER_SECONDS: Final = 20.0


class IdentityProcess:
    """The face of ``IdentityNet.embed``, with the work done elsewhere. Keep it to one thread, and close it.

    Raises:
        EngineError: dlib or the weights are not installed, or the process cannot be started.
    """

    def __init__(self) -> None:
        command = [sys.executable, "-m", "livefake.faces.describer"]
        try:
            # In a session of its own: Ctrl-C is for the service, which then closes this.
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            raise EngineError(f"The process that tells people apart cannot be started: {error.strerror}.") from error
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        try:
            first = self._read(1, _START_SECONDS)
            if first != _READY:
                raise EngineError((first + self._rest()).decode("utf-8", "replace").strip())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def embed(self, picture: Frame | Bytes, points: Floats) -> Floats:
        """Describe one face; see ``IdentityNet.embed``.

        Args:
            picture: a frame, or (H, W, 3) uint8 BGR.
            points: (468, 2 or 3) mesh landmarks, pixels of the picture.

        Returns:
            (128,) float32.

        Raises:
            ValueError: the points are not a face in the picture.
            EngineError: the process has ended, or does not answer.
        """
        self._write(chip(picture, points).tobytes(), _ANSWER_SECONDS)
        return np.frombuffer(self._read(_ANSWER, _ANSWER_SECONDS), "<f4").astype(np.float32)

    def close(self) -> None:
        """End the process. Safe to call twice."""
        self._process.kill()
        self._process.wait()
        # Nothing is buffered on this side, so closing cannot fail.
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _write(self, content: bytes, within: float) -> None:
        assert self._process.stdin is not None
        number, left = self._process.stdin.fileno(), memoryview(content)
        while left:
            # A picture is larger than a pipe: writing to a process that hangs would hang this one too.
            if not select.select([], [number], [], within)[1]:
                raise EngineError(f"The process that tells people apart did not answer within {within:.0f} seconds.")
            try:
                left = left[os.write(number, left) :]
            except OSError as error:
                raise EngineError("The process that tells people apart has ended.") from error

    def _read(self, size: int, within: float) -> bytes:
        assert self._process.stdout is not None
        number, content = self._process.stdout.fileno(), b""
        while len(content) < size:
            ready, _, _ = select.select([number], [], [], within)
            piece = os.read(number, size - len(content)) if ready else b""
            if not piece:
                what = "has ended" if ready else f"did not answer within {within:.0f} seconds"
                raise EngineError(f"The process that tells people apart {what}.")
            content += piece
        return content

    def _rest(self) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.read()


def main(source: BinaryIO, target: BinaryIO) -> None:
    """Answer until the source ends.

    Args:
        source: (150, 150, 3) uint8 BGR, one picture after the other, without anything between them.
        target: gets ``R``, then 128 little-endian float32 for each; or one sentence about why that cannot be.
    """
    try:
        net = IdentityNet()
    except LivefakeError as error:
        target.write(f"{error.problem} {error.remedy}".encode())
        return
    target.write(_READY)
    target.flush()
    while len(content := source.read(_PICTURE)) == _PICTURE:
        found = net.embed_many([np.frombuffer(content, np.uint8).reshape(CHIP, CHIP, 3)])
        target.write(found[0].astype("<f4").tobytes())
        target.flush()


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
