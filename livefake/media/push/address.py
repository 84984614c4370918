"""Where to push to: an ingest address, taken apart, and what of it may be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from livefake.errors import BadRequest

__all__ = ["Address", "Scheme", "parse_address"]

_LONGEST: Final = 2048
_EXAMPLE: Final = "Give it as the platform shows it, such as rtmp://live.example.org/app/stream-key."


class Scheme(StrEnum):
    """How the stream travels."""

    RTMP = "rtmp"
    RTMPS = "rtmps"
    SRT = "srt"


_PORTS: Final = {Scheme.RTMP: 1935, Scheme.RTMPS: 443}


@dataclass(frozen=True, slots=True)
class Address:
    """An ingest address. What may be a secret is left out of its text form.

    Attributes:
        scheme: how the stream travels.
        host: name or address.
        port: 1..65535.
        app: RTMP: the application, the first part of the path.
        key: RTMP: the name of the stream, all that follows: the secret that lets somebody stream there.
        options: SRT: what the query says.
    """

    scheme: Scheme
    host: str
    port: int
    app: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def server(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def place(self) -> str:
        """The address as people and logs may see it: nothing behind the host, which is where keys stand."""
        return f"{self.server}/…"

    def __str__(self) -> str:
        return self.place


def parse_address(text: str) -> Address:
    """Read an ingest address.

    No sentence repeats the text: it holds a secret.

    Raises:
        BadRequest: it is none, or it lacks a part.
    """
    text = text.strip()
    if len(text) > _LONGEST or not text.isprintable() or any(letter.isspace() for letter in text):
        raise BadRequest(f"An ingest address should be up to {_LONGEST} letters without spaces, and is not.", _EXAMPLE)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadRequest("The ingest address cannot be read: its host or port is wrong.", _EXAMPLE) from error
    try:
        scheme = Scheme(parts.scheme.lower())
    except ValueError as error:
        raise BadRequest("The ingest address should begin with rtmp://, rtmps:// or srt://.", _EXAMPLE) from error
    if not host:
        raise BadRequest("The ingest address names no host.", _EXAMPLE)
    if parts.username is not None:
        raise BadRequest(
            "The ingest address has a user name in front of its host, which cannot be sent.",
            "Use the stream key alone.",
        )
    if port is None:
        port = _PORTS.get(scheme, 0)
    if not port:
        raise BadRequest("The ingest address needs a port, such as srt://live.example.org:9000.", "Add it.")
    if scheme is Scheme.SRT:
        return Address(scheme, host, port, options=tuple(parse_qsl(parts.query, keep_blank_values=True)))
    app, _, key = parts.path.strip("/").partition("/")
    if not app or not key:
        raise BadRequest("The ingest address should name an application and a stream key behind the host.", _EXAMPLE)
    # Keys may carry a query, which belongs to them.
    return Address(scheme, host, port, unquote(app), f"{key}?{parts.query}" if parts.query else key)
