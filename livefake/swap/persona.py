"""Persona packs: a folder with ``persona.toml``, ``face.png``, ``portrait.jpg`` and ``landmarks.npy``."""

from __future__ import annotations

import hashlib
import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from livefake.errors import BadPersona, NotFound
from livefake.faces.geometry import POINTS
from livefake.faces.pose import head_turn
from livefake.frame import Bytes, Floats

__all__ = [
    "FILES",
    "MODEL",
    "NETWORKS",
    "SIDES",
    "Kind",
    "Persona",
    "PersonaCard",
    "Turned",
    "check_files",
    "find_persona",
    "list_personas",
    "load_persona",
    "read_card",
    "view_files",
]

_log = logging.getLogger(__name__)

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_LARGEST: Final = 2048
FILES: Final = ("face.png", "portrait.jpg", "landmarks.npy")
"""What a pack holds beside its card."""
NETWORKS: Final = ("refine.onnx", "refine-int8.onnx")
"""What it may hold too: a swap network of its own, in float16 and in int8."""
MODEL: Final = "model.dfm.onnx"
"""What a brought pack holds in place of ``face.png`` and ``landmarks.npy``: a network in DeepFaceLive's form."""
SIDES: Final = {"left": -1, "right": 1}
"""Where a pack's further pictures may look to, and the sign of the yaw there; see ``view_files``."""
_LEAST_TURN: Final = 8.0
"""Degrees of turn from which a picture is one of a turned head."""


class Kind(StrEnum):
    """Whose face it is."""

    FICTIONAL = "fictional"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class PersonaCard:
    """What is known of a persona without opening its pictures.

    Attributes:
        id: lower-case word, the name of its folder.
        title: for people.
        kind: somebody who exists, or nobody.
        description: one sentence.
        licence: SPDX identifier of the pictures.
        folder: where the pack lies.
        files: SHA-256 by file name.
        grant: id of the person's grant; None for nobody's face.
        signature: of the installation that made a real person's pack; see ``livefake.trust.packs``.
    """

    id: str
    title: str
    kind: Kind
    description: str
    licence: str
    folder: Path
    files: Mapping[str, str]
    grant: str | None = None
    signature: str | None = None

    @property
    def networks(self) -> tuple[Path, Path] | None:
        """The persona's own swap network for GPUs and for processors; None where it is worn with the general one.

        A pack without an int8 network lets processors run the float16 one.
        """
        half, rounded = NETWORKS
        if half not in self.files:
            return None
        return self.folder / half, self.folder / (rounded if rounded in self.files else half)

    @property
    def model(self) -> Path | None:
        """The network that draws the whole face by itself; None for a persona made of pictures."""
        return self.folder / MODEL if MODEL in self.files else None

    @property
    def content(self) -> str:
        """SHA-256 over the names and checksums of its files, 64 hexadecimal digits."""
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode()).hexdigest()

    @property
    def portrait(self) -> Path:
        """A picture of the persona for people to choose by, JPEG."""
        return self.folder / "portrait.jpg"


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """A picture of a persona's turned head, made as the frontal one.

    Attributes:
        picture: (H, W, 3) uint8 BGR.
        points: (468, 3) float32, mesh landmarks in the picture, pixels.
        yaw: how far the head is turned, degrees, positive to the right of the picture; never 0.
    """

    picture: Bytes
    points: Floats
    yaw: float


@dataclass(frozen=True, slots=True, eq=False)
class Persona:
    """A persona that is ready to be worn.

    Attributes:
        card: what it is.
        picture: (H, W, 3) uint8 BGR, neutral, frontal, mouth closed.
        points: (468, 3) float32, mesh landmarks in the picture, pixels.
        turned: further pictures of the turned head; most packs have none.
    """

    card: PersonaCard
    picture: Bytes
    points: Floats
    turned: tuple[Turned, ...] = ()


def list_personas(folder: Path, *more: Path) -> tuple[PersonaCard, ...]:
    """The packs in some folders, each by id; a folder that is not there has none.

    Args:
        folder: with the packs that come with livefake.
        more: with the user's own. A damaged pack there is told in the log and left out: the others can still be worn.

    Raises:
        BadPersona: one that comes with livefake is damaged, or two have one id.
    """
    cards = [read_card(path.parent) for path in sorted(folder.glob("*/persona.toml"))]
    for path in (path for own in more for path in sorted(own.glob("*/persona.toml"))):
        try:
            cards.append(read_card(path.parent))
        except BadPersona as error:
            _log.warning("The persona in %s was left out. %s", path.parent, error)
    seen: dict[str, PersonaCard] = {}
    for card in cards:
        if card.id in seen:
            raise BadPersona(
                f"Two personas are called {card.id}: {seen[card.id].folder} and {card.folder}.", "Rename one of them."
            )
        seen[card.id] = card
    return tuple(cards)


def find_persona(folder: Path, name: str, *more: Path) -> PersonaCard:
    """The pack with that id in a folder, or in one of the others.

    Raises:
        NotFound: there is none; the text lists those that are there.
        BadPersona: one of them is damaged, or two have one id.
    """
    cards = {card.id: card for card in list_personas(folder, *more)}
    if name not in cards:
        raise NotFound(f"There is no persona {name!r}; there are {', '.join(cards) or 'none'}.")
    return cards[name]


def read_card(folder: Path) -> PersonaCard:
    """Read ``persona.toml``.

    Raises:
        BadPersona: it is missing, is not TOML, or a field is missing or not what it should be.
    """
    path = folder / "persona.toml"
    try:
        fields: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        files = {str(name): str(digest) for name, digest in fields["files"].items()}
        card = PersonaCard(
            id=str(fields["id"]),
            title=str(fields["title"]),
            kind=Kind(fields["kind"]),
            description=str(fields["description"]),
            licence=str(fields["licence"]),
            folder=folder,
            files=files,
            grant=_text(fields, "grant"),
            signature=_text(fields, "signature"),
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadPersona(f"The persona {folder.name} has no readable persona.toml: {error}.") from error
    except (KeyError, AttributeError, ValueError) as error:
        raise BadPersona(f"In {path} a field is missing or wrong: {error}.") from error
    if fields.get("schema") != 1:
        raise BadPersona(f"{path} should have schema = 1, got {fields.get('schema')!r}.", "Update livefake.")
    if not _ID.fullmatch(card.id) or card.id != folder.name:
        raise BadPersona(f"The persona in {folder} should have its folder's name as id, got {card.id!r}.")
    if missing := ({"portrait.jpg"} if MODEL in files else set(FILES)) - set(files):
        raise BadPersona(f"{path} names no checksum for {', '.join(sorted(missing))}.")
    if foreign := [name for name in files if Path(name).name != name]:
        raise BadPersona(f"{path} should name files of its own folder, got {', '.join(foreign)}.")
    if card.kind is Kind.PERSON and card.grant is None:
        raise BadPersona(f"{path} is a real person's and names no grant.", "Train the persona under a grant.")
    if card.kind is Kind.FICTIONAL and (card.grant or card.signature):
        raise BadPersona(f'{path} names a grant, so it should have kind = "person", got "fictional".')
    return card


def load_persona(card: PersonaCard) -> Persona:
    """Open a pack's picture and landmarks and check them.

    Raises:
        BadPersona: a file is missing, does not match its checksum, or is not what it should be.
    """
    check_files(card)
    if card.model is not None:
        raise BadPersona(f"{card.title} is a network without pictures.", "Choose a persona made of pictures.")
    turned = []
    for side, towards in SIDES.items():
        names = view_files(side)
        if not set(names) <= set(card.files):
            continue
        picture, points = _read_picture(card, names[0]), _read_points(card, names[1])
        # What it shows counts, not how its file is called: the fade follows the yaw.
        yaw = head_turn(points)[0]
        if yaw * towards < _LEAST_TURN:
            raise BadPersona(
                f"{names[0]} of {card.id} should show a head turned {_LEAST_TURN:.0f} degrees or more to the {side},"
                f" got {yaw * towards:.0f}."
            )
        turned.append(Turned(picture, points, yaw))
    return Persona(card, _read_picture(card, "face.png"), _read_points(card, "landmarks.npy"), tuple(turned))


def check_files(card: PersonaCard) -> None:
    """Check that a pack's files are those that its card names.

    Raises:
        BadPersona: one is missing or was changed.
    """
    for name in card.files:
        _check(card, name)


def view_files(side: str) -> tuple[str, str]:
    """Names of the picture and the landmarks of a head turned to one of ``SIDES``."""
    return f"face-{side}.png", f"landmarks-{side}.npy"


def _read_picture(card: PersonaCard, name: str) -> Bytes:
    picture = cv2.imread(str(card.folder / name), cv2.IMREAD_COLOR)
    if picture is None or max(picture.shape[:2]) > _LARGEST or min(picture.shape[:2]) < 256:
        found = "no picture" if picture is None else f"{picture.shape[1]} x {picture.shape[0]}"
        raise BadPersona(f"{name} of {card.id} should be a picture of 256 to {_LARGEST} pixels a side, got {found}.")
    return np.asarray(picture, np.uint8)


def _read_points(card: PersonaCard, name: str) -> Floats:
    try:
        points = np.load(card.folder / name, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadPersona(f"{name} of {card.id} cannot be read: {error}.") from error
    if points.shape != (POINTS, 3) or points.dtype != np.float32 or not np.isfinite(points).all():
        raise BadPersona(
            f"{name} of {card.id} should be ({POINTS}, 3) finite float32, got {points.dtype} {points.shape}."
        )
    if np.abs(points).max() > 2 * _LARGEST:
        raise BadPersona(f"{name} of {card.id} should be pixels near its picture, got {np.abs(points).max():.3g}.")
    return np.asarray(points, np.float32)


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else str(value)


def _check(card: PersonaCard, name: str) -> None:
    path = card.folder / name
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadPersona(f"The persona {card.id} lacks {name}: {error}.") from error
    if found != card.files[name]:
        raise BadPersona(
            f"{name} of {card.id} was changed: SHA-256 {found}, but persona.toml says {card.files[name]}.",
            "Restore the pack, or prepare it again: livefake personas prepare FOLDER",
        )
