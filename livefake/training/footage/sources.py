"""Finding footage: video files and pictures, and the frames in them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.clock import Clock
from livefake.errors import BadInput, BadMedia
from livefake.frame import Frame
from livefake.media.file import FileReader
from livefake.media.picture import LONG_SIDE, SHORT_SIDE

__all__ = ["FASTEST", "PIECE", "fingerprint", "frames_in", "list_footage", "pieces_of", "read_frames"]

FASTEST: Final = 30
"""Frames a second that are looked at; what a faster camera adds is all but the same picture."""
PIECE: Final = 8.0
"""Seconds of a video that are read and kept in one go: whoever is stopped loses less than a minute of work."""
_ROUNDING: Final = 5e-4
_PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_VIDEOS: Final = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv"})
_BLOCK: Final = 1 << 20


def list_footage(places: Iterable[Path]) -> tuple[Path, ...]:
    """The files to read, each once, in the order given; those of a folder by name.

    Args:
        places: files and folders. A folder's own folders are looked into; what there is neither a video nor a
            picture by its ending is passed over, and so is what is hidden.

    Raises:
        BadInput: a place does not exist, or there is no footage at all.
    """
    found: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            inside = (path for path in sorted(place.rglob("*")) if path.suffix.lower() in _PICTURES | _VIDEOS)
            visible = (path for path in inside if not any(part[0] == "." for part in path.relative_to(place).parts))
            found.update(dict.fromkeys(path for path in visible if path.is_file()))
        elif place.is_file():
            found[place] = None
        else:
            raise BadInput(f"The footage {place} does not exist.", "Name a file or a folder with --footage.")
    if not found:
        raise BadInput(
            "Video files or pictures were expected as footage, and none are there.", "Name others with --footage."
        )
    return tuple(found)


def fingerprint(path: Path) -> str:
    """The beginning of the SHA-256 of a file's bytes, 32 hexadecimal digits.

    Raises:
        BadMedia: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise BadMedia(f"{path} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()[:32]


def frames_in(path: Path, *, clock: Clock) -> int:
    """About how many frames ``read_frames`` will give; 0 where the file does not say.

    Raises:
        BadMedia: it cannot be opened.
    """
    if path.suffix.lower() in _PICTURES:
        return 1
    with FileReader(path, clock=clock) as reader:
        return round(reader.frames * min(1.0, FASTEST / max(float(reader.rate), 1e-3)))


def pieces_of(path: Path, *, clock: Clock) -> tuple[tuple[float, float], ...]:
    """Beginnings and ends of the pieces in which a file is read, seconds; the last one ends with the file.

    Raises:
        BadMedia: it cannot be opened.
    """
    if path.suffix.lower() in _PICTURES:
        return ((0.0, math.inf),)
    with FileReader(path, clock=clock) as reader:
        count = max(1, round(reader.seconds / PIECE))
    edges = [number * PIECE for number in range(count)]
    return tuple(zip(edges, [*edges[1:], math.inf], strict=True))


def read_frames(
    path: Path, *, clock: Clock, begin: float = 0.0, end: float = math.inf
) -> Iterator[tuple[float, Frame]]:
    """The frames of a video, thinned to ``FASTEST``, or the one of a picture, with their seconds in the file.

    Args:
        path: the file.
        clock: stamps frames as they are read.
        begin, end: seconds between which frames are wanted, the end left out. Pieces that meet share no frame.

    Raises:
        BadMedia: it cannot be opened, or is damaged; what came before was sound.
    """
    if path.suffix.lower() in _PICTURES:
        yield 0.0, _picture(path)
        return
    due = begin
    with FileReader(path, clock=clock) as reader:
        first = reader.start
        if begin > 0:
            reader.seek(first + begin)
        for item in reader:
            if not isinstance(item, Frame):
                continue
            at = float(item.pts * item.time_base) - first
            # Time bases round: a frame that lies on an edge belongs to the piece that begins there.
            if at >= end - _ROUNDING:
                return
            # Half a frame early is in time: stamps are rounded.
            if at < begin - _ROUNDING or at < due - 0.25 / FASTEST:
                continue
            due = max(due + 1 / FASTEST, at)
            yield at, item


def _picture(path: Path) -> Frame:
    read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if read is None:
        raise BadMedia(f"{path} cannot be read as a picture.")
    height, width = read.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width), SHORT_SIDE / min(height, width))
    if scale < 1:
        size = max(2, int(width * scale)), max(2, int(height * scale))
        read = cv2.resize(read, size, interpolation=cv2.INTER_AREA)
    if min(read.shape[:2]) < 2:
        raise BadMedia(f"{path} should be a picture of a face, it has {width} x {height} pixels.")
    return Frame.from_bgr(np.asarray(read, np.uint8))
