"""The HTTP application: ``build_app`` puts routes, middleware and error answers around a ``Service``."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi.telemetry import TelemetryConfig
from starlette.middleware import Middleware

from livefake import __version__
from livefake.server.access import AccessGuard, Door
from livefake.server.desk import UPLOAD_LIMIT
from livefake.server.limits import Allowance, Limits, RateLimit, Rule
from livefake.server.middleware import BodyLimit, RequestLog, SecurityHeaders
from livefake.server.problems import HANDLERS
from livefake.server.routes import about, pages, sessions, verify, whep
from livefake.server.service import Service

__all__ = ["GRACE", "LIMITS", "build_app"]

GRACE: Final = 2.0
"""Seconds that sessions and their connections get to close when the service stops."""

LIMITS: Final = (
    # Looking at a file takes seconds of a core that live sessions need too.
    Rule(re.compile(re.escape(verify.PATH)), Allowance(0.2, 6), Allowance(0.4, 12), frozenset({"POST"})),
)
"""How often addresses may be asked."""

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
        yield
        await service.rooms.close(GRACE)
        service.desk.close()

    app = FastAPI(
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
    for module in (about, sessions, verify, whep, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=service.web))
    return app
