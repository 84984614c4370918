"""Outputs: where a session's picture goes beside browsers and players, changed while it is live."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from fastapi import APIRouter

from livefake.errors import NotFound
from livefake.server.schemas import OutputEntry, OutputOrder, ProblemBody
from livefake.server.service import ServiceOf

__all__ = ["router"]

router: Final = APIRouter(
    prefix="/api/sessions/{id}/outputs", responses={404: {"model": ProblemBody}, 422: {"model": ProblemBody}}
)


@router.get("")
async def list_outputs(id: str, service: ServiceOf) -> list[OutputEntry]:
    """Tell how every output of a session is doing."""
    return [OutputEntry.of(report) for report in service.sessions.find(id).outputs.reports()]


@router.post("", status_code=201, responses={403: {"model": ProblemBody}, 503: {"model": ProblemBody}})
async def add_output(id: str, order: OutputOrder, service: ServiceOf) -> OutputEntry:
    """Start an output; it is started again by itself when it fails, until it is removed."""
    return OutputEntry.of(service.sessions.find(id).outputs.add(order.kind, order.target))


@router.delete("/{output}", status_code=204)
async def remove_output(id: str, output: str, service: ServiceOf) -> None:
    """End an output in good order; one that is gone already is what was wanted."""
    outputs = service.sessions.find(id).outputs
    with suppress(NotFound):
        await outputs.remove(output)
