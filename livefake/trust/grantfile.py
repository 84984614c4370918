"""Grants and revocations as text: a revocation by itself, and everything in a book as one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from livefake.errors import ConsentError
from livefake.trust.consent import Grant, parse, render, verify
from livefake.trust.keys import signed_by

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["LARGEST", "Bundle", "Revocation", "parse_bundle", "parse_revocation", "render_bundle"]

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a file with everything: more than ten thousand grants."""

_PREFIX: Final = b"livefake revocation 1\n"
_SCHEMA: Final = "livefake grants 1"
_HEX: Final = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Revocation:
    """A grant was taken back.

    Attributes:
        grant: its id.
        at: when, seconds since 1970 UTC.
        signature: the installation's Ed25519 over both, 128 hexadecimal digits.
    """

    grant: str
    at: int
    signature: str

    @classmethod
    def sign(cls, grant: str, at: int, key: Ed25519PrivateKey) -> Revocation:
        """A revocation with its signature."""
        return cls(grant, at, key.sign(_content(grant, at)).hex())

    @property
    def values(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {"grant": self.grant, "revoked_at": self.at, "signature": self.signature}

    def render(self) -> str:
        """As JSON text."""
        return json.dumps(self.values, indent=2) + "\n"

    def holds(self, operator: str) -> bool:
        """Whether that installation signed it."""
        return signed_by(operator, self.signature, _content(self.grant, self.at))


@dataclass(frozen=True, slots=True)
class Bundle:
    """Everything in a book: grants and revocations, and no face template.

    Attributes:
        operator: public key of the installation, 64 hexadecimal digits.
        grants: all of them, revoked ones too.
        revocations: by which some were taken back.
    """

    operator: str
    grants: tuple[Grant, ...]
    revocations: tuple[Revocation, ...]


def parse_revocation(values: object, name: str) -> Revocation:
    """A revocation from what JSON gave; whether it is signed is for ``holds``.

    Args:
        values: what ``Revocation.values`` gave once. Other names are passed by.
        name: of the file, for the sentence that tells what is wrong.

    Raises:
        ConsentError: it is none.
    """
    if isinstance(values, dict):
        grant, at, signature = (values.get(name) for name in ("grant", "revoked_at", "signature"))
        if (
            isinstance(grant, str)
            and len(grant) == 16
            and _HEX.issuperset(grant)
            and type(at) is int
            and isinstance(signature, str)
        ):
            return Revocation(grant, at, signature)
    raise ConsentError(f"{name} should be a revocation with grant, revoked_at and signature, and is not.")


def render_bundle(operator: str, grants: Sequence[Grant], revocations: Sequence[Revocation]) -> str:
    """Everything as JSON text."""
    values = {
        "schema": _SCHEMA,
        "operator": operator,
        "grants": [json.loads(render(grant)) for grant in grants],
        "revocations": [one.values for one in revocations],
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def parse_bundle(text: str, name: str) -> Bundle | None:
    """Read what ``render_bundle`` wrote, and check every signature; None when the text is no such file.

    Args:
        text: JSON.
        name: of the file, for the sentence that tells what is wrong.

    Raises:
        ConsentError: it is one, and a part of it was changed or is missing.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict) or values.get("schema") != _SCHEMA:
        return None
    operator, grants, revocations = (values.get(part) for part in ("operator", "grants", "revocations"))
    if not (isinstance(operator, str) and isinstance(grants, list) and isinstance(revocations, list)):
        raise ConsentError(f"{name} should hold an operator, grants and revocations, and does not.")
    bundle = Bundle(
        operator,
        tuple(parse(json.dumps(one, ensure_ascii=False), f"{name}, grant {at},") for at, one in enumerate(grants, 1)),
        tuple(parse_revocation(one, f"{name}, revocation {at},") for at, one in enumerate(revocations, 1)),
    )
    for grant in bundle.grants:
        verify(grant)
        if grant.operator != operator:
            raise ConsentError(f"In {name} the grant {grant.id} was given to another installation than the file says.")
    for one in bundle.revocations:
        if not one.holds(operator):
            raise ConsentError(f"In {name} the revocation of {one.grant} does not carry the installation's signature.")
    return bundle


def _content(grant: str, at: int) -> bytes:
    return _PREFIX + f"{grant} {at}".encode()
