"""Who gave consent here, and inviting somebody to: for the person who runs livefake."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Request

from livefake.errors import LivefakeError
from livefake.server.consentbodies import GrantEntry, Invitation, Link, Scope
from livefake.server.links import own_address
from livefake.server.people import People
from livefake.server.qr import qr_picture
from livefake.server.schemas import ProblemBody
from livefake.server.service import ServiceOf

__all__ = ["router"]

router: Final = APIRouter(prefix="/api", responses={422: {"model": ProblemBody}})


@router.get("/grants")
async def grants(service: ServiceOf) -> list[GrantEntry]:
    """List the grants and whether they hold."""
    return await asyncio.to_thread(_entries, service.people)


@router.post("/invitations", status_code=201, responses={403: {"model": ProblemBody}, 503: {"model": ProblemBody}})
async def invite(scope: Scope, request: Request, service: ServiceOf) -> Invitation:
    """Invite somebody to give a grant: a link that works once, for a quarter of an hour."""
    people = service.people
    if people.missing is not None:
        raise people.missing
    key, made = await asyncio.to_thread(people.invites.make, scope.ask(), now=people.wall())
    url = f"{own_address(request)}/enrol/{key}"
    return Invitation(link=Link(url=url, qr=qr_picture(url)), until=made.until)


def _entries(people: People) -> list[GrantEntry]:
    entries = []
    for id in people.book.ids():
        try:
            entries.append(GrantEntry.of(people.standing(people.book.find(id))))
        except LivefakeError as error:
            entries.append(GrantEntry.damaged(id, error.problem))
    return sorted(entries, key=lambda entry: entry.since or 0, reverse=True)
