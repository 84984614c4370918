"""A source and a sink without a camera or a network: frames from memory, pictures into a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from livefake.frame import Frame
from livefake.trust.seal import Sealed

__all__ = ["Reel", "Screen"]


class Reel:
    """A source that plays frames from memory; for tests, demonstrations and measurements.

    Args:
        frames: in their order.
        gap: seconds between two frames.
    """

    def __init__(self, frames: Iterable[Frame], *, gap: float = 0.0) -> None:
        self._frames = iter(frames)
        self._gap = gap
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[Frame]:
        for frame in self._frames:
            if self._closed:
                return
            yield frame
            await asyncio.sleep(self._gap)

    async def close(self) -> None:
        """End the reel after the current frame."""
        self._closed = True


class Screen:
    """A sink that keeps what it is shown.

    Attributes:
        pictures: everything that was shown, in order.
        closed: whether the screen was closed.
    """

    name = "screen"

    def __init__(self) -> None:
        self.pictures: list[Sealed] = []
        self.closed = False

    def show(self, sealed: Sealed) -> None:
        """Keep a picture."""
        self.pictures.append(sealed)

    async def close(self) -> None:
        """Take note that the session let go of the screen."""
        self.closed = True
