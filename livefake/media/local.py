"""A performer on this computer: a camera or a file that is read on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractContextManager
from typing import Final

from livefake.errors import BadInput, LivefakeError
from livefake.flow.mailbox import AsyncMailbox, Mailbox
from livefake.frame import Frame
from livefake.media.sound.bus import Chunk

__all__ = ["LocalPerformer", "Opened"]

Opened = AbstractContextManager[Iterable[Frame | Chunk]]
"""Frames and sound as they come, until it is left."""

_CHUNKS: Final = 100


class _Frames:
    """The newest frame, for whoever iterates; the older one is dropped."""

    def __init__(self, over: Callable[[], None]) -> None:
        self.newest: AsyncMailbox[Frame] = AsyncMailbox()
        self.problem: LivefakeError | None = None
        self._over = over

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        frame = await self.newest.take()
        if frame is not None:
            return frame
        if self.problem is not None:
            raise self.problem
        raise StopAsyncIteration

    async def close(self) -> None:
        """Stop the stream. Safe to call twice."""
        self._over()


class LocalPerformer:
    """Reads frames and sound on a thread, and takes the place of a browser that performs; nothing goes back.

    Between thread and event loop stand one place for the newest frame and 100 for sound, of which the oldest goes.

    Args:
        open: opens the camera or the file, on the thread.
    """

    sink = None

    def __init__(self, open: Callable[[], Opened]) -> None:
        self._open = open
        self._frames = _Frames(self._stop)
        self._waiting: Mailbox[Frame] = Mailbox()
        self._sound: deque[Chunk] = deque(maxlen=_CHUNKS)
        self._listener: Callable[[Chunk], None] | None = None
        self._stopping = threading.Event()
        self._stirred = threading.Event()
        self._over = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="local performer", daemon=True)

    @property
    def source(self) -> _Frames:
        """Unswapped frames; the newest wins. Iterating raises what ended the reading, if that was no plain end."""
        return self._frames

    @property
    def problem(self) -> LivefakeError | None:
        """What ended the reading; None for a plain end."""
        return self._frames.problem

    @property
    def has_microphone(self) -> bool:
        """Whether there is sound: not known before the source is open, so its first chunk tells."""
        return False

    @property
    def hung_up(self) -> bool:
        """Always: there is no network on which it could be lost."""
        return True

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        """Hand the sound to somebody from now on."""
        self._listener = listener

    async def accept(self, sdp: str) -> str:
        """Start reading; there is nothing to negotiate.

        Args:
            sdp: of no account.
        """
        del sdp
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return ""

    async def trickle(self, text: str) -> None:
        """Take no candidates: nobody is at the other end.

        Raises:
            BadInput: always.
        """
        raise BadInput("A camera of this computer takes no candidates.")

    async def wait_closed(self) -> None:
        """Wait until nothing more is read."""
        await self._over.wait()

    async def close(self) -> None:
        """Stop reading and release camera or file. Safe to call twice."""
        self._stop()
        if self._loop is not None:
            await asyncio.to_thread(self._thread.join)

    def _stop(self) -> None:
        self._stopping.set()
        self._frames.newest.close()
        self._over.set()

    def _work(self) -> None:
        assert self._loop is not None
        try:
            with self._open() as items:
                for item in items:
                    if self._stopping.is_set():
                        break
                    self._leave(item)
        except LivefakeError as error:
            self._frames.problem = error
        finally:
            self._tell(self._end)

    def _leave(self, item: Frame | Chunk) -> None:
        if isinstance(item, Frame):
            self._waiting.put(item)
        else:
            self._sound.append(item)
        if not self._stirred.is_set():
            self._stirred.set()
            self._tell(self._deliver)

    def _tell(self, what: Callable[[], None]) -> None:
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def _deliver(self) -> None:
        self._stirred.clear()
        while self._sound:
            chunk = self._sound.popleft()
            if self._listener is not None:
                self._listener(chunk)
        frame = self._waiting.take(timeout=0)
        if frame is not None:
            self._frames.newest.put(frame)

    def _end(self) -> None:
        self._frames.newest.close()
        self._over.set()
