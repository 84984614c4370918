"""A person's signed yes: what it says, who signed it, and the one function that decides whether it covers something.

Pure logic. The fields follow ISO/IEC TS 27560 (consent records) in the W3C Data Privacy Vocabulary: who, to whom, for
what, where it may be seen, from when to when, how it is taken back, what was read, and how it was given.

Time is the wall clock, in whole seconds since 1970 UTC, and always an argument: a grant outlives the program that made
it, so the monotonic clock that the pictures follow would not do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from livefake.errors import ConsentError
from livefake.trust.keys import public_hex, signed_by

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["LONGEST", "Grant", "Output", "Purpose", "decide", "parse", "render", "sign", "verify"]

LONGEST: Final = 2 * 366 * 86_400
"""The longest a grant may hold, seconds: nobody can foresee for longer what their face will be used for."""

_SCHEMA: Final = 1
_PREFIX: Final = b"livefake grant 1\n"
_LARGEST: Final = 65_536
_LATEST: Final = 253_402_300_799  # the last second of the year 9999
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_AGAIN: Final = "Ask for a new grant: livefake grants sign"


class Purpose(StrEnum):
    """What is done with the face."""

    TRAIN = "train"
    """A network learns to draw it."""
    WEAR = "wear"
    """Somebody else appears with it."""


class Output(StrEnum):
    """Where a picture with the face may go."""

    LIVE = "live"
    """To the performer and to viewers, while it happens."""
    RECORDING = "recording"
    """A live session, kept."""
    VIRTUAL_CAMERA = "virtual-camera"
    """To another program on this computer, as a camera."""
    FILE = "file"
    """A video file, swapped afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One person's yes to one installation.

    Attributes:
        id: 16 hexadecimal digits, drawn at random.
        subject: the name the person wants to be called.
        subject_key: the Ed25519 public key the person signed with, 64 hexadecimal digits.
        operator: the Ed25519 public key of the installation that may use the grant, 64 hexadecimal digits.
        purposes: what it may be used for.
        outputs: where the pictures may go.
        valid_from, valid_until: seconds since 1970 UTC; the first second in which it holds, and the first in which it
            no longer does.
        revocation: 32 hexadecimal digits that name this grant when it is taken back.
        notice: SHA-256 of the text that was read before, 64 hexadecimal digits.
        template: salted SHA-256 of the face template, 64 hexadecimal digits; the template itself is never in a grant,
            and without the salt, which is deleted with it, the hash says nothing about a face.
        adult: the person's own declaration to be of age.
        evidence: how it was given, by lower-case name; texts and whole numbers only, so that one content has one form.
        subject_signature, service_signature: Ed25519 over ``content``, 128 hexadecimal digits; empty before signing.
    """

    id: str
    subject: str
    subject_key: str
    operator: str
    purposes: frozenset[Purpose]
    outputs: frozenset[Output]
    valid_from: int
    valid_until: int
    revocation: str
    notice: str
    template: str
    adult: bool
    evidence: Mapping[str, str | int] = field(default_factory=dict)
    subject_signature: str = ""
    service_signature: str = ""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ConsentError: one of them is not what it should be.
        """
        for name, (expected, right) in _FIELDS.items():
            value = getattr(self, name)
            if not right(value):
                raise _wrong(name, expected, value)
        if not 0 < self.valid_until - self.valid_from <= LONGEST:
            raise _wrong("valid_until", "later than valid_from, by two years at most", self.valid_until)
        object.__setattr__(self, "evidence", MappingProxyType(dict(self.evidence)))

    @property
    def content(self) -> bytes:
        """What is signed: every field but the signatures, in the one form there is for it (after RFC 8785)."""
        values = {name: value for name, value in _values(self).items() if not name.endswith("_signature")}
        return _PREFIX + _canonical(values).encode()


def sign(grant: Grant, *, subject: Ed25519PrivateKey, service: Ed25519PrivateKey) -> Grant:
    """The grant with both signatures.

    Args:
        grant: names the public halves of both keys.
        subject: the person's key.
        service: the installation's key.

    Raises:
        ConsentError: a key is not the one the grant names.
    """
    if public_hex(subject) != grant.subject_key or public_hex(service) != grant.operator:
        raise ConsentError(f"The grant {grant.id} names other keys than those it was to be signed with.")
    return replace(
        grant,
        subject_signature=subject.sign(grant.content).hex(),
        service_signature=service.sign(grant.content).hex(),
    )


def verify(grant: Grant) -> None:
    """Check both signatures.

    Raises:
        ConsentError: one is missing or wrong: the grant was changed, or was never given.
    """
    for who, key, signature in (
        ("the person", grant.subject_key, grant.subject_signature),
        ("the installation", grant.operator, grant.service_signature),
    ):
        if not signed_by(key, signature, grant.content):
            raise ConsentError(f"The grant {grant.id} does not carry the signature of {who}: it was changed.", _AGAIN)


def decide(grant: Grant, *, now: float, operator: str, purpose: Purpose, output: Output | None, revoked: bool) -> None:
    """Decide whether a grant covers something; the only place where this is decided.

    Args:
        grant: what was given.
        now: the instant, seconds since 1970 UTC.
        operator: public key of the installation that asks, 64 hexadecimal digits.
        purpose: what is to be done.
        output: where the pictures are to go; None where there are none, which is when a network is trained.
        revoked: whether the grant was taken back.

    Raises:
        ConsentError: it does not, for the reason given.
    """
    verify(grant)
    who = f"{grant.subject}'s grant {grant.id}"
    if revoked:
        raise ConsentError(f"{who} was revoked.", "Choose another persona.")
    if grant.operator != operator:
        raise ConsentError(f"{who} was given to another installation.", _AGAIN)
    # Written so that NaN fails too.
    if not now >= grant.valid_from:
        raise ConsentError(f"{who} does not hold before {_day(grant.valid_from)}.", "Wait until then.")
    if not now < grant.valid_until:
        raise ConsentError(f"{who} expired on {_day(grant.valid_until)}.", _AGAIN)
    if purpose not in grant.purposes:
        raise ConsentError(f"{who} is for {_list(grant.purposes)}, not for {purpose}.", _AGAIN)
    if output is None and purpose is not Purpose.TRAIN:
        raise ConsentError(f"{who} needs to know where the pictures go.", "Name an output.")
    if output is not None and output not in grant.outputs:
        raise ConsentError(f"{who} covers {_list(grant.outputs) or 'no output'}, not {output}.", _AGAIN)


def render(grant: Grant) -> str:
    """The grant as JSON text, one field a line."""
    return json.dumps({"schema": _SCHEMA, **_values(grant)}, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def parse(text: str, name: str) -> Grant:
    """Read what ``render`` wrote; the signatures are not looked at, see ``verify``.

    Args:
        text: JSON.
        name: of the file, for the sentence that tells what is wrong.

    Raises:
        ConsentError: it is not a grant, or a field is not what it should be, or there is one that nobody signed.
    """
    if len(text) > _LARGEST:
        raise ConsentError(f"{name} should be a grant of {_LARGEST} characters at most, got {len(text)}.")
    try:
        values = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ConsentError(f"{name} should be a grant in JSON: {error}.") from error
    if not isinstance(values, dict) or values.pop("schema", None) != _SCHEMA:
        raise ConsentError(f"{name} should be a grant with schema {_SCHEMA}.", "Update livefake.")
    wanted = {one.name for one in fields(Grant)}
    if values.keys() != wanted:
        raise ConsentError(f"{name} has missing or foreign fields: {', '.join(sorted(values.keys() ^ wanted))}.")
    try:
        values["purposes"] = frozenset(Purpose(value) for value in values["purposes"])
        values["outputs"] = frozenset(Output(value) for value in values["outputs"])
    except (TypeError, ValueError) as error:
        raise ConsentError(f"{name} names a purpose or an output that there is not: {error}.") from error
    return Grant(**values)


def _digits(count: int) -> Callable[[object], bool]:
    shape = re.compile(rf"[0-9a-f]{{{count}}}")
    return lambda value: isinstance(value, str) and shape.fullmatch(value) is not None


def _is_instant(value: object) -> bool:
    return type(value) is int and 0 <= value <= _LATEST


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 80 and value.isprintable() and value == value.strip()


def _is_evidence(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(name, str)
        and _NAME.fullmatch(name)
        # A bool is an int for isinstance, and JSON has no whole numbers beyond these that all readers agree on.
        and ((type(item) is str and item.isprintable()) or (type(item) is int and abs(item) < 1 << 53))
        for name, item in value.items()
    )


def _are(kind: type[StrEnum], *, least: int) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, frozenset) and len(value) >= least and all(isinstance(one, kind) for one in value)
    )


def _is_signature(value: object) -> bool:
    return value == "" or _digits(128)(value)


_FIELDS: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    "id": ("16 hexadecimal digits", _digits(16)),
    "subject": ("a name of 1 to 80 characters without spaces around it", _is_name),
    "subject_key": ("64 hexadecimal digits", _digits(64)),
    "operator": ("64 hexadecimal digits", _digits(64)),
    "purposes": (f"some of {', '.join(Purpose)}", _are(Purpose, least=1)),
    "outputs": (f"some of {', '.join(Output)}", _are(Output, least=0)),
    "valid_from": ("whole seconds since 1970", _is_instant),
    "valid_until": ("whole seconds since 1970", _is_instant),
    "revocation": ("32 hexadecimal digits", _digits(32)),
    "notice": ("64 hexadecimal digits", _digits(64)),
    "template": ("64 hexadecimal digits", _digits(64)),
    "adult": ("true, the person's own declaration to be of age", lambda value: value is True),
    "evidence": ("printable texts and whole numbers by lower-case name", _is_evidence),
    "subject_signature": ("128 hexadecimal digits", _is_signature),
    "service_signature": ("128 hexadecimal digits", _is_signature),
}


def _values(grant: Grant) -> dict[str, Any]:
    values: dict[str, Any] = {one.name: getattr(grant, one.name) for one in fields(Grant)}
    values["purposes"], values["outputs"] = sorted(grant.purposes), sorted(grant.outputs)
    values["evidence"] = dict(grant.evidence)
    return values


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no name stands twice: readers differ in which one they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in it")
    return found


def _wrong(name: str, expected: str, found: object) -> ConsentError:
    return ConsentError(f"In a grant {name} should be {expected}, got {found!r}.")


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _list(names: frozenset[Purpose] | frozenset[Output]) -> str:
    return ", ".join(sorted(names))
