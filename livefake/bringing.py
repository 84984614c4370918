"""Bringing a persona from elsewhere: looked through, tried on, compared with the grants, and only then signed."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.clock import Clock
from livefake.engine.onnxfile import summarise
from livefake.errors import BadPersona, ConsentError, EngineError, NotFound
from livefake.frame import Bytes
from livefake.studio import Studio
from livefake.swap.community.bundle import decode_png, read_bundle
from livefake.swap.community.dfm import read_dfm
from livefake.swap.guide import CHANNELS
from livefake.swap.persona import MODEL, SIDES, Kind, PersonaCard, read_card, view_files
from livefake.swap.prepare import measure
from livefake.training.footage.pack import Title, check_place, finish_pack, identifier
from livefake.trust.consent import Output, Purpose
from livefake.trust.grants import GrantBook
from livefake.trust.packs import sign_pack
from livefake.trust.probe import Verdict, compare

__all__ = ["Brought", "bring", "remove"]

_PORTRAIT: Final = 512
_MODELS: Final = (".dfm", ".onnx")


@dataclass(frozen=True, slots=True)
class Brought:
    """A persona that was taken in.

    Attributes:
        card: as it lies in the data folder now.
        verdict: whose face came out.
        milliseconds: for one face, where it is a network that draws faces by itself; else None.
    """

    card: PersonaCard
    verdict: Verdict
    milliseconds: float | None


def bring(
    source: Path,
    packs: Path,
    studio: Studio,
    book: GrantBook,
    *,
    name: str,
    grant: str | None,
    now: float,
    clock: Clock,
) -> Brought:
    """Take a persona in; nothing is left behind where it is refused.

    Args:
        source: a .dfm file, or a persona pack as a folder or a zip archive.
        packs: the data folder's personas.
        studio: tries it on.
        book: of the grants.
        name: what it is to be called.
        grant: id of the person's grant; None takes the one whose face comes out.
        now: seconds since 1970 UTC.
        clock: monotonic, measures one face.

    Raises:
        BadPersona: it is damaged, is no pack or model, or its name cannot be used.
        ConsentError: no grant covers it, or the face that comes out is not that of the grant.
        NotFound: there is no such grant.
    """
    target = packs / identifier(name)
    check_place(target)
    if target.name in {card.id for card in studio.personas} or target.exists():
        raise BadPersona(
            f"There is a persona {target.name} already.",
            f"Choose another --name, or: livefake personas remove {target.name}",
        )
    if grant is not None:
        _allowed(book, grant, now)
    try:
        packs.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".bringing-", dir=packs) as room:
            draft = Path(room) / target.name
            draft.mkdir()
            card, speed = _draft(source, draft, name, studio, clock)
            if grant is None:
                grant = _whose(studio, book, card)
                _allowed(book, grant, now)
            verdict = studio.probe(replace(card, kind=Kind.PERSON, grant=grant))
            if verdict is None:
                raise ConsentError(f"Nobody can tell whose face {name} is.")
            made_with = f"brought from {source.name}, SHA-256 {card.content}"
            title = Title(target.name, name, grant)
            finish_pack(
                draft, target, title, made_with=made_with, sign=lambda pack: sign_pack(pack, book.key), extra={}
            )
    except OSError as error:
        raise BadPersona(f"The pack {target} cannot be written: {error.strerror or error}.") from error
    return Brought(read_card(target), verdict, speed)


def remove(packs: Path, id: str) -> None:
    """Delete a persona of this installation's own, a damaged one too.

    Raises:
        NotFound: there is none.
        BadPersona: it cannot be deleted.
    """
    # What is not an id never becomes part of a path.
    found = [path for path in packs.iterdir() if path.name == id] if packs.is_dir() else []
    if not found or not (found[0] / "persona.toml").is_file() or found[0].is_symlink():
        raise NotFound(f"There is no persona {id!r} of this installation's own.", "See: livefake personas list")
    try:
        shutil.rmtree(found[0])
    except OSError as error:
        raise BadPersona(f"{found[0]} cannot be deleted: {error.strerror}.", "Delete it.") from error


def _allowed(book: GrantBook, grant: str, now: float) -> None:
    """A grant that lets the face be worn anywhere at all."""
    outputs = sorted(book.find(grant).outputs) or [Output.LIVE]
    book.check(grant, now=now, purpose=Purpose.WEAR, output=outputs[0])


def _whose(studio: Studio, book: GrantBook, card: PersonaCard) -> str:
    templates = {id: template for id, (template, _) in book.faces().items()}
    sight = studio.look(card)
    if not templates or not len(sight.embeddings):
        raise ConsentError(
            f"The face that comes out of {card.title} needs that person's grant, and there is none here.",
            "Let the person sign one: livefake grants sign",
        )
    distances = compare(sight.embeddings, templates)
    return min(distances, key=lambda id: (distances[id], id))


def _draft(source: Path, draft: Path, name: str, studio: Studio, clock: Clock) -> tuple[PersonaCard, float | None]:
    speed = None
    if source.is_file() and source.suffix.lower() in _MODELS:
        shutil.copyfile(source, draft / MODEL)
        # The copy, so that nobody changes it in between.
        read_dfm(draft / MODEL)
        card = _card(draft, name)
        speed = studio.speed(card, clock)
        portrait = studio.portrait(card)
    else:
        portrait = _pictures(read_bundle(source), draft, studio)
    done, coded = cv2.imencode(".jpg", portrait, [cv2.IMWRITE_JPEG_QUALITY, 92])
    if not done:
        raise BadPersona(f"A portrait of {name} cannot be made.")
    (draft / "portrait.jpg").write_bytes(coded.tobytes())
    return _card(draft, name), speed


def _pictures(contents: Mapping[str, bytes], draft: Path, studio: Studio) -> Bytes:
    """Write pictures with their landmarks, and networks; returns the portrait."""
    networks = studio.networks()
    views = {"face.png": "landmarks.npy", **dict(view_files(side) for side in SIDES)}
    front: Bytes | None = None
    for name, content in contents.items():
        if name in views:
            picture = decode_png(name, content)
            np.save(draft / views[name], measure(picture, *networks))
            front = picture if name == "face.png" else front
            done, coded = cv2.imencode(".png", picture)
            if not done:
                raise BadPersona(f"{name} cannot be written as a picture.")
            (draft / name).write_bytes(coded.tobytes())
        else:
            (draft / name).write_bytes(content)
            _check_network(draft / name)
    if front is None:
        raise BadPersona("A pack should have a face.png.")
    return np.asarray(cv2.resize(front, (_PORTRAIT, _PORTRAIT), interpolation=cv2.INTER_AREA), np.uint8)


def _check_network(path: Path) -> None:
    try:
        found = summarise(path)
    except EngineError as error:
        raise BadPersona(error.problem, "Bring a network as livefake train persona makes it.") from error
    planes, made = found.inputs.get("planes", ()), found.outputs.get("made", ())
    if len(found.inputs) != 1 or len(found.outputs) != 1 or len(planes) != 4 or planes[1] != CHANNELS or len(made) != 4:
        raise BadPersona(
            f"{path.name} should take planes (N, {CHANNELS}, S, S) and give made (N, 4, S, S), it takes"
            f" {dict(found.inputs)} and gives {dict(found.outputs)}."
        )


def _card(draft: Path, name: str) -> PersonaCard:
    digests = {}
    for path in sorted(draft.iterdir()):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return PersonaCard(draft.name, name, Kind.PERSON, "", "LicenseRef-grant", draft, digests)
