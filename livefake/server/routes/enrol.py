"""Enrolment: what an invited person is asked for, the check, and the signature. The key in the path is the permission.

There is no way in for a file: what is judged comes over the connection of the check, while it happens.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from fastapi import APIRouter, Request

from livefake.errors import ConsentError, NotFound
from livefake.server.consentbodies import (
    CheckBegun,
    CheckOffer,
    CheckState,
    InvitationText,
    Link,
    OwnGrant,
    Signature,
    Signed,
)
from livefake.server.links import own_address
from livefake.server.qr import qr_picture
from livefake.server.schemas import IceSettings, ProblemBody
from livefake.server.service import ServiceOf

__all__ = ["router"]

router: Final = APIRouter(
    prefix="/api/enrol",
    responses={403: {"model": ProblemBody}, 404: {"model": ProblemBody}, 422: {"model": ProblemBody}},
)


@router.get("/{key}")
async def read_invitation(key: str, service: ServiceOf) -> InvitationText:
    """Tell what an invitation asks for, and the notice to read."""
    people = service.people
    return InvitationText.of(people.invites.find(key, now=people.wall()), people.enrolments.notice)


@router.post("/{key}", status_code=201, responses={503: {"model": ProblemBody}})
async def begin_check(key: str, offer: CheckOffer, service: ServiceOf) -> CheckBegun:
    """Begin a check: agreement first, then the answer to the offer. It uses one of three tries."""
    enrolments = service.people.enrolments
    enrolments.notice.check(offer.consent.notice, offer.consent.accepted)
    if not offer.adult:
        raise ConsentError("A grant needs your declaration to be of age.", "Only who is of age can give one.")
    attempt, answer = await enrolments.begin(key, offer.sdp)
    return CheckBegun(check=attempt.name, sdp=answer, state=CheckState.of(attempt))


@router.get("/{key}/ice")
async def ice(key: str, service: ServiceOf) -> IceSettings:
    """Tell which servers help an invited person's browser to connect."""
    people = service.people
    people.invites.find(key, now=people.wall())
    return IceSettings.of(service.settings.ice, people.wall())


@router.get("/{key}/{check}")
async def read_check(key: str, check: str, service: ServiceOf) -> CheckState:
    """Tell how a check goes, and what the person is asked to do."""
    return CheckState.of(service.people.enrolments.find(key, check))


@router.delete("/{key}/{check}", status_code=204)
async def end_check(key: str, check: str, service: ServiceOf) -> None:
    """End a check and forget what it saw; one that has ended by itself is what was wanted."""
    with suppress(NotFound):
        await service.people.enrolments.cancel(key, check)


@router.post("/{key}/{check}/signature", status_code=201)
async def sign(key: str, check: str, signature: Signature, request: Request, service: ServiceOf) -> Signed:
    """Sign a grant after a passed check; the subject's own link is told this once."""
    people = service.people
    if not signature.sign:
        raise ConsentError("A grant needs your signature, and it was not given.", "Press the button that signs.")
    grant, handle = await people.enrolments.sign(key, check, subject=signature.subject, ask=signature.ask())
    url = f"{own_address(request)}/grant/{handle.key}"
    standing = await asyncio.to_thread(people.standing, grant)
    return Signed(grant=OwnGrant.of(standing), link=Link(url=url, qr=qr_picture(url)))
