"""What the HTTP service asks of the parts below it, so that each of them can be stood in for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

from livefake.enrolment import Sound
from livefake.media.encode.hub import Broadcast
from livefake.media.ports import Sink, Source
from livefake.media.sound.bus import Chunk, SoundBus
from livefake.outputs import Outputs
from livefake.session import Others, Report
from livefake.sessions import Order

__all__ = ["OpenSession", "PerformerPort", "Port", "RunningSession", "SessionBook", "SubjectPort", "ViewerPort"]


class Port(Protocol):
    """A WebRTC connection."""

    async def accept(self, sdp: str) -> str:
        """Negotiate: the browser's offer in, the answer out.

        Raises:
            BadRequest: the offer cannot be answered.
        """
        ...

    async def wait_closed(self) -> None:
        """Return when the connection is over, whoever ended it."""
        ...

    async def close(self) -> None:
        """End the connection. Safe to call twice."""
        ...


class ViewerPort(Port, Protocol):
    """A WebRTC connection that carries finished pictures to one viewer."""

    async def trickle(self, text: str) -> None:
        """Take ICE candidates that came after the offer.

        Raises:
            BadRequest: they cannot be read or used.
        """
        ...


class SubjectPort(Port, Protocol):
    """A WebRTC connection that brings camera and microphone of a person who is asked for consent."""

    @property
    def source(self) -> Source: ...

    @property
    def sound(self) -> Sound: ...


class PerformerPort(ViewerPort, Protocol):
    """A connection that brings the camera, and takes the pictures back if it can."""

    @property
    def sink(self) -> Sink | None: ...

    @property
    def source(self) -> Source: ...

    @property
    def has_microphone(self) -> bool:
        """Whether it brings sound; known once it has answered."""
        ...

    @property
    def hung_up(self) -> bool:
        """Whether the browser ended it on purpose, rather than that it was lost on the way."""
        ...

    def hear(self, listener: Callable[[Chunk], None]) -> None:
        """Hand the microphone's sound to somebody from now on, where the browser sends any."""
        ...


class RunningSession(Protocol):
    """One performer's session, as far as the service steers it."""

    @property
    def number(self) -> int: ...

    def add(self, sink: Sink) -> None: ...

    async def remove(self, sink: Sink) -> None: ...

    def wear(self, persona: str) -> None: ...

    def treat_others(self, how: Others) -> None: ...

    def set_tone(self, share: float) -> None: ...

    def resume(self) -> None: ...

    def start_recording(self) -> None: ...

    def stop_recording(self) -> None: ...

    def snapshot(self) -> bytes: ...

    def report(self) -> Report: ...


class OpenSession(Protocol):
    """A session in the book: its two names, and the event that tells its end."""

    @property
    def id(self) -> str: ...

    @property
    def view_key(self) -> str: ...

    @property
    def session(self) -> RunningSession: ...

    @property
    def broadcast(self) -> Broadcast: ...

    @property
    def outputs(self) -> Outputs: ...

    @property
    def sound(self) -> SoundBus: ...

    @property
    def closed(self) -> asyncio.Event: ...


class SessionBook(Protocol):
    """All open sessions and how many there may be."""

    @property
    def capacity(self) -> int: ...

    async def open(self, order: Order, source: Source) -> OpenSession: ...

    def find(self, id: str) -> OpenSession: ...

    def find_view(self, key: str) -> OpenSession: ...

    async def close(self, id: str) -> None: ...

    async def close_all(self) -> None: ...

    def __iter__(self) -> Iterator[OpenSession]: ...

    def __len__(self) -> int: ...
