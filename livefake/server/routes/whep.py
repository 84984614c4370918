"""WHEP: viewers fetch a session's finished picture with one HTTP exchange (draft-ietf-wish-whep).

The key in the address is the permission, so players on any page may use it: these paths answer with CORS headers.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Request, Response

from livefake.errors import NotFound
from livefake.server.exchange import (
    BODY,
    PATCH_BODY,
    PATCH_RESPONSES,
    POST_RESPONSES,
    created,
    entity_tag,
    offer_problem,
    patch_problem,
    preflight,
    read_text,
)
from livefake.server.schemas import IceSettings, ProblemBody
from livefake.server.service import ServiceOf

__all__ = ["router"]

router: Final = APIRouter(prefix="/whep", responses={404: {"model": ProblemBody}, 422: {"model": ProblemBody}})


@router.post("/{key}", status_code=201, response_class=Response, responses=POST_RESPONSES, openapi_extra=BODY)
async def watch(key: str, request: Request, service: ServiceOf) -> Response:
    """Connect a viewer: the SDP offer in, the SDP answer out; Location is what to DELETE at the end."""
    problem = offer_problem(request.headers)
    if problem is not None:
        return problem.response(request.scope)
    viewer, answer = await service.rooms.watch(key, await read_text(request))
    return created(answer, f"/whep/{key}/{viewer}", service.settings.ice.admitted(service.people.wall()))


@router.patch(
    "/{key}/{viewer}",
    status_code=204,
    response_class=Response,
    responses={status: body for status, body in PATCH_RESPONSES.items() if status != 428},
    openapi_extra=PATCH_BODY,
)
async def trickle(key: str, viewer: str, request: Request, service: ServiceOf) -> Response:
    """Take ICE candidates that came after the offer; starting ICE anew is not offered."""
    # A widely used player, whip-whep, names no tag here; without its candidates it cannot connect over a relay alone.
    problem = patch_problem(request.headers, entity_tag(viewer), tag_needed=False)
    if problem is not None:
        return problem.response(request.scope)
    await service.rooms.trickle(key, viewer, await read_text(request))
    return Response(status_code=204)


@router.get("/{key}/ice")
async def ice(key: str, service: ServiceOf) -> IceSettings:
    """Tell which servers help a viewer's browser to connect."""
    service.rooms.knows(key)
    return IceSettings.of(service.settings.ice, service.people.wall())


@router.delete("/{key}/{viewer}", status_code=204)
async def leave(key: str, viewer: str, service: ServiceOf) -> None:
    """Disconnect a viewer; one that has left already is what was wanted."""
    with suppress(NotFound):
        await service.rooms.leave(key, viewer)


@router.options("/{key}", status_code=204, include_in_schema=False)
@router.options("/{key}/{viewer}", status_code=204, include_in_schema=False)
async def ask() -> Response:
    """Tell a browser that pages of other sites may use these addresses."""
    return preflight()
