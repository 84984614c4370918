"""The ports of a session: where pictures come from, where they go, and who draws the hold card."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol, runtime_checkable

from livefake.clock import Nanos
from livefake.frame import Frame
from livefake.media.tap import Tap
from livefake.trust.seal import Sealed

__all__ = ["Painter", "Sink", "Source", "Tapped"]


class Source(Protocol):
    """A stream of unswapped frames; iterating waits for the next one and always gets the newest."""

    def __aiter__(self) -> AsyncIterator[Frame]: ...

    async def close(self) -> None:
        """Stop the stream; iteration ends. Safe to call twice."""
        ...


class Sink(Protocol):
    """A way out. It takes sealed pictures only, and never makes its caller wait: a slow sink drops."""

    @property
    def name(self) -> str: ...

    def show(self, sealed: Sealed) -> None:
        """Take the newest picture. Returns at once; called on the event loop."""
        ...

    async def close(self) -> None:
        """Stop and release what is held. Safe to call twice."""
        ...


@runtime_checkable
class Tapped(Protocol):
    """A sink whose encoder's output can be looked at."""

    @property
    def tap(self) -> Tap: ...


class Painter(Protocol):
    """Draws hold cards."""

    def paint(self, width: int, height: int, title: str, detail: str, *, pts: int, arrived: Nanos) -> Frame:
        """A card without label and mark; see ``livefake.media.holdcard``."""
        ...
