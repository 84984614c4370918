"""Secrets in files that only their user may read, and Ed25519 signatures (RFC 8032)."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from livefake.errors import LivefakeError
from livefake.trust.durable import sync_folder, write_durably

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["installation_key", "public_hex", "secret_file", "signed_by"]


def secret_file(path: Path, make: Callable[[], bytes], what: str) -> bytes:
    """Read a secret, making it first where there is none.

    It is readable by its user only from its first moment on, appears under its name when it is whole, and never
    replaces another: of several starts at once, the first one's secret counts for all.

    Args:
        path: the file.
        make: draws a new secret.
        what: its name in a sentence, such as "installation's key".

    Raises:
        LivefakeError: the file cannot be made or read.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
            try:
                # What the key signs or encrypts outlives a power failure, so the key must too.
                write_durably(half, make())
                with suppress(FileExistsError):
                    os.link(half, path)
            finally:
                half.unlink(missing_ok=True)
            sync_folder(path.parent)
    except OSError as error:
        raise LivefakeError(
            f"The {what} {path} cannot be made: {error.strerror}.", "Set LIVEFAKE_DATA to another folder."
        ) from error
    try:
        return path.read_bytes()
    except OSError as error:
        raise LivefakeError(f"The {what} {path} cannot be used: {error}.", "Make the file readable.") from error


def installation_key(folder: Path) -> Ed25519PrivateKey:
    """The key pair of this installation, made at the first start.

    Args:
        folder: where ``issuer.key`` lies.

    Raises:
        LivefakeError: the key cannot be made or read, or is not an Ed25519 key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder / "issuer.key"
    content = secret_file(path, lambda: Ed25519PrivateKey.generate().private_bytes_raw(), "installation's key")
    try:
        return Ed25519PrivateKey.from_private_bytes(content)
    except ValueError as error:
        raise LivefakeError(
            f"The installation's key {path} cannot be used: {error}.", "Move it away to get a new one."
        ) from error


def public_hex(key: Ed25519PrivateKey) -> str:
    """The public half of a key, 64 hexadecimal digits."""
    return key.public_key().public_bytes_raw().hex()


def signed_by(public: str, signature: str, content: bytes) -> bool:
    """Whether a signature is right.

    Args:
        public: 64 hexadecimal digits.
        signature: 128 hexadecimal digits; anything that is not a signature is simply not right.
        content: what was signed.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True
