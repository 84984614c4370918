"""Everything the HTTP routes need, in one object that is handed to the app; nothing is global."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request

from livefake.clock import Clock
from livefake.dresser import Dresser
from livefake.errors import NotFound
from livefake.media.encode.hub import Broadcast
from livefake.media.recordings import Recordings
from livefake.media.sound.bus import SoundBus
from livefake.server.desk import Desk, Examine
from livefake.server.notice import NOTICE, Notice
from livefake.server.people import People
from livefake.server.ports import PerformerPort, SessionBook, ViewerPort
from livefake.server.publishers import Publishers
from livefake.server.rooms import Rooms
from livefake.settings import Settings
from livefake.swap.persona import PersonaCard
from livefake.trust.scribe import Scribe

__all__ = ["Service", "ServiceOf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The running service as the routes see it.

    Attributes:
        settings: what was chosen at the start; holds the token.
        sessions: the sessions, without their connections.
        personas: what can be worn.
        performer: makes an unconnected peer for a performer.
        publisher: makes an unconnected peer for a program that publishes a camera.
        viewer: makes an unconnected peer for a viewer of the pictures and the sound it is given.
        clock: the service's monotonic clock.
        engine: what runs the networks, for people.
        web: folder of the browser pages.
        demo: folder of the demo clip.
        people: who gave consent here, and who is asked for it.
        examine: says what can be said about a file; called on a thread of its own.
        notice: what a performer agrees to.
        scribe: writes the ledger; None where none is kept, and then no real person's face is shown.
        recordings: where pictures are kept; None where nothing can be kept.
        dresser: prepares personas while the service runs; None where nobody does.
        rooms: the open sessions with their connections.
        publishers: stream keys, and what is published with them.
        desk: takes files that somebody wants to be examined.
    """

    settings: Settings
    sessions: SessionBook
    personas: tuple[PersonaCard, ...]
    performer: Callable[[], PerformerPort]
    publisher: Callable[[], PerformerPort]
    viewer: Callable[[Broadcast, SoundBus], ViewerPort]
    clock: Clock
    engine: str
    web: Path
    demo: Path
    people: People
    examine: Examine
    notice: Notice = NOTICE
    scribe: Scribe | None = None
    recordings: Recordings | None = None
    dresser: Dresser | None = None
    rooms: Rooms = field(init=False)
    publishers: Publishers = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        rooms = Rooms(self.sessions, performer=self.performer, viewer=self.viewer)
        object.__setattr__(self, "rooms", rooms)
        object.__setattr__(self, "publishers", Publishers(rooms, connect=self.publisher, clock=self.clock))
        object.__setattr__(self, "desk", Desk(self.examine))

    @property
    def wardrobe(self) -> tuple[PersonaCard, ...]:
        """What can still be worn: a pack whose person took the grant back is deleted while the service runs."""
        return tuple(card for card in self.personas if card.folder.is_dir())

    def persona(self, id: str) -> PersonaCard:
        """The persona with that id.

        Raises:
            NotFound: there is none.
        """
        for card in self.wardrobe:
            if card.id == id:
                return card
        raise NotFound("There is no persona with this id.", "GET /api/personas lists those that there are.")


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


ServiceOf = Annotated[Service, Depends(_service)]
"""Type of a route's argument that receives the service of its app."""
