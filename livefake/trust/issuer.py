"""Who marks: an installation's key pair, made at the first start and kept in a file only its user may read."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
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
        LivefakeError: the key cannot be made or read, or is not an Ed25519 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder / "issuer.key"
    if not path.exists():
        _make(path)
    try:
        private = Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    except (OSError, ValueError) as error:
        raise LivefakeError(
            f"The installation's key {path} cannot be used: {error}.", "Move it away to get a new one."
        ) from error
    return int.from_bytes(hashlib.sha256(private.public_key().public_bytes_raw()).digest()[:3], "big")


def _make(path: Path) -> None:
    """Write a new private key, which nobody else may read from its first moment on.

    It appears under its name when it is whole, and never replaces another: of several starts at once, the first
    one's key counts for all.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A temporary file has the mode 0600, and so has its link.
        with tempfile.NamedTemporaryFile(dir=path.parent) as fresh:
            fresh.write(Ed25519PrivateKey.generate().private_bytes_raw())
            fresh.flush()
            with suppress(FileExistsError):
                os.link(fresh.name, path)
    except OSError as error:
        raise LivefakeError(
            f"The installation's key {path} cannot be made: {error.strerror}.", "Set LIVEFAKE_DATA to another folder."
        ) from error
