"""The address under which the service was asked, for links to it."""

from __future__ import annotations

from fastapi import Request

__all__ = ["own_address"]


def own_address(request: Request) -> str:
    """Scheme, name and port, without a slash at the end."""
    # A browser's Origin was compared with the Host header already, and knows of TLS that a reverse proxy adds.
    return request.headers.get("origin") or f"{request.url.scheme}://{request.headers['host']}"
