"""A persona pack from elsewhere, a folder or a zip archive, read into memory. Trusts nothing it opens.

Names in it lead nowhere: nothing is unpacked, and only files that a pack may have are looked at. What it says of itself
(its card, its checksums, its landmarks, its portrait) is not taken either: all of that is made anew.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadPersona
from livefake.frame import Bytes

__all__ = ["LIMITS", "decode_png", "read_bundle"]

_PICTURE: Final = 32_000_000
_NETWORK: Final = 128_000_000
LIMITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "face.png": _PICTURE,
        "face-left.png": _PICTURE,
        "face-right.png": _PICTURE,
        "refine.onnx": _NETWORK,
        "refine-int8.onnx": _NETWORK,
    }
)
"""What is taken of a pack, and bytes at most."""
_IGNORED: Final = frozenset(
    {"persona.toml", "landmarks.npy", "landmarks-left.npy", "landmarks-right.npy", "portrait.jpg"}
)
_ENTRIES: Final = 64
_SIDES: Final = (256, 2048)
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_DAMAGE: Final = (
    OSError,
    ValueError,
    RuntimeError,
    OverflowError,
    EOFError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
"""What reading a damaged archive raises; an unknown way of packing is a ``RuntimeError`` too."""
_REMEDY: Final = "Bring a pack as livefake train persona makes it."


def read_bundle(path: Path) -> dict[str, bytes]:
    """The pictures and networks of a pack.

    Args:
        path: a folder, or a zip archive of one, its files at the top or in one folder.

    Returns:
        Contents by name; ``face.png`` is among them.

    Raises:
        BadPersona: it is neither, lacks the picture, holds something else, or is too large.
    """
    try:
        found = _from_folder(path) if path.is_dir() else _from_zip(path)
        if "face.png" not in found:
            raise ValueError("face.png is not in it")
        if "refine-int8.onnx" in found and "refine.onnx" not in found:
            raise ValueError("it has an int8 network without the float16 one")
    except _DAMAGE as error:
        raise BadPersona(f"The pack {path} cannot be taken: {error}.", _REMEDY) from error
    return found


def _from_folder(path: Path) -> dict[str, bytes]:
    found = {}
    for place in sorted(path.iterdir()):
        # A link could bring in any file of this computer.
        if place.is_symlink() or not place.is_file():
            raise ValueError(f"{place.name!r} is no plain file")
        if _taken(place.name):
            with place.open("rb") as file:
                found[place.name] = _limited(place.name, file.read(LIMITS[place.name] + 1))
    return found


def _from_zip(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(entries) > _ENTRIES:
            raise ValueError(f"it holds {len(entries)} files, a pack has a few")
        folders = {entry.filename.rpartition("/")[0] for entry in entries}
        if len(folders) != 1 or "/" in (folder := folders.pop()) or folder in {".", ".."}:
            raise ValueError("its files should lie at its top or in one folder")
        for entry in entries:
            name = entry.filename.rpartition("/")[2]
            if not _taken(name):
                continue
            if name in found:
                raise ValueError(f"{name} is in it twice")
            # What the archive says of its sizes is not believed: reading stops at the limit.
            with archive.open(entry) as file:
                found[name] = _limited(name, file.read(LIMITS[name] + 1))
    return found


def _taken(name: str) -> bool:
    if name not in LIMITS and name not in _IGNORED:
        raise ValueError(f"it holds {name[:80]!r}, which no pack has")
    return name in LIMITS


def _limited(name: str, content: bytes) -> bytes:
    if len(content) > LIMITS[name]:
        raise ValueError(f"{name} should have {LIMITS[name]} bytes at most")
    return content


def decode_png(name: str, content: bytes) -> Bytes:
    """A picture of a pack, (H, W, 3) uint8 BGR.

    Raises:
        BadPersona: it is no PNG file, is damaged, or has fewer than 256 or more than 2048 pixels a side.
    """
    # Its header tells the size before anything is decoded: a few bytes can claim a picture of gigabytes.
    if len(content) < 24 or not content.startswith(_PNG) or content[12:16] != b"IHDR":
        raise BadPersona(f"{name} should be a PNG picture.", _REMEDY)
    width, height = struct.unpack(">II", content[16:24])
    if not (_SIDES[0] <= min(width, height) and max(width, height) <= _SIDES[1]):
        raise BadPersona(f"{name} should have {_SIDES[0]} to {_SIDES[1]} pixels a side, it has {width} x {height}.")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture is None or picture.shape != (height, width, 3):
        raise BadPersona(f"{name} should be a PNG picture and is damaged.", _REMEDY)
    return np.asarray(picture, np.uint8)
