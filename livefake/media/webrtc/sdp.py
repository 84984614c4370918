"""Session descriptions (RFC 8866) as pure functions: which offers are taken, and what an answer says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeVar

from aiortc.sdp import MediaDescription, SessionDescription

from livefake.errors import BadRequest
from livefake.media.encode.coder import Format
from livefake.media.webrtc.bitrate import Bitrate

__all__ = [
    "PERFORMER",
    "VIEWER",
    "check_offer",
    "preferred",
    "wanted_format",
    "with_bitrates",
]

PERFORMER: Final = frozenset({"sendrecv", "sendonly"})
"""Directions of the video in the offer of somebody who sends a camera."""

VIEWER: Final = frozenset({"recvonly"})
"""Directions of the video in the offer of somebody who only watches."""

_MAX_BYTES: Final = 64 * 1024
_MAX_CANDIDATES: Final = 64
_REMEDY: Final = "Send the whole SDP offer of the browser, with its candidates gathered."
_RTPMAP: Final = re.compile(r"a=rtpmap:(\d+) (?:H264|VP8)/", re.IGNORECASE)
_FMTP: Final = re.compile(r"a=fmtp:(\d+) ")


def check_offer(text: str, directions: frozenset[str]) -> None:
    """Check that an offer is one the service can answer.

    Args:
        text: the SDP, from anybody.
        directions: what the offer may want with its one video, ``PERFORMER`` or ``VIEWER``.

    Raises:
        BadRequest: it is too long, cannot be parsed, or does not offer exactly one video that fits.
    """
    size = len(text.encode("utf-8", "replace"))
    if size > _MAX_BYTES:
        raise BadRequest(f"An SDP offer may have {_MAX_BYTES} bytes, got {size}.", _REMEDY)
    if not text.startswith("v=0"):
        raise BadRequest("An SDP offer begins with v=0, this text does not.", _REMEDY)
    try:
        media = SessionDescription.parse(text).media
    except Exception as error:
        # The parser asserts, indexes and converts as it goes: whatever it stumbles over came from outside.
        raise BadRequest("The SDP offer cannot be parsed.", _REMEDY) from error
    kinds = [section.kind for section in media]
    if kinds.count("video") != 1 or kinds.count("audio") > 1 or len(kinds) > 1 + kinds.count("audio"):
        raise BadRequest(
            f"An offer has one video and at most one audio section, got {', '.join(kinds) or 'none'}.",
            "Offer one camera, without data channels.",
        )
    for section in media:
        _check_transport(section)
    _check_video(media[kinds.index("video")], directions)


def _check_transport(section: MediaDescription) -> None:
    """What an answer and a connection need, so that nothing fails halfway."""
    present = {
        "a=mid": bool(section.rtp.muxId),
        "a=ice-ufrag": section.ice is not None and bool(section.ice.usernameFragment),
        "a=ice-pwd": section.ice is not None and bool(section.ice.password),
        "a=fingerprint": section.dtls is not None and bool(section.dtls.fingerprints),
        "a=setup": section.dtls is not None,
        "a=rtcp-mux": section.rtcp_mux,
        "a=sendrecv, a=sendonly, a=recvonly or a=inactive": section.direction is not None,
    }
    missing = [line for line, there in present.items() if not there]
    if missing:
        raise BadRequest(f"The {section.kind} section of the offer lacks {'; '.join(missing)}.", _REMEDY)
    if len(section.ice_candidates) > _MAX_CANDIDATES:
        raise BadRequest(
            f"An offer may have {_MAX_CANDIDATES} ICE candidates a section, got {len(section.ice_candidates)}.",
            _REMEDY,
        )


def _check_video(video: MediaDescription, directions: frozenset[str]) -> None:
    if video.direction not in directions:
        expected = " or ".join(sorted(directions))
        raise BadRequest(
            f"The video of this offer should be {expected}, got {video.direction}.",
            "Offer a camera to perform, and ask for video only to watch.",
        )
    names = {codec.name.upper() for codec in video.rtp.codecs}
    if not names & {"H264", "VP8"}:
        raise BadRequest(
            f"The offer has neither H264 nor VP8, got {', '.join(sorted(names)) or 'no codec'}.",
            "Offer one of these two codecs.",
        )


class Codec(Protocol):
    """What the order of codecs is decided by."""

    @property
    def mimeType(self) -> str: ...  # noqa: N802  (the name the WebRTC standard gives it)

    @property
    def parameters(self) -> Mapping[str, int | str | None]: ...


C = TypeVar("C", bound=Codec)


def preferred(codecs: Sequence[C]) -> list[C]:
    """Codecs in the order an answer should name them; those that are not wanted are left out.

    First H264 constrained baseline with packetization mode 1 (RFC 6184): every browser has it, often in
    hardware. Then H264 baseline, then VP8. Retransmission stays at the end.
    """
    ranked = [(rank, codec) for codec in codecs if (rank := _rank(codec)) is not None]
    return [codec for _, codec in sorted(ranked, key=lambda pair: pair[0])]


def _rank(codec: Codec) -> int | None:
    kind = codec.mimeType.lower()
    if kind == "video/h264" and codec.parameters.get("packetization-mode") == "1":
        return 0 if str(codec.parameters.get("profile-level-id", "")).lower().startswith("42e0") else 1
    return {"video/vp8": 2, "video/rtx": 3}.get(kind)


def wanted_format(offer: str) -> Format:
    """What a checked offer can show: H264 in packetization mode 1 (RFC 6184) where it is offered, else VP8.

    Args:
        offer: passed ``check_offer``.
    """
    for section in SessionDescription.parse(offer).media:
        for codec in section.rtp.codecs:
            if section.kind == "video" and _rank(codec) in (0, 1):
                return Format.H264
    return Format.VP8


def with_bitrates(answer: str, bitrate: Bitrate) -> str:
    """Ask the browser, in an answer, to start and stay at a bitrate.

    Chromium starts at 300 kb/s and shrinks the picture to fit; its ``x-google-*-bitrate`` format parameters,
    in kb/s, say otherwise. Other browsers ignore them.
    """
    wishes = (
        f"x-google-min-bitrate={bitrate.at_360p // 1000};x-google-start-bitrate={bitrate.at_720p // 1000}"
        f";x-google-max-bitrate={bitrate.most // 1000}"
    )
    lines = answer.splitlines()
    formats = {match[1] for line in lines if (match := _RTPMAP.match(line))}
    spoken = {match[1] for line in lines if (match := _FMTP.match(line))}
    out: list[str] = []
    for line in lines:
        parameters, codec = _FMTP.match(line), _RTPMAP.match(line)
        out.append(f"{line};{wishes}" if parameters and parameters[1] in formats else line)
        if codec and codec[1] not in spoken:
            out.append(f"a=fmtp:{codec[1]} {wishes}")
    return "\r\n".join(out) + "\r\n"
