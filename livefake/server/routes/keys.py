"""Stream keys: made after the notice, told once, listed and taken back. For the person who runs livefake."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Request

from livefake.clock import seconds
from livefake.errors import NotFound
from livefake.server.keybodies import KeyEntry, KeyMade, KeyOrder
from livefake.server.links import own_address
from livefake.server.publishers import Stream
from livefake.server.schemas import ProblemBody
from livefake.server.service import ServiceOf
from livefake.server.streamkeys import StreamKey, Target
from livefake.sessions import Order

__all__ = ["router"]

_LOG: Final = logging.getLogger(__name__)

router: Final = APIRouter(prefix="/api/keys", responses={404: {"model": ProblemBody}, 422: {"model": ProblemBody}})


@router.post("", status_code=201, responses={403: {"model": ProblemBody}, 503: {"model": ProblemBody}})
async def make_key(wanted: KeyOrder, request: Request, service: ServiceOf) -> KeyMade:
    """Make a stream key, consent first; ``key`` is told this once and kept nowhere."""
    service.notice.check(wanted.consent.notice, wanted.consent.accepted)
    persona = service.persona(wanted.persona)
    order = Order(persona.id, wanted.others, wanted.tone, notice=service.notice.id, source="whip")
    targets = [Target(each.kind, each.target) for each in wanted.outputs]
    key, secret = service.publishers.make(order, targets, wanted.minutes)
    _LOG.info("A stream key was made after agreement to notice %s; it holds %d min.", order.notice, wanted.minutes)
    return KeyMade(
        key=secret, url=f"{own_address(request)}/whip", entry=_entry(key, None, request, now=service.clock())
    )


@router.get("")
async def list_keys(request: Request, service: ServiceOf) -> list[KeyEntry]:
    """List the keys that hold, and the sessions that run with them."""
    return [_entry(key, stream, request, now=service.clock()) for key, stream in service.publishers.all()]


@router.delete("/{id}", status_code=204)
async def revoke_key(id: str, service: ServiceOf) -> None:
    """Take a key back: whoever publishes with it and everybody who watches are disconnected at once."""
    with suppress(NotFound):
        await service.publishers.revoke(id)
        _LOG.info("A stream key was revoked.")


def _entry(key: StreamKey, stream: Stream | None, request: Request, *, now: int) -> KeyEntry:
    running = None if stream is None else stream.room.entry
    return KeyEntry(
        id=key.id,
        persona=key.order.persona,
        others=key.order.others,
        tone=key.order.tone,
        outputs=tuple(each.kind for each in key.targets),
        left_s=max(0, round(seconds(key.until - now))),
        session=None if running is None else running.id,
        view_url=None if running is None else f"{own_address(request)}/view/{running.view_key}",
        problems=() if stream is None else stream.problems,
    )
