"""WHIP (RFC 9725): OBS, FFmpeg or GStreamer publish a camera with one HTTP exchange.

The stream key comes as ``Authorization: Bearer KEY`` and in no other way, so that it never stands in an address.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

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
from livefake.server.problems import Problem
from livefake.server.schemas import ProblemBody
from livefake.server.service import Service, ServiceOf
from livefake.server.streamkeys import StreamKey

__all__ = ["router"]

_UNKNOWN: Final = Problem(
    401,
    "Publishing needs a stream key that holds, as Authorization: Bearer KEY.",
    "Make one on the page of livefake.",
    {"WWW-Authenticate": "Bearer"},
)

router: Final = APIRouter(
    prefix="/whip",
    responses={401: {"model": ProblemBody}, 404: {"model": ProblemBody}, 422: {"model": ProblemBody}},
)


@router.post("", status_code=201, response_class=Response, responses=POST_RESPONSES, openapi_extra=BODY)
async def publish(request: Request, service: ServiceOf) -> Response:
    """Open a session for a program's camera: the SDP offer in, the SDP answer out; Location is what to DELETE."""
    key = _key(request, service)
    if key is None:
        return _UNKNOWN.response(request.scope)
    problem = offer_problem(request.headers)
    if problem is not None:
        return problem.response(request.scope)
    stream, answer = await service.publishers.publish(key, await read_text(request))
    return created(answer, f"/whip/{stream.id}", service.settings.ice.admitted(service.people.wall()))


@router.patch(
    "/{stream}", status_code=204, response_class=Response, responses=PATCH_RESPONSES, openapi_extra=PATCH_BODY
)
async def trickle(stream: str, request: Request, service: ServiceOf) -> Response:
    """Take ICE candidates that came after the offer; starting ICE anew is not offered."""
    key = _key(request, service)
    if key is None:
        return _UNKNOWN.response(request.scope)
    found = service.publishers.stream(key, stream)
    problem = patch_problem(request.headers, entity_tag(found.id))
    if problem is not None:
        return problem.response(request.scope)
    await found.room.trickle(await read_text(request))
    return Response(status_code=204)


@router.delete("/{stream}", response_class=Response)
async def stop(stream: str, request: Request, service: ServiceOf) -> Response:
    """End the session; one that has ended by itself is what was wanted."""
    key = _key(request, service)
    if key is None:
        return _UNKNOWN.response(request.scope)
    await service.publishers.leave(key, stream)
    # OBS takes any other success for a failure.
    return Response(status_code=200)


@router.options("", status_code=204, include_in_schema=False)
@router.options("/{stream}", status_code=204, include_in_schema=False)
async def ask() -> Response:
    """Tell a browser that pages of other sites may use these addresses."""
    return preflight()


def _key(request: Request, service: Service) -> StreamKey | None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return service.publishers.find(secret.strip()) if scheme.lower() == "bearer" else None
