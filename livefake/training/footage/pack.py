"""Making the pack: pictures, landmarks and card in a temporary folder, signed, and moved to its place whole."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadPersona
from livefake.frame import Bytes, Floats
from livefake.swap.persona import Kind, view_files
from livefake.training.footage.guides import Guides

__all__ = ["Title", "check_place", "draft_pack", "finish_pack", "identifier"]

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class Title:
    """What a pack says of itself.

    Attributes:
        id: lower-case word; the name of its folder.
        name: for people.
        grant: id of the grant that allows it.
    """

    id: str
    name: str
    grant: str


def identifier(name: str) -> str:
    """A lower-case word for a name: ``Ana Silva`` becomes ``ana-silva``.

    Raises:
        BadPersona: nothing of it can be used.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:32].strip("-")
    if not _ID.fullmatch(word) or len(name) > _LONGEST or not name.isprintable():
        raise BadPersona(
            f"A name of up to {_LONGEST} characters that begins with a Latin letter was expected, got {name!r}.",
            "Choose another one with --name.",
        )
    return word


def check_place(target: Path) -> None:
    """Make sure that a pack may be put somewhere, before hours of work.

    Raises:
        BadPersona: the folder's name cannot be a persona's id, or something that is no pack lies there.
    """
    if not _ID.fullmatch(target.name):
        raise BadPersona(
            f"The pack's folder should have a lower-case word of up to 32 letters as its name, got {target.name!r}.",
            "Choose another one with --out.",
        )
    if target.exists() and not (target / "persona.toml").is_file():
        raise BadPersona(
            f"A persona pack or nothing was expected at {target}, and something else is there.",
            "Choose another place with --out.",
        )


def draft_pack(folder: Path, guides: Guides) -> None:
    """Write the pictures and landmarks of a pack, without its card; what fine-tuning starts from.

    Args:
        folder: made when it is not there.

    Raises:
        BadPersona: they cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, "face.png", "landmarks.npy", guides.front.picture, guides.front.points)
        for side, guide in (("left", guides.left), ("right", guides.right)):
            picture, points = view_files(side)
            if guide is not None:
                _write(folder, picture, points, guide.picture, guide.points)
            else:
                # Of an earlier run with other footage.
                (folder / picture).unlink(missing_ok=True)
                (folder / points).unlink(missing_ok=True)
        _picture(folder / "portrait.jpg", guides.portrait, [cv2.IMWRITE_JPEG_QUALITY, 92])
    except OSError as error:
        raise _unwritten(folder, error) from error


def finish_pack(
    draft: Path,
    target: Path,
    title: Title,
    *,
    made_with: str,
    sign: Callable[[Path], object],
    extra: Mapping[str, Path],
) -> None:
    """Make a pack of a draft: a card with all checksums, signed, moved to its place whole.

    Args:
        draft: as ``draft_pack`` wrote it; stays.
        target: where the pack goes; a pack that is there is replaced.
        title: what it says of itself.
        made_with: one sentence for the card.
        sign: signs the pack in a folder that is named as the pack will be; what it returns is not used.
        extra: further files, by name in the pack.

    Raises:
        BadPersona: it cannot be written, or see ``check_place``.
    """
    check_place(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, so that the last step is one rename; signing wants the folder to have its later name.
    room = Path(tempfile.mkdtemp(prefix=".making-", dir=target.parent))
    try:
        pack = room / title.id
        shutil.copytree(draft, pack)
        for name, path in extra.items():
            shutil.copyfile(path, pack / name)
        names = sorted(path.name for path in pack.iterdir())
        digests = {name: hashlib.sha256((pack / name).read_bytes()).hexdigest() for name in names}
        (pack / "persona.toml").write_text(_card(title, made_with, digests), "utf-8")
        sign(pack)
        old = room / "old"
        if target.exists():
            os.replace(target, old)
        os.replace(pack, target)
    except OSError as error:
        raise _unwritten(target, error) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _card(title: Title, made_with: str, digests: Mapping[str, str]) -> str:
    fields = {
        "id": title.id,
        "title": title.name,
        "kind": str(Kind.PERSON),
        "description": f"{title.name}, under grant {title.grant}.",
        "licence": "LicenseRef-grant",
        "made_with": made_with,
        "grant": title.grant,
    }
    lines = ["schema = 1", *(f"{name} = {_quoted(value)}" for name, value in fields.items()), "", "[files]"]
    return "\n".join([*lines, *(f"{_quoted(name)} = {_quoted(digest)}" for name, digest in digests.items()), ""])


def _quoted(text: str) -> str:
    """A TOML basic string; the texts here are printable."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write(folder: Path, picture: str, landmarks: str, pixels: Bytes, points: Floats) -> None:
    _picture(folder / picture, pixels, [])
    np.save(folder / landmarks, points.astype(np.float32))


def _picture(path: Path, pixels: Bytes, options: list[int]) -> None:
    done, coded = cv2.imencode(path.suffix, pixels, options)
    if not done:
        raise OSError(f"{path.name} cannot be encoded")
    path.write_bytes(coded.tobytes())


def _unwritten(folder: Path, error: OSError) -> BadPersona:
    return BadPersona(f"The pack {folder} cannot be written: {error.strerror or error}.", "Choose another place.")
