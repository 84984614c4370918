"""Everything the HTTP routes need, in one object that is handed to the app; nothing is global."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

from fastapi import Depends, Request

from livefake.clock import Clock
from livefake.errors import NotFound
from livefake.server.desk import Desk, Examine
from livefake.server.notice import NOTICE, Notice
from livefake.server.ports import PerformerPort, SessionBook, ViewerPort
from livefake.server.rooms import Rooms
from livefake.settings import Settings
from livefake.swap.persona import PersonaCard

__all__ = ["Service", "ServiceOf"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The running service as the routes see it.

    Attributes:
        settings: what was chosen at the start; holds the token.
        sessions: the sessions, without their connections.
        personas: what can be worn.
        performer: makes an unconnected peer for a performer.
        viewer: makes an unconnected peer for a viewer.
        clock: the service's monotonic clock.
        engine: what runs the networks, for people.
        web: folder of the browser pages.
        demo: folder of the demo clip.
        examine: says what can be said about a file; called on a thread of its own.
        notice: what a performer agrees to.
        rooms: the open sessions with their connections.
        desk: takes files that somebody wants to be examined.
    """

    settings: Settings
    sessions: SessionBook
    personas: tuple[PersonaCard, ...]
    performer: Callable[[], PerformerPort]
    viewer: Callable[[], ViewerPort]
    clock: Clock
    engine: str
    web: Path
    demo: Path
    examine: Examine
    notice: Notice = NOTICE
    rooms: Rooms = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rooms", Rooms(self.sessions, performer=self.performer, viewer=self.viewer))
        object.__setattr__(self, "desk", Desk(self.examine))

    def persona(self, id: str) -> PersonaCard:
        """The persona with that id.

        Raises:
            NotFound: there is none.
        """
        for card in self.personas:
            if card.id == id:
                return card
        raise NotFound("There is no persona with this id.", "GET /api/personas lists those that there are.")


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


ServiceOf = Annotated[Service, Depends(_service)]
"""Type of a route's argument that receives the service of its app."""
