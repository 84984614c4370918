"""Who marks: the number of an installation's key pair."""

from __future__ import annotations

import hashlib
from pathlib import Path

from livefake.trust.keys import installation_key

__all__ = ["issuer_number"]


def issuer_number(folder: Path) -> int:
    """The 24-bit number of this installation, which every mark carries.

    It is the beginning of the SHA-256 of the installation's Ed25519 public key (RFC 8032), so that a claim to
    have made a mark can be proved with the private key.

    Args:
        folder: where ``issuer.key`` lies; it is made when it is not there.

    Raises:
        LivefakeError: the key cannot be made or read, or is not an Ed25519 key.
    """
    public = installation_key(folder).public_key().public_bytes_raw()
    return int.from_bytes(hashlib.sha256(public).digest()[:3], "big")
