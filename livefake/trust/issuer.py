"""Who marks: an installation's key pair, made at the first start and kept in a file only its user may read."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from livefake.errors import LivefakeError

__all__ = ["issuer_number"]


def issuer_number(folder: Path) -> int:
    """The 24-bit number of this installation, which every mark carries.

    It is the beginning of the SHA-256 of the installation's Ed25519 public key (RFC 8032), so that a claim to
    have made a mark can be proved with the private key.

    Args:
        folder: where ``issuer.key`` lies; it is made when it is not there.

    Raises:
        LivefakeError: the key cannot be read or written, or is not an Ed25519 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder / "issuer.key"
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            fresh = Ed25519PrivateKey.generate().private_bytes_raw()
            # Exclusive and private from its first moment; two starts at once cannot both win.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(fresh)
        private = Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise LivefakeError(
            f"The installation's key {path} cannot be used: {error}.", "Move it away to get a new one."
        ) from error
    return int.from_bytes(hashlib.sha256(private.public_key().public_bytes_raw()).digest()[:3], "big")
