"""A zip archive with a note and a few named files, as it goes to a rented machine and back. Trusts nothing it opens."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from livefake.errors import BadInput

__all__ = ["NOTE", "open_parcel", "write_parcel"]

NOTE: Final = "note.json"
_SCHEMA: Final = 1
_NOTE_LIMIT: Final = 1_000_000
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)
"""In place of the time of writing: the same content makes the same archive."""


def write_parcel(path: Path, note: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Write an archive; it appears whole or not at all.

    Args:
        path: where to.
        note: what is said about it; JSON values.
        files: contents by name.

    Raises:
        BadInput: it cannot be written.
    """
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    text = json.dumps({**note, "schema": _SCHEMA, "files": digests}, indent=1, sort_keys=True)
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, content in {NOTE: text.encode(), **files}.items():
                archive.writestr(zipfile.ZipInfo(name, _MOMENT), content)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadInput(f"The archive {path} cannot be written: {error.strerror}.", "Choose another place.") from error


def open_parcel(path: Path, limits: Mapping[str, int]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read an archive into memory; nothing is unpacked onto the disk, so no name in it can lead anywhere.

    Args:
        path: the archive.
        limits: bytes at most, of each file that may be in it.

    Returns:
        The note, and the contents by name. Every content has the hash that the note says.

    Raises:
        BadInput: it is no such archive, holds anything else, is too large, or was changed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            allowed = {NOTE: _NOTE_LIMIT, **limits}
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if other := [name for name in names if name not in allowed]:
                raise ValueError(f"it should hold {', '.join(allowed)} only, it holds {other[0]!r}")
            if len(set(names)) != len(names) or NOTE not in names:
                raise ValueError(f"it should hold {NOTE} and every other name once")
            contents = {entry.filename: _read(archive, entry, allowed[entry.filename]) for entry in entries}
        note = json.loads(contents.pop(NOTE))
        if not isinstance(note, dict) or note.get("schema") != _SCHEMA:
            raise ValueError(f"its note should be of schema {_SCHEMA}")
        found = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
        if note.get("files") != found:
            raise ValueError("its files are not those that its note names, or were changed")
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise BadInput(f"The archive {path} cannot be taken: {error}.", "Make it again, or fetch it again.") from error
    return note, contents


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    # What the archive says of its sizes is not believed: reading stops at the limit.
    with archive.open(entry) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{entry.filename} should have {limit} bytes at most")
    return content
