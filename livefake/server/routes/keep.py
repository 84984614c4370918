"""What a session keeps: its recording, and single pictures; all of it signed."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Response

from livefake.server.schemas import ProblemBody, SessionState
from livefake.server.service import ServiceOf

__all__ = ["router"]

router: Final = APIRouter(prefix="/api/sessions", responses={404: {"model": ProblemBody}, 422: {"model": ProblemBody}})


@router.post("/{id}/recording", status_code=201, responses={403: {"model": ProblemBody}, 503: {"model": ProblemBody}})
async def start_recording(id: str, service: ServiceOf) -> SessionState:
    """Begin to record what viewers see; a real person's face only if their grant covers recordings."""
    entry = service.sessions.find(id)
    await asyncio.to_thread(entry.session.start_recording)
    return SessionState.of(entry)


@router.delete("/{id}/recording")
async def stop_recording(id: str, service: ServiceOf) -> SessionState:
    """End the recording; ``recording.phase`` tells when it is signed and saved."""
    entry = service.sessions.find(id)
    await asyncio.to_thread(entry.session.stop_recording)
    return SessionState.of(entry)


@router.post(
    "/{id}/snapshot",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}, 403: {"model": ProblemBody}},
)
async def take_snapshot(id: str, service: ServiceOf) -> Response:
    """Give the newest picture that viewers saw, as a signed JPEG."""
    session = service.sessions.find(id).session
    content = await asyncio.to_thread(session.snapshot)
    name = f"livefake_{datetime.now().strftime('%Y-%m-%d_%H-%M-%S')}.jpg"
    return Response(content, media_type="image/jpeg", headers={"Content-Disposition": f'attachment; filename="{name}"'})
