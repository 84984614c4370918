"""The subject's own way to their grant: a secret in a link, of which the grant itself keeps only the hash."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from livefake.errors import NotFound
from livefake.trust.consent import Grant
from livefake.trust.grants import GrantBook

__all__ = ["Handle", "holder"]

_KEY: Final = re.compile(r"([0-9a-f]{16})-[A-Za-z0-9_-]{32}")


@dataclass(frozen=True, slots=True)
class Handle:
    """What a new grant is called, and how it is taken back.

    Attributes:
        id: of the grant, 16 hexadecimal digits.
        key: for the subject's link: the id, and 192 bits at random. Told once, kept nowhere.
    """

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", f"{self.id}-{secrets.token_urlsafe(24)}")

    @property
    def revocation(self) -> str:
        """What the grant says about the key: the first 32 hexadecimal digits of its SHA-256."""
        return _digest(self.key)


def holder(book: GrantBook, key: str) -> Grant:
    """The grant whose subject holds that key, revoked or not.

    Raises:
        NotFound: nobody's.
        ConsentError: the grant is damaged.
    """
    match = _KEY.fullmatch(key)
    try:
        grant = book.find(match[1]) if match else None
    except NotFound:
        grant = None
    if grant is None or not hmac.compare_digest(grant.revocation, _digest(key)):
        raise NotFound(
            "This link belongs to no grant here.", "Check that it was copied completely, or ask who runs livefake here."
        )
    return grant


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]
