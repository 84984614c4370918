"""WHEP: viewers fetch a session's finished picture with one HTTP exchange (draft-ietf-wish-whep).

The key in the address is the permission, so players on any page may use it: these paths alone answer with CORS
headers. Candidates come complete in the offer; trickle ICE (PATCH) is not offered.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Request, Response

from livefake.errors import BadRequest, NotFound
from livefake.server.problems import Problem
from livefake.server.schemas import IceSettings, ProblemBody
from livefake.server.service import ServiceOf

__all__ = ["SDP", "router"]

SDP: Final = "application/sdp"

router: Final = APIRouter(prefix="/whep", responses={404: {"model": ProblemBody}, 422: {"model": ProblemBody}})

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
    "Access-Control-Max-Age": "600",
    "Accept-Post": SDP,
}


@router.post(
    "/{key}",
    status_code=201,
    response_class=Response,
    responses={
        201: {"content": {SDP: {"schema": {"type": "string"}}}},
        415: {"model": ProblemBody},
        503: {"model": ProblemBody},
    },
    openapi_extra={"requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string"}}}}},
)
async def watch(key: str, request: Request, service: ServiceOf) -> Response:
    """Connect a viewer: the SDP offer in, the SDP answer out; Location is what to DELETE at the end."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != SDP:
        return Problem(415, f"A WHEP offer should have the content type {SDP}.").response(request.scope)
    try:
        offer = (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The offer should be SDP in UTF-8, and is not.") from error
    viewer, answer = await service.rooms.watch(key, offer)
    return Response(answer, 201, {"Location": f"/whep/{key}/{viewer}"}, SDP)


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
async def preflight() -> Response:
    """Tell a browser that pages of other sites may use these addresses."""
    return Response(status_code=204, headers=_PREFLIGHT)
