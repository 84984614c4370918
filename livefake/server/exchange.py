"""What WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep) share: one HTTP exchange makes a WebRTC connection.

POST takes the SDP offer and answers 201 with the SDP answer, PATCH takes candidates that come later, DELETE ends it.
The entity tag names the start of ICE that candidates belong to. ICE is started once a connection, so that the tag
follows from the connection's address.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import Request, Response

from livefake.errors import BadRequest
from livefake.media.ice import IceServer
from livefake.media.webrtc.fragment import FRAGMENT
from livefake.server.problems import Problem
from livefake.server.schemas import ProblemBody

__all__ = [
    "BODY",
    "PATCH_BODY",
    "PATCH_RESPONSES",
    "POST_RESPONSES",
    "SDP",
    "created",
    "entity_tag",
    "offer_problem",
    "patch_problem",
    "preflight",
    "read_text",
]

SDP: Final = "application/sdp"

BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {SDP: {"schema": {"type": "string"}}}},
}
PATCH_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {FRAGMENT: {"schema": {"type": "string"}}}},
}
POST_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    201: {"content": {SDP: {"schema": {"type": "string"}}}},
    406: {"model": ProblemBody},
    415: {"model": ProblemBody},
    503: {"model": ProblemBody},
}
PATCH_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    412: {"model": ProblemBody},
    415: {"model": ProblemBody},
    428: {"model": ProblemBody},
}


def offer_problem(headers: Mapping[str, str]) -> Problem | None:
    """What is wrong with the headers of a POST; None if nothing is."""
    if _kind(headers) != SDP:
        return Problem(415, f"An offer should have the content type {SDP}.", headers={"Accept-Post": SDP})
    if not _takes(headers.get("accept", ""), SDP):
        return Problem(406, f"The answer is {SDP}, and the request's Accept header leaves that out.")
    return None


def patch_problem(headers: Mapping[str, str], tag: str, *, tag_needed: bool = True) -> Problem | None:
    """What is wrong with the headers of a PATCH; None if nothing is.

    Args:
        headers: of the request.
        tag: entity tag of the connection.
        tag_needed: whether a request that names no tag is refused.
    """
    if _kind(headers) != FRAGMENT:
        return Problem(
            415, f"Later candidates should have the content type {FRAGMENT}.", headers={"Accept-Patch": FRAGMENT}
        )
    wanted = headers.get("if-match", "")
    if not wanted and not tag_needed:
        return None
    if not wanted:
        return Problem(428, "Later candidates need the header If-Match with the entity tag of the answer.")
    if wanted.strip() != "*" and tag not in (part.strip() for part in wanted.split(",")):
        return Problem(412, "The entity tag in If-Match is not the one of this connection.")
    return None


async def read_text(request: Request) -> str:
    """The body.

    Raises:
        BadRequest: it is not UTF-8.
    """
    try:
        return (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("The body should be text in UTF-8, and is not.") from error


def entity_tag(connection: str) -> str:
    """The strong entity tag (RFC 9110, section 8.8.3) of a connection, from the secret part of its address."""
    return f'"{hashlib.sha256(connection.encode()).hexdigest()[:16]}"'


def created(answer: str, place: str, servers: Sequence[IceServer] = ()) -> Response:
    """The answer to an offer.

    Args:
        answer: SDP.
        place: path of the connection; its last part names it.
        servers: STUN and TURN servers for the other end, each in a Link header (RFC 9725, section 4.6).
    """
    headers = {"Location": place, "ETag": entity_tag(place.rpartition("/")[2]), "Accept-Patch": FRAGMENT}
    response = Response(answer, 201, headers, SDP)
    for server in servers:
        response.headers.append("Link", _link(server))
    return response


def preflight() -> Response:
    """What a browser is told that asks whether pages of other sites may use an address."""
    headers = {
        "Access-Control-Allow-Methods": "POST, PATCH, DELETE, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type, Authorization, If-Match",
        "Access-Control-Max-Age": "600",
        "Accept-Post": SDP,
        "Accept-Patch": FRAGMENT,
    }
    return Response(status_code=204, headers=headers)


def _link(server: IceServer) -> str:
    """A server as the value of a Link header (RFC 8288)."""
    parts = [f"<{server.url}>", 'rel="ice-server"']
    if server.username:
        parts += [f"username={_quoted(server.username)}", f"credential={_quoted(server.credential)}"]
        parts.append('credential-type="password"')
    return "; ".join(parts)


def _quoted(text: str) -> str:
    """A quoted string (RFC 9110, section 5.6.4); what no header can carry is left out."""
    plain = "".join(letter for letter in text if " " <= letter <= "~")
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _takes(accept: str, kind: str) -> bool:
    """Whether an Accept header (RFC 9110, section 12.5.1) lets a content type pass."""
    if not accept.strip():
        return True
    main = kind.partition("/")[0]
    best: tuple[int, bool] = (-1, False)
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        rank = {"*/*": 0, f"{main}/*": 1, kind: 2}.get(name, -1)
        if rank > best[0]:
            best = rank, not any(_is_zero(parameter) for parameter in parameters)
    return best[1]


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip().rstrip("0") in ("", "0.", ".")
