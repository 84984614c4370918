"""Keys, grants and packs for tests of consent."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from livefake.frame import Floats
from livefake.resources import models_folder
from livefake.trust.consent import Grant, Output, Purpose, sign
from livefake.trust.enrol import draw_up
from livefake.trust.grants import GrantBook
from livefake.trust.handles import Handle
from livefake.trust.keys import public_hex
from livefake.trust.watch import Watched

START, END = 1_800_000_000, 1_800_086_400
DURING = (START + END) / 2

SUBJECT = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SERVICE = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))


def draft(**changes: Any) -> Grant:
    """An unsigned grant for everything, for one day."""
    fields: Mapping[str, Any] = {
        "id": "0123456789abcdef",
        "subject": "Zoë",
        "subject_key": public_hex(SUBJECT),
        "operator": public_hex(SERVICE),
        "purposes": frozenset(Purpose),
        "outputs": frozenset(Output),
        "valid_from": START,
        "valid_until": END,
        "revocation": "ab" * 16,
        "notice": hashlib.sha256(b"notice").hexdigest(),
        "template": "cd" * 32,
        "adult": True,
        "evidence": {"method": "test", "views": 25},
    }
    return Grant(**{**fields, **changes})


def signed(**changes: Any) -> Grant:
    """The same, signed by both."""
    return sign(draft(**changes), subject=SUBJECT, service=SERVICE)


def embedding(seed: int) -> Floats:
    """Somebody's 128 numbers; two seeds are two people, far apart."""
    values = np.random.default_rng(seed).normal(size=128)
    return np.asarray(values / np.linalg.norm(values), np.float32)


@cache
def persona_face(persona: str = "mara") -> Floats:
    """The 128 numbers of a built-in persona, by the real network: for a grant that a pack with that face matches."""
    from livefake.faces.identity import IdentityNet

    folder = models_folder() / "personas" / persona
    picture = cv2.imread(str(folder / "face.png"))
    assert picture is not None
    return IdentityNet().embed(np.asarray(picture, np.uint8), np.load(folder / "landmarks.npy"))


def enter(
    book: GrantBook,
    seed: int = 1,
    *,
    days: int = 1,
    outputs: frozenset[Output] = frozenset(Output),
    face: Floats | None = None,
    handle: Handle | None = None,
) -> Grant:
    """A grant in the book, with a template, that holds from ``START`` on."""
    return draw_up(
        book,
        Watched(embedding(seed) if face is None else face, {"method": "test"}),
        subject=f"Person {seed}",
        purposes=frozenset(Purpose),
        outputs=outputs,
        now=START,
        days=days,
        notice="notice",
        adult=True,
        handle=handle,
    )


def person_pack(folder: Path, grant: str, name: str = "zoe") -> Path:
    """A real person's pack, not signed yet; it has a fictional face."""
    source = models_folder() / "personas" / "mara"
    pack = Path(shutil.copytree(source, folder / name))
    card = pack / "persona.toml"
    text = card.read_text("utf-8").replace('id = "mara"', f'id = "{name}"').replace('title = "Mara"', 'title = "Zoë"')
    card.write_text(text.replace('kind = "fictional"', f'kind = "person"\ngrant = "{grant}"'), "utf-8")
    return pack
