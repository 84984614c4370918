"""What the service is and offers: status, notice, personas, metrics, and the description of the interface."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from prometheus_client import CONTENT_TYPE_LATEST

from livefake import __version__
from livefake.errors import NotFound
from livefake.server.metrics import metrics_text
from livefake.server.plain import STYLE, STYLE_PATH, api_page
from livefake.server.schemas import Health, IceSettings, NoticeText, PersonaEntry, ProblemBody, Status
from livefake.server.service import ServiceOf

__all__ = ["router"]

router: Final = APIRouter()


@router.get("/healthz")
async def health() -> Health:
    """Tell that the service is up; needs no token."""
    return Health()


@router.get("/api/status")
async def status(service: ServiceOf) -> Status:
    """Tell version, engine, and how many places are taken."""
    rooms = service.rooms
    return Status(
        version=__version__,
        ready=not rooms.closing,
        capacity=rooms.capacity,
        open=len(rooms),
        engine=service.engine,
    )


@router.get("/api/notice")
async def notice(service: ServiceOf) -> NoticeText:
    """Give the text that a performer must have read and agreed to."""
    return NoticeText.of(service.notice)


@router.get("/api/ice")
async def ice(service: ServiceOf) -> IceSettings:
    """Tell which servers help a performer's browser to connect."""
    return IceSettings.of(service.settings.ice, service.people.wall())


@router.get("/api/personas")
async def personas(service: ServiceOf) -> list[PersonaEntry]:
    """List the personas that can be worn."""
    return [PersonaEntry.of(card) for card in service.wardrobe]


@router.get(
    "/api/personas/{id}/portrait.jpg",
    response_class=FileResponse,
    responses={200: {"content": {"image/jpeg": {}}}, 404: {"model": ProblemBody}, 422: {"model": ProblemBody}},
)
async def portrait(id: str, service: ServiceOf) -> FileResponse:
    """Give the picture of a persona."""
    # The id is compared with those that exist, and never becomes part of a path.
    picture = service.persona(id).portrait
    if not picture.is_file():
        raise NotFound("This persona's pack lacks its portrait.", "Install livefake again.")
    return FileResponse(picture, media_type="image/jpeg")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(service: ServiceOf) -> Response:
    """Give counts and times for Prometheus."""
    return Response(metrics_text(service.rooms, service.scribe), media_type=CONTENT_TYPE_LATEST)


@router.get("/docs", response_class=HTMLResponse, include_in_schema=False)
async def docs(request: Request) -> str:
    """Show this interface as a page."""
    return api_page(request.app.openapi())


@router.get(STYLE_PATH, include_in_schema=False)
async def style() -> Response:
    """Give the style of the plain pages."""
    return Response(STYLE, media_type="text/css")
