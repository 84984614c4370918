"""The desk where files are handed in to be examined: a few at a time, and none is kept.

An upload goes to a temporary file that is gone when its answer is. Looking at it happens on one thread of low priority,
because the pictures of live sessions are made on the same two cores and must not wait for it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from livefake.errors import BadRequest, Busy, LivefakeError
from livefake.trust.verifier import Report

__all__ = ["UPLOAD_LIMIT", "Desk", "Examine"]

UPLOAD_LIMIT: Final = 256 << 20
"""Bytes of a file that may be handed in: some minutes of video."""

Examine = Callable[[Path], Report]
"""Says what can be said about a file, or raises ``LivefakeError``."""

_PLACES: Final = 3
_UPLOAD_SECONDS: Final = 300.0
_PIECE: Final = 1 << 20
_NICE: Final = 5


class Desk:
    """Takes files and answers what they are. All of it runs on one event loop, but for ``examine``.

    Args:
        examine: does the work.
        patience: seconds that an upload may take.
    """

    def __init__(self, examine: Examine, *, patience: float = _UPLOAD_SECONDS) -> None:
        self._examine = examine
        self._patience = patience
        self._taken = 0
        self._worker = ThreadPoolExecutor(1, "livefake-verify", initializer=_step_back)

    async def examine(self, pieces: AsyncIterator[bytes]) -> Report:
        """Take a file and say what can be said about it.

        Args:
            pieces: the file's bytes; how many there may be is for whoever receives them.

        Raises:
            Busy: as many files as may be at once are being looked at, or the service ends meanwhile.
            BadRequest: the file is empty, or did not come within ``patience``.
            LivefakeError: what ``examine`` raises, or the file cannot be stored.
        """
        with self._place(), _storage() as file:
            await self._store(pieces, file)
            work = asyncio.get_running_loop().run_in_executor(self._worker, self._examine, Path(file.name))
            try:
                return await work
            except asyncio.CancelledError:
                # Only the end of the service cancels a request; whoever waits for the answer is told.
                raise Busy("livefake is being stopped, so the file was not examined.", "Start it again.") from None

    def close(self) -> None:
        """Take no more files; what is being looked at is finished, what waits is not begun."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if self._taken >= _PLACES:
            raise Busy("Other files are being examined at this moment.", "Try again in a few seconds.")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1

    async def _store(self, pieces: AsyncIterator[bytes], file: IO[bytes]) -> None:
        size, waiting = 0, bytearray()
        try:
            async with asyncio.timeout(self._patience):
                async for piece in pieces:
                    size += len(piece)
                    waiting += piece
                    if len(waiting) >= _PIECE:
                        await asyncio.to_thread(_write, file, waiting)
                        waiting = bytearray()
                await asyncio.to_thread(_write, file, waiting)
        except TimeoutError as error:
            raise BadRequest(
                f"A file should come within {self._patience:.0f} seconds, and this one did not.",
                "Send a shorter piece.",
            ) from error
        except OSError as error:
            raise LivefakeError(
                f"The file cannot be kept while it is examined: {error.strerror}.",
                f"Make room in {tempfile.gettempdir()}, or set TMPDIR to another folder.",
            ) from error
        if not size:
            raise BadRequest("The body should be a picture or a clip, and is empty.", "Send the file itself.")


@contextmanager
def _storage() -> Iterator[IO[bytes]]:
    """A file that only this user can read, and that is gone at the end."""
    try:
        file = tempfile.NamedTemporaryFile(prefix="livefake-", buffering=0)  # noqa: SIM115 - closed below
    except OSError as error:
        raise LivefakeError(
            f"The file cannot be kept while it is examined: {error.strerror}.", "Set TMPDIR to another folder."
        ) from error
    with file:
        yield file


def _write(file: IO[bytes], content: bytearray) -> None:
    """All of it: a disk that gets full takes a part first and complains at the next."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _step_back() -> None:
    """Give the running thread a third of a live session's share; where this is not allowed, it stays as it is."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
