"""Errors as HTTP answers: ``{"error": {"problem": ..., "remedy": ...}}``, or a page for a person with a browser."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from livefake.errors import BadMedia, BadRequest, Busy, ConsentError, LivefakeError, NotFound, TooLarge, Unreachable
from livefake.server.plain import problem_page

__all__ = ["HANDLERS", "INTERNAL", "Problem", "problem_of", "validation_sentence"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with a request, and the HTTP status that says so."""

    status: int
    problem: str
    remedy: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, scope: Scope) -> Response:
        """The answer, in the form that fits who asks: a page for a browser's address bar, JSON for everything else."""
        headers = dict(self.headers)
        if _wants_page(scope):
            return HTMLResponse(problem_page(self.problem, self.remedy), self.status, headers)
        return JSONResponse({"error": {"problem": self.problem, "remedy": self.remedy}}, self.status, headers)


INTERNAL: Final = Problem(
    500, "Something went wrong inside livefake.", "The terminal where livefake runs shows what it was."
)
"""What a client is told about a bug: nothing of the inside."""


def problem_of(error: LivefakeError) -> Problem:
    """The problem that stands for an error livefake raised on purpose."""
    headers: dict[str, str] = {}
    match error:
        case NotFound():
            status = 404
        case ConsentError():
            status = 403
        case BadRequest() | BadMedia():
            status = 422
        case TooLarge():
            status = 413
        case Busy():
            status, headers = 503, {"Retry-After": "5"}
        case Unreachable():
            status = 504
        case _:
            status = 500
    return Problem(status, error.problem, error.remedy, headers)


def validation_sentence(errors: Sequence[Mapping[str, Any]]) -> str:
    """One sentence about a body that does not fit, from pydantic's list; what was sent is not repeated."""
    complaints = [f"{_place(error['loc'])}: {_lower(str(error['msg']))}" for error in errors[:3]]
    return f"The request does not fit: {'; '.join(complaints)}."


def _place(location: Iterable[object]) -> str:
    # The first part says 'body' or 'path', which the person who wrote the request knows.
    return ".".join(str(part) for part in list(location)[1:]) or "the body"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _wants_page(scope: Scope) -> bool:
    accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return scope["method"] == "GET" and not scope["path"].startswith("/api/") and b"text/html" in accept


async def _on_livefake_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, LivefakeError)
    return problem_of(error).response(request.scope)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    if any(item["type"] == "json_invalid" for item in errors):
        return Problem(400, "The body should be JSON, and cannot be read as such.").response(request.scope)
    return Problem(422, validation_sentence(errors)).response(request.scope)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            text = "There is nothing at this address."
        case 405:
            text = f"This address does not answer {request.method} requests."
        case status:
            text = f"The request was refused: {HTTPStatus(status).phrase.lower()}."
    return Problem(error.status_code, text, headers=error.headers or {}).response(request.scope)


HANDLERS: Final[Mapping[type[Exception], Callable[[Request, Exception], Coroutine[Any, Any, Response]]]] = {
    LivefakeError: _on_livefake_error,
    RequestValidationError: _on_validation_error,
    HTTPException: _on_http_exception,
}
"""Exception handlers of the app."""
