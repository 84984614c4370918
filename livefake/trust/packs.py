"""A real person's pack carries the installation's signature: which face, under which grant, with which files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from livefake.errors import BadPersona, ConsentError
from livefake.swap.persona import Kind, PersonaCard, read_card
from livefake.trust.durable import write_durably
from livefake.trust.keys import public_hex, signed_by

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["check_pack", "sign_pack"]

_PREFIX: Final = b"livefake pack 1\n"
_AGAIN: Final = "Train the persona again here, under a grant of that person."
_LINE: Final = re.compile(r"^signature\s*=.*\n?", re.MULTILINE)
_TABLE: Final = re.compile(r"^\[", re.MULTILINE)


def sign_pack(folder: Path, key: Ed25519PrivateKey) -> PersonaCard:
    """Write the installation's signature into a pack's ``persona.toml``; the last step of making a pack.

    Args:
        folder: the pack, complete, with its checksums.
        key: the installation's key.

    Returns:
        The card as it is now.

    Raises:
        BadPersona: the card is damaged, is not a real person's, or cannot be written.
    """
    card = read_card(folder)
    if card.kind is not Kind.PERSON:
        raise BadPersona(f"{card.title} is fictional, and only a real person's pack is signed.")
    path = folder / "persona.toml"
    value = f"{public_hex(key)}.{key.sign(_content(card)).hex()}"
    try:
        text = _LINE.sub("", path.read_text("utf-8"))
        table = _TABLE.search(text)
        # A name at the end of the file would belong to its last table.
        at = table.start() if table else len(text)
        head = text[:at].rstrip()
        write_durably(path, f'{head}\nsignature = "{value}"\n\n{text[at:]}'.encode())
    except OSError as error:
        raise BadPersona(f"The pack {folder} cannot be signed: {error}.") from error
    signed = read_card(folder)
    if signed.signature != value:
        raise BadPersona(f"{path} has no place for a signature.", "Put a plain [files] table at its end.")
    return signed


def check_pack(card: PersonaCard, operator: str) -> None:
    """Check that this installation signed a real person's pack; a fictional one needs no signature.

    Args:
        card: what it says; that the files match its checksums is checked where they are opened.
        operator: the installation's public key, 64 hexadecimal digits.

    Raises:
        ConsentError: there is no signature, it is another installation's, or the card was changed.
    """
    if card.kind is not Kind.PERSON:
        return
    if not card.signature:
        raise ConsentError(f"The pack of {card.title}, a real person, is not signed by this installation.", _AGAIN)
    key, _, signature = card.signature.partition(".")
    if key != operator:
        raise ConsentError(f"The pack of {card.title}, a real person, was signed by another installation.", _AGAIN)
    if not signed_by(key, signature, _content(card)):
        raise ConsentError(f"The pack of {card.title}, a real person, was changed after it was signed.", _AGAIN)


def _content(card: PersonaCard) -> bytes:
    values = {
        "id": card.id,
        "title": card.title,
        "kind": card.kind,
        "grant": card.grant,
        "description": card.description,
        "licence": card.licence,
        "files": dict(card.files),
    }
    return _PREFIX + json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
