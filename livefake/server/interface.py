"""The OpenAPI document: what every address may answer, and which of them need the token."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI

from livefake.server.access import cookie_name, needs_token
from livefake.server.schemas import ProblemBody

__all__ = ["ANYWHERE", "Application"]

ANYWHERE: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ProblemBody, "description": "The body is not JSON, or the request has no Host header."},
    401: {"model": ProblemBody, "description": "The token is missing or wrong."},
    403: {"model": ProblemBody, "description": "A page of another site asked, or somebody's consent is missing."},
    404: {"model": ProblemBody, "description": "There is no such thing."},
    405: {"model": ProblemBody, "description": "The address does not answer this method."},
    413: {"model": ProblemBody, "description": "The body is too long."},
    421: {"model": ProblemBody, "description": "The Host header names another service."},
    422: {"model": ProblemBody, "description": "What was sent does not fit."},
    429: {"model": ProblemBody, "description": "These requests come too fast."},
    500: {"model": ProblemBody, "description": "Something failed here, such as a disk that is full."},
}
"""What any address may answer besides what its own route says; passed to the application."""


class Application(FastAPI):
    """FastAPI, with a document that tells how to get in.

    Args:
        port: on which the service listens; the name of its cookie has it.
        **arguments: of ``FastAPI``.
    """

    def __init__(self, *, port: int, **arguments: Any) -> None:
        super().__init__(**arguments, responses=ANYWHERE)
        self._port = port

    def openapi(self) -> dict[str, Any]:
        """The document; made at the first call."""
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {})["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "stream-key": {"type": "http", "scheme": "bearer", "description": "Made under /api/keys."},
                "cookie": {"type": "apiKey", "in": "cookie", "name": cookie_name(self._port)},
            }
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    operation["security"] = _security(path)
        return super().openapi()


def _security(path: str) -> list[dict[str, list[str]]]:
    """What gets in at an address; nothing for those whose own key is the permission."""
    if path.startswith("/whip"):
        return [{"stream-key": []}]
    return [{"bearer": []}, {"cookie": []}] if needs_token(path) else []
