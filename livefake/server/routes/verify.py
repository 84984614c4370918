"""Hand a picture or a clip in and be told what can be said about it. Nothing of it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from livefake.errors import BadRequest
from livefake.server.problems import Problem
from livefake.server.schemas import ProblemBody
from livefake.server.service import ServiceOf
from livefake.server.verifybodies import Examined

__all__ = ["PATH", "router"]

PATH: Final = "/api/verify"

router: Final = APIRouter()

_FILE: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.post(
    PATH,
    response_model=Examined,
    responses={status: {"model": ProblemBody} for status in (413, 415, 422, 429, 503)},
    openapi_extra={"requestBody": {"required": True, "content": _FILE}},
)
async def verify(request: Request, service: ServiceOf) -> Examined | Response:
    """Examine a picture or a clip, sent as the whole body: mark, issuer, session, picture, grant, signature."""
    if request.headers.get("content-type", "").startswith("multipart/"):
        problem = Problem(415, "The body should be the file itself, and is a form.", "Send it with: curl --data-binary")
        return problem.response(request.scope)
    return Examined.of(await service.desk.examine(_pieces(request)))


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise BadRequest("The connection was closed before the whole file had come.", "Send it again.") from error
