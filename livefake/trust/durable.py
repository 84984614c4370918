"""Files that are whole and on the disk when the call returns, whatever is killed or loses power afterwards."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

__all__ = ["make_folder", "remove_durably", "sync_folder", "write_durably"]


def make_folder(folder: Path) -> None:
    """Make a folder that only its user may enter; nothing happens where there is one.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync_folder(folder.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Write a file that only its user may read; it appears under its name when it is whole, or not at all.

    Several programs may write the same name at once: one of them is the last.

    Args:
        path: the file; an existing one is replaced.
        content: all of it.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_durably(path: Path) -> None:
    """Delete a file for good; nothing happens when there is none.

    Raises:
        OSError: it is there and cannot be deleted.
    """
    if path.exists():
        path.unlink(missing_ok=True)
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder's list of names on the disk: a file is durable only when its name is too.

    Raises:
        OSError: the disk says no.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
