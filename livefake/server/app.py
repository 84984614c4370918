"""The HTTP application: ``build_app`` puts routes, middleware and error answers around a ``Service``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware

from livefake import __version__
from livefake.media.recordings import Recordings
from livefake.server.access import AccessGuard, Door
from livefake.server.desk import UPLOAD_LIMIT
from livefake.server.interface import Application
from livefake.server.limits import Allowance, Limits, RateLimit, Rule
from livefake.server.middleware import BodyLimit, RequestLog, SecurityHeaders
from livefake.server.problems import HANDLERS
from livefake.server.routes import (
    about,
    enrol,
    feed,
    grant,
    keep,
    keys,
    outputs,
    pages,
    people,
    sessions,
    verify,
    whep,
    whip,
)
from livefake.server.service import Service

__all__ = ["GRACE", "LIMITS", "build_app"]

GRACE: Final = 2.0
"""Seconds that sessions and their connections get to close when the service stops."""

_SIGNING: Final = 5.0
"""Seconds that films get to be signed when the service stops; what is not done by then, the next start does."""

LIMITS: Final = (
    # A check is begun, signed or ended by a person's hand; each begun one costs a thread and a connection.
    Rule(re.compile("/api/enrol/.*"), Allowance(0.2, 8), Allowance(0.5, 16), frozenset({"POST", "DELETE"})),
    # Its page asks four times a second how it goes.
    Rule(re.compile("/(api/)?enrol/.*"), Allowance(8, 40), Allowance(30, 120)),
    Rule(re.compile("/(api/)?grant/.*"), Allowance(1, 20), Allowance(5, 60)),
    # A program that comes back after an error does so every few seconds; each try may cost a connection.
    Rule(re.compile("/whip(/.*)?"), Allowance(2, 20), Allowance(10, 60), frozenset({"POST", "PATCH", "DELETE"})),
    # Looking at a file takes seconds of a core that live sessions need too.
    Rule(re.compile(re.escape(verify.PATH)), Allowance(0.2, 6), Allowance(0.4, 12), frozenset({"POST"})),
    # Negotiating a connection costs sockets and a key, whether or not a place is free in the end.
    Rule(re.compile("/api/sessions"), Allowance(0.5, 10), Allowance(1, 20), frozenset({"POST"})),
    Rule(re.compile("/api/invitations"), Allowance(0.2, 10), Allowance(0.4, 20), frozenset({"POST"})),
    # All viewers of a session may sit behind one address, and come at once when a link is shared.
    Rule(re.compile("/whep/.*"), Allowance(4, 64), Allowance(16, 128), frozenset({"POST", "DELETE"})),
    Rule(re.compile("/(ts|view)/.*"), Allowance(4, 64), Allowance(16, 128)),
)
"""How often addresses may be asked that need no token or cost much. What is guessed counts as well as what is right."""

_NO_TELEMETRY: Final[TelemetryConfig] = {
    # FastAPI would send spans with whole addresses, view keys included, to wherever OTEL_* variables point.
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def build_app(service: Service) -> FastAPI:
    """An ASGI application that serves one ``Service`` and closes it at the end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        recovery = asyncio.create_task(_recover(service.recordings))
        if service.dresser is not None:
            service.dresser.start()
        yield
        await asyncio.gather(service.rooms.close(GRACE), service.people.enrolments.close(GRACE))
        await service.publishers.close()
        service.desk.close()
        if service.dresser is not None:
            await asyncio.to_thread(service.dresser.close, GRACE)
        if service.scribe is not None:
            await asyncio.to_thread(service.scribe.close, GRACE)
        if service.recordings is not None:
            await asyncio.to_thread(service.recordings.settle, _SIGNING)
        await recovery

    app = Application(
        port=service.settings.port,
        title="livefake",
        description="Real-time face swap for your webcam, on your own machine: consented, labelled and marked.",
        version=__version__,
        lifespan=lifespan,
        # The stock pages load scripts from a CDN; /docs in routes/about.py needs nothing from outside.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
        # First is outermost, so that every refusal carries the security headers and leaves its line in the log.
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(RequestLog, clock=service.clock),
            Middleware(RateLimit, limits=Limits(LIMITS), clock=service.clock),
            Middleware(AccessGuard, door=Door(service.settings)),
            Middleware(BodyLimit, uploads={verify.PATH: UPLOAD_LIMIT}),
        ],
    )
    app.state.service = service
    for error, handler in HANDLERS.items():
        app.add_exception_handler(error, handler)
    for module in (about, sessions, outputs, keep, verify, keys, whip, whep, feed, people, enrol, grant, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=service.web))
    return app


async def _recover(recordings: Recordings | None) -> None:
    """Complete what an earlier run could not; sessions do not wait for it."""
    if recordings is not None:
        await asyncio.to_thread(recordings.recover)
