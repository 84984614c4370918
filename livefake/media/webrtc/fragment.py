"""Candidates that come after the offer: the body of a trickle ICE request (RFC 8840, section 9), as a pure function."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from aiortc import RTCIceCandidate
from aiortc.sdp import candidate_from_sdp

from livefake.errors import BadRequest

__all__ = ["FRAGMENT", "Fragment", "read_fragment"]

FRAGMENT: Final = "application/trickle-ice-sdpfrag"
"""Content type of a fragment."""

_MAX_BYTES: Final = 16 * 1024
_MAX_CANDIDATES: Final = 64
_REMEDY: Final = "Send the candidates as RFC 8840 writes them, in lines of a=candidate."
_CANDIDATE: Final = re.compile(
    r"candidate:\S{1,32} \d{1,5} (udp|tcp) \d{1,10} \S{1,255} \d{1,5} typ (host|srflx|prflx|relay)( .{0,255})?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a trickle ICE request says.

    Attributes:
        user: ICE user name fragment that the candidates belong to; empty where none is named.
        candidates: each with the media section it stands in, by name or else by index.
        complete: whether no more will come.
    """

    user: str = ""
    candidates: tuple[RTCIceCandidate, ...] = ()
    complete: bool = False


def read_fragment(text: str) -> Fragment:
    """Read the body of a trickle ICE request.

    Args:
        text: from anybody; lines that are not about ICE are passed over.

    Raises:
        BadRequest: it is too long, a candidate cannot be read, or two user names are given.
    """
    size = len(text.encode("utf-8", "replace"))
    if size > _MAX_BYTES:
        raise BadRequest(f"A fragment with candidates may have {_MAX_BYTES} bytes, got {size}.", _REMEDY)
    fragment = Fragment()
    section, name = -1, ""
    for line in text.splitlines():
        kind, _, value = line.strip().partition("=")
        if kind == "m":
            section, name = section + 1, ""
            continue
        attribute, _, rest = value.partition(":")
        match kind, attribute:
            case "a", "mid":
                name = rest
            case "a", "ice-ufrag" if fragment.user not in ("", rest):
                raise BadRequest("A fragment should be about one ICE user name, and names two.", _REMEDY)
            case "a", "ice-ufrag":
                fragment = replace(fragment, user=rest)
            case "a", "end-of-candidates":
                fragment = replace(fragment, complete=True)
            case "a", "candidate":
                candidate = _candidate(value, max(0, section), name)
                fragment = replace(fragment, candidates=(*fragment.candidates, candidate))
    if len(fragment.candidates) > _MAX_CANDIDATES:
        raise BadRequest(f"A fragment may have {_MAX_CANDIDATES} candidates, got {len(fragment.candidates)}.", _REMEDY)
    return fragment


def _candidate(text: str, section: int, name: str) -> RTCIceCandidate:
    try:
        if not _CANDIDATE.fullmatch(text):
            raise ValueError("it is none")
        candidate = candidate_from_sdp(text.partition(":")[2])
    except (ValueError, IndexError, AssertionError) as error:
        # The parser indexes and converts as it goes.
        raise BadRequest("A candidate of this fragment cannot be read.", _REMEDY) from error
    if not 0 < candidate.port < 1 << 16:
        raise BadRequest(f"A candidate's port should be 1 to 65535, got {candidate.port}.", _REMEDY)
    candidate.sdpMid, candidate.sdpMLineIndex = name or None, section
    return candidate
