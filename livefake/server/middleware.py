"""What wraps every request besides access: security headers, one log line, a last resort for bugs, the body limit.

Pure ASGI: nothing here buffers an answer or breaks its cancellation.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from livefake.clock import Clock, milliseconds
from livefake.errors import TooLarge
from livefake.server.access import is_for_other_sites
from livefake.server.problems import INTERNAL, problem_of

__all__ = ["BODY_LIMIT", "CONTENT_SECURITY_POLICY", "BodyLimit", "RequestLog", "SecurityHeaders"]

BODY_LIMIT: Final = 256 * 1024
"""Bytes of a request's body. An SDP offer with every codec Chromium knows is below 20 KiB."""

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob: mediastream:",
        "connect-src 'self'",
        "object-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(), geolocation=(), usb=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})

_LOG: Final = logging.getLogger(__name__)


class SecurityHeaders:
    """Adds the headers that keep the pages to themselves, and lets other sites use WHIP and WHEP addresses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if is_for_other_sites(path):
                    headers["Access-Control-Allow-Origin"] = "*"
                    headers["Access-Control-Expose-Headers"] = "Location, ETag, Accept-Patch, Link"
                # Files may be kept and asked for again with their ETag; everything else is of this moment.
                headers["Cache-Control"] = "no-cache" if path.startswith(("/static/", "/demo/")) else "no-store"
            await send(message)

        await self._app(scope, receive, send_with_headers)


class RequestLog:
    """Writes one line a request, and answers for bugs.

    The line names the route, not the path: a path can hold a view key, and a query the token. Requests that only
    look are logged at level DEBUG, because pages ask for their session's state all the time.
    """

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = self._clock(), 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception:
            _LOG.exception("A request to %s ran into a bug.", _route(scope))
            if status:
                raise
            await INTERNAL.response(scope)(scope, receive, send_and_note)
        finally:
            level = logging.INFO if scope["method"] in _CHANGING or status >= 400 else logging.DEBUG
            taken = milliseconds(self._clock() - start)
            _LOG.log(level, "%s %s -> %d in %.0f ms", scope["method"], _route(scope), status, taken)


class BodyLimit:
    """Keeps bodies short: reads the whole of one before anything else sees it, and refuses one of more than ``limit``.

    Bodies here are small, so holding one costs nothing, and a sender who announces no length or a wrong one is
    stopped by the bytes that really come.

    Files are the exception: their paths are named, and what is sent there passes through piece by piece, counted.

    Args:
        app: what is wrapped.
        limit: bytes of a body.
        uploads: bytes of a body by the path to which it may be POSTed.
    """

    def __init__(self, app: ASGIApp, limit: int = BODY_LIMIT, uploads: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._uploads = uploads or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        upload = self._uploads.get(scope["path"]) if scope["method"] == "POST" else None
        limit = self._limit if upload is None else upload
        announced = _announces_more(scope, limit)
        if upload is not None and not announced:
            await self._app(scope, _counted(receive, limit), send)
            return
        body = None if announced else await self._read(receive)
        if body is None:
            await problem_of(_too_large(limit)).response(scope)(scope, receive, send)
            return
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, receive_again, send)

    async def _read(self, receive: Receive) -> bytes | None:
        body = bytearray()
        while True:
            message = await receive()
            # After a disconnect the rest will never come, and nobody reads the answer.
            body += message.get("body", b"")
            if len(body) > self._limit:
                return None
            if not message.get("more_body", False):
                return bytes(body)


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "(unmatched)"))


def _announces_more(scope: Scope, limit: int) -> bool:
    length = Headers(scope=scope).get("content-length", "0")
    # Python refuses to read numbers of thousands of digits.
    return not length.isdecimal() or len(length.lstrip("0")) > len(str(limit)) or int(length[-18:]) > limit


def _counted(receive: Receive, limit: int) -> Receive:
    """The same messages, until their bodies have more bytes than they may; that is raised where they are read."""
    came = 0

    async def receive_and_count() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > limit:
            raise _too_large(limit)
        return message

    return receive_and_count


def _too_large(limit: int) -> TooLarge:
    size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit} bytes"
    return TooLarge(f"The body of a request may have {size}, and this one has more.")
