"""The faces behind the grants: each template encrypted in a file of its own, gone when the grant is."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from livefake.errors import LivefakeError
from livefake.frame import Floats
from livefake.trust.durable import make_folder, remove_durably, write_durably
from livefake.trust.keys import secret_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["TemplateStore"]

_KEY: Final = 32
_NONCE: Final = 12
_SALT: Final = 32
_LENGTH: Final = 128


class TemplateStore:
    """Keeps face templates.

    Each is encrypted with AES-256-GCM under a key of the installation's own, and bound to its grant's id, so that one
    file cannot stand in for another. The key lies in the same data folder, readable by its user only: this protects a
    copied or published file, not a computer that somebody else controls.

    Args:
        folder: the data folder; the key is made there when the first template is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "templates"
        self._key = folder / "templates.key"

    def keep(self, grant: str, template: Floats) -> str:
        """Keep a template.

        Args:
            grant: id of the grant.
            template: (128,) float32, finite.

        Returns:
            The salted hash for the grant, 64 hexadecimal digits.

        Raises:
            ValueError: the template is not 128 finite numbers.
            LivefakeError: it cannot be written.
        """
        if template.shape != (_LENGTH,) or not np.isfinite(template).all():
            raise ValueError(f"a template should be ({_LENGTH},) finite numbers, got {template.shape}")
        content = secrets.token_bytes(_SALT) + template.astype("<f4").tobytes()
        nonce = secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher().encrypt(nonce, content, grant.encode())
        path = self._path(grant)
        try:
            make_folder(self._folder)
            write_durably(path, sealed)
        except OSError as error:
            raise LivefakeError(
                f"The template {path} cannot be written: {error.strerror}.", "Set LIVEFAKE_DATA to another folder."
            ) from error
        return hashlib.sha256(content).hexdigest()

    def load(self, grant: str, digest: str) -> Floats | None:
        """A template, (128,) float32; None when there is none (any more).

        Args:
            grant: id of the grant.
            digest: its salted hash, as the grant has it.

        Raises:
            LivefakeError: the file cannot be read, was changed, or is not the one the grant was given for.
        """
        path = self._path(grant)
        from cryptography.exceptions import InvalidTag

        try:
            sealed = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LivefakeError(f"The template {path} cannot be read: {error.strerror}.") from error
        try:
            content = self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], grant.encode())
        except (InvalidTag, ValueError) as error:
            raise LivefakeError(
                f"The template {path} was changed, or its key was.", f"Revoke the grant: livefake grants revoke {grant}"
            ) from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise LivefakeError(f"The template {path} is not the one that the grant {grant} was given for.")
        return np.frombuffer(content, "<f4", offset=_SALT).astype(np.float32)

    def delete(self, grant: str) -> None:
        """Delete a template; nothing happens when there is none.

        Raises:
            LivefakeError: it is there and cannot be deleted.
        """
        path = self._path(grant)
        try:
            remove_durably(path)
        except OSError as error:
            raise LivefakeError(f"The template {path} cannot be deleted: {error.strerror}.", "Delete it.") from error

    def _path(self, grant: str) -> Path:
        return self._folder / f"{grant}.bin"

    def _cipher(self) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = secret_file(self._key, lambda: secrets.token_bytes(_KEY), "templates' key")
        if len(key) != _KEY:
            raise LivefakeError(f"The templates' key {self._key} should have {_KEY} bytes, got {len(key)}.")
        return AESGCM(key)
