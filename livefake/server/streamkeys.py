"""Stream keys: who may publish a camera from another program, as what, and until when. Kept in memory only.

A key is a secret of 256 random bits. It is told once, to the person who agreed to the notice; what stays here is its
SHA-256, which is enough for a secret that nobody can guess. Time is an argument.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from livefake.clock import Nanos
from livefake.errors import Busy, NotFound
from livefake.outputs import OutputKind
from livefake.sessions import Order

__all__ = ["LONGEST_MINUTES", "MOST", "USUAL_MINUTES", "StreamKey", "StreamKeys", "Target"]

USUAL_MINUTES: Final = 60
LONGEST_MINUTES: Final = 24 * 60
MOST: Final = 16
"""Keys that may hold at once."""


@dataclass(frozen=True, slots=True)
class Target:
    """An output that a session begins with.

    Attributes:
        kind: what it is.
        target: an address, a name, or nothing, as the kind needs it.
    """

    kind: OutputKind
    target: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class StreamKey:
    """A key without its secret.

    Attributes:
        id: names it on the page.
        digest: SHA-256 of the secret.
        order: what a session that it opens does.
        targets: outputs that such a session begins with.
        until: when it runs out.
    """

    id: str
    digest: bytes = field(repr=False)
    order: Order
    targets: tuple[Target, ...]
    until: Nanos


class StreamKeys:
    """The keys that hold. Those that have run out are forgotten with the next question."""

    def __init__(self) -> None:
        self._keys: dict[str, StreamKey] = {}

    def make(
        self, order: Order, targets: Sequence[Target], *, now: Nanos, minutes: int = USUAL_MINUTES
    ) -> tuple[StreamKey, str]:
        """Make a key.

        Args:
            order: what a session that it opens does; carries the notice that was agreed to.
            targets: outputs that such a session begins with.
            now: the instant.
            minutes: how long it holds, 1..1440.

        Returns:
            The key, and its secret, which is not kept.

        Raises:
            Busy: there are as many as there may be.
            ValueError: it would hold for too short or too long.
        """
        if not 1 <= minutes <= LONGEST_MINUTES:
            raise ValueError(f"a key holds for 1 to {LONGEST_MINUTES} minutes, got {minutes}")
        if len(self.all(now)) >= MOST:
            raise Busy(f"There may be {MOST} stream keys at once, and there are.", "Revoke one that is not used.")
        secret = secrets.token_urlsafe(32)
        until = now + minutes * 60_000_000_000
        key = StreamKey(secrets.token_urlsafe(8), _digest(secret), order, tuple(targets), until)
        self._keys[key.id] = key
        return key, secret

    def all(self, now: Nanos) -> tuple[StreamKey, ...]:
        """Those that hold, in the order in which they were made."""
        self._keys = {id: key for id, key in self._keys.items() if now < key.until}
        return tuple(self._keys.values())

    def holds(self, id: str, now: Nanos) -> bool:
        """Whether a key has neither run out nor been revoked."""
        return any(key.id == id for key in self.all(now))

    def find(self, secret: str, now: Nanos) -> StreamKey | None:
        """The key with that secret; None for a wrong one and for one that holds no more."""
        digest = _digest(secret)
        return next((key for key in self.all(now) if hmac.compare_digest(key.digest, digest)), None)

    def revoke(self, id: str) -> None:
        """Forget a key.

        Raises:
            NotFound: there is none with that id.
        """
        if self._keys.pop(id, None) is None:
            raise NotFound("There is no such stream key; it may have run out.", "Make a new one.")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
