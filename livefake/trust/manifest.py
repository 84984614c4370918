"""What a signed file says about itself: the content of its C2PA manifest (C2PA Technical Specification 2.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from livefake import __version__
from livefake.trust.consent import Grant
from livefake.trust.watermark import Payload

__all__ = ["SOFT_BINDING", "actions_in", "claim", "payload_in", "receipt"]

SOFT_BINDING: Final = "org.livefake.mark"
"""Name of our mark as a soft binding, before a dot and the version of its payload."""

_SOURCE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_GENERATOR: Final = {"name": "livefake", "version": __version__}
_CONSENT: Final = "org.livefake.consent"


def receipt(grant: Grant) -> str:
    """The fingerprint of a consent: SHA-256 of what both sides signed, 64 hexadecimal digits.

    It tells nothing about the person to whoever does not have the grant, whose random parts cannot be guessed.
    """
    return hashlib.sha256(grant.content).hexdigest()


def claim(title: str, payload: Payload, grant: Grant | None, *, at: float) -> dict[str, Any]:
    """The manifest of one file, as the C2PA library takes it.

    Args:
        title: what the file is, in words.
        payload: what the mark in its pictures says; goes into the soft binding.
        grant: of the person whose face is in it; None for a fictional persona.
        at: when it was made, seconds since 1970 UTC.
    """
    created = {
        "action": "c2pa.created",
        "when": datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "digitalSourceType": _SOURCE,
        "softwareAgent": _GENERATOR,
        "description": "The face was replaced by AI.",
    }
    binding = {
        "alg": f"{SOFT_BINDING}.{payload.version}",
        "blocks": [{"scope": {}, "value": base64.b64encode(payload.pack()).decode("ascii")}],
        "pad": "",
    }
    assertions: list[dict[str, Any]] = [
        {"label": "c2pa.actions.v2", "data": {"actions": [created, {"action": "c2pa.watermarked.bound"}]}},
        {"label": "c2pa.soft-binding", "data": binding},
    ]
    if grant is not None:
        content = {"receipt_sha256": receipt(grant), "valid_until": grant.valid_until}
        assertions.append({"label": _CONSENT, "data": content})
    return {"claim_generator_info": [_GENERATOR], "title": title, "assertions": assertions}


def payload_in(manifest: Mapping[str, Any]) -> Payload | None:
    """What a manifest says that the mark says; None when it does not name our mark, or does not say it right.

    Args:
        manifest: as the C2PA library gives it: anything may be in it, for a stranger may have written it.
    """
    for data in _assertions(manifest, "c2pa.soft-binding"):
        if not str(data.get("alg", "")).startswith(f"{SOFT_BINDING}."):
            continue
        for block in _mappings(data.get("blocks")):
            try:
                return Payload.unpack(base64.b64decode(str(block.get("value")), validate=True))
            except (ValueError, binascii.Error):
                continue
    return None


def actions_in(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The actions that a manifest tells of, in its order, such as ``c2pa.created``."""
    found = [
        str(action["action"])
        for label in ("c2pa.actions", "c2pa.actions.v2")
        for data in _assertions(manifest, label)
        for action in _mappings(data.get("actions"))
        if "action" in action
    ]
    return tuple(found)


def _assertions(manifest: Mapping[str, Any], label: str) -> list[Mapping[str, Any]]:
    # A second one of the same kind is called label__1.
    return [
        one["data"]
        for one in _mappings(manifest.get("assertions"))
        if str(one.get("label", "")).partition("__")[0] == label and isinstance(one.get("data"), Mapping)
    ]


def _mappings(value: object) -> list[Mapping[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [one for one in value if isinstance(one, Mapping)]
