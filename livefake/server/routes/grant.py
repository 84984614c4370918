"""A subject's own grant: see it, take a copy, take it back. The key in the path is the permission."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from fastapi import APIRouter, Response

from livefake.server.consentbodies import OwnGrant, Revoked
from livefake.server.schemas import ProblemBody
from livefake.server.service import ServiceOf
from livefake.trust.consent import render

__all__ = ["router"]

_LOG: Final = logging.getLogger(__name__)

router: Final = APIRouter(prefix="/api/grant", responses={403: {"model": ProblemBody}, 404: {"model": ProblemBody}})


@router.get("/{key}")
async def read_grant(key: str, service: ServiceOf) -> OwnGrant:
    """Tell what was signed, and whether it holds."""
    return OwnGrant.of(await asyncio.to_thread(service.people.mine, key))


@router.get("/{key}/export", response_class=Response, responses={200: {"content": {"application/json": {}}}})
async def export_grant(key: str, service: ServiceOf) -> Response:
    """Give the grant with its signatures, as a file to keep."""
    grant = (await asyncio.to_thread(service.people.mine, key)).grant
    headers = {"Content-Disposition": f'attachment; filename="livefake-grant-{grant.id}.json"'}
    return Response(render(grant), headers=headers, media_type="application/json")


@router.post("/{key}/revocation", status_code=201)
async def revoke_grant(key: str, service: ServiceOf) -> Revoked:
    """Take the grant back for good: what runs stops, and template and personas are deleted."""
    # Deleting a network takes a moment, and the sessions must not wait for that.
    done = await asyncio.to_thread(service.people.take_back, key)
    _LOG.info("A subject took their grant back; %d personas were deleted with it.", len(done.packs))
    return Revoked(at=done.at, packs=done.packs)
