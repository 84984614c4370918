"""Who gets in: the Host and Origin headers are checked, then the token.

- Host: a page of another site can make its own name point to this computer (DNS rebinding) and then read our answers
  as its own. The browser still sends that site's name as Host, so an unknown name is refused.
- Origin: browsers name the page that sends a request; one that changes something must come from our own page.
- Token: printed at the start as part of the address, as Jupyter does. Opening that address sets a cookie. Programs
  send ``Authorization: Bearer TOKEN``.

``Door`` decides and does no I/O; ``AccessGuard`` is the ASGI shell around it.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from livefake.server.plain import STYLE_PATH
from livefake.server.problems import Problem
from livefake.settings import Settings

__all__ = ["AccessGuard", "Asked", "Door", "address", "cookie_name", "is_for_other_sites", "needs_token"]

_OPEN: Final = re.compile(
    rf"/healthz|{re.escape(STYLE_PATH)}|/static/.*|/view/[^/]+|/ts/[^/]+|/whep/[^/]+(/[^/]+)?|/whip(/[^/]+)?"
    r"|/enrol/[^/]+|/api/enrol/[^/]+(/[^/]+(/signature)?)?"
    r"|/grant/[^/]+|/api/grant/[^/]+(/export|/revocation)?"
)
"""Paths that need no token. For a view, WHEP or feed address, an invitation and a subject's own link, the unguessable
key in it is the permission; WHIP asks for a stream key in place of the token."""

_FOREIGN: Final = re.compile(r"/whep/.*|/whip(/.*)?")
"""Paths that pages of other sites may use: no cookie opens them, only a key that such a page was given."""

_HOST: Final = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})


def is_for_other_sites(path: str) -> bool:
    """Whether pages of other sites may use a path."""
    return _FOREIGN.fullmatch(path) is not None


def address(settings: Settings) -> str:
    """The address to open in a browser, token included. To be shown to the person who started livefake only."""
    host = "127.0.0.1" if settings.host in _WILDCARDS else _as_in_url(settings.host)
    return f"{settings.scheme}://{host}:{settings.port}/?token={settings.token}"


def needs_token(path: str) -> bool:
    """Whether nobody without the token gets an answer there."""
    return _OPEN.fullmatch(path) is None


def cookie_name(port: int) -> str:
    """The name of the cookie that holds the token."""
    # Cookies do not tell ports apart: two services on one computer need two names.
    return f"livefake-{port}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the door looks at in a request."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    host: str | None
    """The Host header; None unless there is exactly one."""


class Door:
    """Decides about one request at a time, from the settings alone."""

    def __init__(self, settings: Settings) -> None:
        self._port = settings.port
        self._token = settings.token
        self._names = frozenset({"localhost", "127.0.0.1", "[::1]", _as_in_url(settings.host)})
        self._configured = frozenset(settings.allowed_hosts)
        self._any_address = settings.host in _WILDCARDS
        self._default_port = "443" if settings.scheme == "https" else "80"
        # A cookie that was set over HTTPS never travels without it.
        self._secure = "; Secure" if settings.scheme == "https" else ""
        self.cookie = cookie_name(settings.port)

    def knows_host(self, host: str) -> bool:
        """Whether a Host header names this service."""
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return False
        name, port = match["name"], match["port"] or self._default_port
        if name in self._configured or f"{name}:{port}" in self._configured:
            return True
        # An address in digits cannot be rebound, so where we listen on all addresses each of them is good.
        return int(port) == self._port and (name in self._names or (self._any_address and _is_address(name)))

    def brings_token(self, asked: Asked) -> bool:
        """Whether the address itself carries the token: the start page, opened from the terminal."""
        if asked.method != "GET" or asked.path != "/":
            return False
        return any(self._fits(text) for text in parse_qs(asked.query).get("token", []))

    def refusal(self, asked: Asked) -> Problem | None:
        """Why a request may not pass; None if it may."""
        if asked.host is None:
            return Problem(400, "A request needs exactly one Host header.")
        if not self.knows_host(asked.host):
            return Problem(
                421,
                "This address does not belong to livefake.",
                "Open the address that livefake printed in the terminal, or start it with --allow-host and this name.",
            )
        if not (asked.method in _SAFE or is_for_other_sites(asked.path) or _from_own_page(asked.host, asked.headers)):
            return Problem(
                403, "The request came from a page of another site.", "Use the page that livefake itself shows."
            )
        if needs_token(asked.path) and not self._has_token(asked.headers):
            return Problem(
                401,
                "This page opens only with the token that livefake made when it started.",
                "Open the address that livefake printed in the terminal.",
                {"WWW-Authenticate": "Bearer"},
            )
        return None

    def set_cookie(self) -> str:
        """The Set-Cookie header that remembers the token until the browser is closed."""
        return f"{self.cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/{self._secure}"

    def _has_token(self, headers: Mapping[str, str]) -> bool:
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._fits(credentials.strip()):
            return True
        return self._fits(cookie_parser(headers.get("cookie", "")).get(self.cookie, ""))

    def _fits(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self._token.encode())


class AccessGuard:
    """ASGI shell of ``Door``. Only HTTP is guarded: the app has no WebSocket route, so those are closed anyway."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        asked = Asked(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            host=hosts[0] if len(hosts) == 1 else None,
        )
        refusal = self._door.refusal(asked)
        if self._door.brings_token(asked) and (refusal is None or refusal.status == 401):
            welcome = RedirectResponse("/", 303, headers={"Set-Cookie": self._door.set_cookie()})
            await welcome(scope, receive, send)
        elif refusal is not None:
            await refusal.response(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _from_own_page(host: str, headers: Mapping[str, str]) -> bool:
    # Programs that are not browsers send no Origin. A reverse proxy may add the TLS that we do not see.
    return headers.get("origin", f"http://{host}").lower() in {f"http://{host}".lower(), f"https://{host}".lower()}


def _as_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
