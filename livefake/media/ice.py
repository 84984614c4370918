"""Which STUN and TURN servers help two machines find a path to each other, and how one signs in there. Pure.

Without any, only machines that reach each other directly connect: one computer, or one network.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import unquote

from livefake.errors import BadRequest

__all__ = ["LIFETIME", "Ice", "IceServer", "read_ice_servers"]

LIFETIME: Final = 12 * 3600
"""Seconds that a sign-in made from a shared secret is good for."""

_MOST: Final = 8
_URL: Final = re.compile(
    r"(?P<scheme>stun|turn|turns):(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:(?P<port>[0-9]{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?",
    re.IGNORECASE,
)
_FORM: Final = (
    "Write them as stun:HOST:PORT or turn:USER:SECRET@HOST:PORT?transport=udp with commas between them, or as a JSON "
    'list of {"urls": ..., "username": ..., "credential": ...}.'
)


@dataclass(frozen=True, slots=True)
class IceServer:
    """One server.

    Attributes:
        url: ``stun:host:port``, ``turn:host:port`` or ``turns:host:port``, the last two perhaps with
            ``?transport=udp`` or ``tcp`` (RFC 7064, RFC 7065).
        username, credential: how to sign in at a TURN server; both empty where a shared secret makes them.

    Raises:
        BadRequest: it is none of these. The sentence never repeats what was written: it may hold a secret.
    """

    url: str
    username: str = ""
    credential: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        match = _URL.fullmatch(self.url)
        if match is None or not 0 < int(match["port"] or 1) < 65_536:
            raise BadRequest("The address of an ICE server cannot be read.", _FORM)
        scheme, transport = match["scheme"].lower(), (match["transport"] or "").lower()
        if (scheme == "stun" and transport) or (scheme == "turns" and transport == "udp"):
            raise BadRequest(f"A {scheme}: address cannot have transport={transport}.", "Leave that part out.")
        if scheme == "stun" and (self.username or self.credential):
            raise BadRequest("A STUN server takes no user name and no secret.", "Leave them out.")
        if bool(self.username) != bool(self.credential):
            raise BadRequest("A TURN server needs a user name and a secret, and got only one of them.", _FORM)

    @property
    def relays(self) -> bool:
        """Whether it forwards pictures, rather than only telling an address."""
        return not self.url.lower().startswith("stun:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ice:
    """How connections are found.

    Attributes:
        servers: STUN and TURN servers; the service itself uses the first of each kind, browsers use all.
        relay_only: use nothing but TURN servers, so that neither side learns the other's address.
        secret: shared with the TURN servers that name no user of their own; they let in whoever shows a name and a
            code that was made with it (draft-uberti-behave-turn-rest-00; coturn's ``static-auth-secret``).

    Raises:
        BadRequest: the parts do not fit together.
    """

    servers: tuple[IceServer, ...] = ()
    relay_only: bool = False
    secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if len(self.servers) > _MOST:
            raise BadRequest(f"There can be at most {_MOST} ICE servers, got {len(self.servers)}.", "Name fewer.")
        relays = [server for server in self.servers if server.relays]
        if self.relay_only and not relays:
            raise BadRequest(
                "Relay-only connections need a TURN server, and none is named.", "Name one with LIVEFAKE_ICE_SERVERS."
            )
        if any(not server.username for server in relays) and not self.secret:
            raise BadRequest(
                "A TURN server is named without a user name, and there is no shared secret.",
                "Write turn:USER:SECRET@HOST, or set LIVEFAKE_TURN_SECRET.",
            )

    def admitted(self, now: float) -> tuple[IceServer, ...]:
        """The servers with what one signs in with.

        Args:
            now: seconds since 1970.
        """
        return tuple(
            self._signed_in(server, now) if server.relays and not server.username else server for server in self.servers
        )

    def _signed_in(self, server: IceServer, now: float) -> IceServer:
        username = f"{int(now) + LIFETIME}:livefake"
        code = hmac.new(self.secret.encode(), username.encode(), hashlib.sha1).digest()
        return replace(server, username=username, credential=base64.b64encode(code).decode())


def read_ice_servers(text: str) -> tuple[IceServer, ...]:
    """Servers as a person writes them: a list with commas, or JSON in the form of the browsers' ``RTCIceServer``.

    >>> read_ice_servers("stun:stun.example.org, turn:ann:s%40fe@turn.example.org:3478?transport=tcp")[1].credential
    's@fe'

    Raises:
        BadRequest: it cannot be read. The sentence never repeats it.
    """
    if text.lstrip().startswith(("[", "{")):
        return _from_json(text)
    return tuple(_from_words(part.strip()) for part in text.split(",") if part.strip())


def _from_words(text: str) -> IceServer:
    scheme, _, rest = text.partition(":")
    login, at, place = rest.rpartition("@")
    if not at:
        return IceServer(text)
    username, _, secret = login.partition(":")
    return IceServer(f"{scheme}:{place}", unquote(username), unquote(secret))


def _from_json(text: str) -> tuple[IceServer, ...]:
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The list of ICE servers should be JSON, and cannot be read as such.", _FORM) from error
    servers: list[IceServer] = []
    for entry in listed if isinstance(listed, list) else [listed]:
        if not isinstance(entry, Mapping) or not set(entry) <= {"urls", "username", "credential"}:
            raise BadRequest("An ICE server in JSON has urls, and perhaps username and credential.", _FORM)
        urls, login = entry.get("urls"), [entry.get(name, "") for name in ("username", "credential")]
        urls = [urls] if isinstance(urls, str) else urls
        if not isinstance(urls, list) or not all(isinstance(each, str) for each in [*urls, *login]):
            raise BadRequest("The urls, username and credential of an ICE server should be text.", _FORM)
        servers += [IceServer(url, *login) for url in urls]
    return tuple(servers)
