"""Sessions: open one with a WebRTC offer, watch its state, change it, end it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Request, Response

from livefake.errors import NotFound
from livefake.media.webrtc.fragment import FRAGMENT
from livefake.server.exchange import PATCH_BODY, read_text
from livefake.server.links import own_address
from livefake.server.problems import Problem
from livefake.server.schemas import (
    Answer,
    Offer,
    Opened,
    ProblemBody,
    Reoffer,
    SessionChange,
    SessionState,
)
from livefake.server.service import ServiceOf
from livefake.sessions import Order

__all__ = ["router"]

_LOG: Final = logging.getLogger(__name__)

router: Final = APIRouter(prefix="/api/sessions", responses={404: {"model": ProblemBody}, 422: {"model": ProblemBody}})


@router.post("", status_code=201, responses={403: {"model": ProblemBody}, 503: {"model": ProblemBody}})
async def open_session(offer: Offer, request: Request, service: ServiceOf) -> Opened:
    """Open a session: consent and a free place first, then the answer to the offer."""
    service.notice.check(offer.consent.notice, offer.consent.accepted)
    persona = service.persona(offer.persona)
    order = Order(persona.id, offer.others, offer.tone, notice=service.notice.id, source=offer.source)
    entry, answer = await service.rooms.open(offer.sdp, order)
    _LOG.info(
        "The performer of session %d agreed to notice %s (%s).", entry.session.number, service.notice.id, offer.source
    )
    address, key = own_address(request), entry.view_key
    return Opened(
        id=entry.id,
        sdp=answer,
        view_url=f"{address}/view/{key}",
        whep_url=f"{address}/whep/{key}",
        feed_url=f"{address}/ts/{key}",
        persona=persona.id,
        outputs=entry.outputs.kinds,
    )


@router.get("/{id}")
async def read_session(id: str, service: ServiceOf) -> SessionState:
    """Tell what a session does at this moment, and how long it takes for it."""
    return SessionState.of(service.sessions.find(id))


@router.patch("/{id}")
async def change_session(id: str, change: SessionChange, service: ServiceOf) -> SessionState:
    """Change the persona, its skin tone, the treatment of other people or the sound, or resume after a hold."""
    entry = service.sessions.find(id)
    session, sound = entry.session, entry.sound
    if change.persona is not None:
        # A persona that nobody has worn yet is read from disk, and the other sessions must not wait for that.
        await asyncio.to_thread(session.wear, service.persona(change.persona).id)
    if change.others is not None:
        session.treat_others(change.others)
    if change.tone is not None:
        session.set_tone(change.tone)
    if change.sound.muted is not None:
        sound.muted = change.sound.muted
    if change.sound.offset_ms is not None:
        sound.offset_ms = change.sound.offset_ms
    if change.resume:
        session.resume()
    return SessionState.of(entry)


@router.put("/{id}/connection")
async def reconnect(id: str, offer: Reoffer, service: ServiceOf) -> Answer:
    """Go on over another connection after one was lost: within 30 s, and under the consent that was given."""
    return Answer(sdp=await service.rooms.reconnect(id, offer.sdp))


@router.patch(
    "/{id}/connection",
    status_code=204,
    response_class=Response,
    responses={415: {"model": ProblemBody}},
    openapi_extra=PATCH_BODY,
)
async def trickle(id: str, request: Request, service: ServiceOf) -> Response:
    """Take ICE candidates that the browser found after its latest offer."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FRAGMENT:
        problem = Problem(415, f"Later candidates should have the content type {FRAGMENT}.")
        return problem.response(request.scope)
    await service.rooms.own(id).trickle(await read_text(request))
    return Response(status_code=204)


@router.delete("/{id}", status_code=204)
async def end_session(id: str, service: ServiceOf) -> None:
    """End a session and disconnect everybody in it; one that has ended by itself is what was wanted."""
    with suppress(NotFound):
        await service.sessions.close(id)
