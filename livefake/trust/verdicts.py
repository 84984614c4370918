"""What was found about a persona, kept so that it is tried on once and not at every start.

A verdict holds distances, no face. It carries the installation's signature, and its name depends on everything that it
rests on: other files, another grant or a grant more, and it is not found. The 128 numbers themselves are kept only of
personas that come with livefake, who do not exist.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from livefake.faces.identity import LENGTH
from livefake.frame import Floats
from livefake.trust.durable import write_durably
from livefake.trust.keys import public_hex, signed_by
from livefake.trust.probe import Verdict
from livefake.trust.rehearsal import Sight

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["VerdictStore"]

_VERSION: Final = 1
"""Another performer, another rule or another network that tells people apart makes this another number."""
_PREFIX: Final = b"livefake verdict 1\n"


class VerdictStore:
    """Verdicts in a folder; a file that cannot be used counts as none, and one that cannot be written is done without.

    Args:
        cache: folder that may be written.
        key: the installation's key.
    """

    def __init__(self, cache: Path, key: Ed25519PrivateKey) -> None:
        self._folder = cache / "probes"
        self._key = key

    def find(self, content: str, grant: str | None, templates: Mapping[str, str]) -> Verdict | None:
        """An earlier verdict on the same files under the same grants.

        Args:
            content: SHA-256 of the persona's files.
            grant: that the persona names.
            templates: hash of each template that it is compared with, by the id of its grant.
        """
        name = _name(content, grant, templates)
        try:
            values: dict[str, Any] = json.loads((self._folder / f"{name}.json").read_text("utf-8"))
            signature = str(values.pop("signature"))
            if not signed_by(public_hex(self._key), signature, _content(name, values)):
                return None
            distances = {str(id): float(away) for id, away in values["distances"].items()}
            return Verdict(grant, distances, int(values["faces"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None

    def keep(self, verdict: Verdict, content: str, templates: Mapping[str, str]) -> None:
        """Keep a verdict; arguments as for ``find``."""
        name = _name(content, verdict.grant, templates)
        values: dict[str, Any] = {"distances": dict(verdict.distances), "faces": verdict.faces}
        values["signature"] = self._key.sign(_content(name, values)).hex()
        self._write(f"{name}.json", json.dumps(values).encode())

    def find_faces(self, content: str) -> Sight | None:
        """What came out of a persona that comes with livefake; None when it was not tried on yet."""
        try:
            numbers = np.load(self._folder / f"{_name(content, None, {})}.npy", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if numbers.ndim != 2 or numbers.shape[1] != LENGTH or numbers.dtype != np.float32 or len(numbers) < 1:
            return None
        # The number of pictures stands in the last row.
        return Sight(numbers[:-1], int(numbers[-1, 0]))

    def keep_faces(self, sight: Sight, content: str) -> None:
        """Keep what came out of a persona that comes with livefake."""
        row: Floats = np.full((1, LENGTH), sight.pictures, np.float32)
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            file = io.BytesIO()
            np.save(file, np.concatenate([sight.embeddings, row]))
            write_durably(self._folder / f"{_name(content, None, {})}.npy", file.getvalue())

    def _write(self, name: str, content: bytes) -> None:
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(self._folder / name, content)


def _name(content: str, grant: str | None, templates: Mapping[str, str]) -> str:
    facts = [_VERSION, content, grant, sorted(templates.items())]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40]


def _content(name: str, values: Mapping[str, Any]) -> bytes:
    return _PREFIX + name.encode() + b"\n" + json.dumps(values, sort_keys=True).encode()
