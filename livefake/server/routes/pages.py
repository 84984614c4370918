"""The pages for people, and the demo clip they can use in place of a camera."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, Literal

from fastapi import APIRouter
from fastapi.responses import FileResponse

from livefake.errors import NotFound
from livefake.server.service import ServiceOf
from livefake.trust.handles import holder

__all__ = ["router"]

router: Final = APIRouter(include_in_schema=False)


@router.get("/")
async def index(service: ServiceOf) -> FileResponse:
    """The performer's page."""
    return _file(service.web / "index.html")


@router.get("/view/{key}")
async def view(key: str, service: ServiceOf) -> FileResponse:
    """The viewer's page, which OBS opens as a browser source."""
    service.rooms.knows(key)
    return _file(service.web / "view.html")


@router.get("/enrol/{key}")
async def enrol(key: str, service: ServiceOf) -> FileResponse:
    """The page of a person who was invited to give a grant."""
    people = service.people
    people.invites.find(key, now=people.wall())
    return _file(service.web / "enrol.html")


@router.get("/grant/{key}")
async def grant(key: str, service: ServiceOf) -> FileResponse:
    """The page of a person who gave a grant."""
    await asyncio.to_thread(holder, service.people.book, key)
    return _file(service.web / "grant.html")


@router.get("/verify")
async def verify(service: ServiceOf) -> FileResponse:
    """The page that looks for the mark in a picture or a clip."""
    return _file(service.web / "verify.html")


@router.get("/demo/{name}")
async def demo(name: Literal["performer.mp4", "still.jpg"], service: ServiceOf) -> FileResponse:
    """The demo clip or its still; parts of it can be asked for (RFC 9110, section 14)."""
    return _file(service.demo / name)


def _file(path: Path) -> FileResponse:
    if not path.is_file():
        raise NotFound(f"The file {path.name} is missing from this installation.", "Install livefake again.")
    return FileResponse(path)
