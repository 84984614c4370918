"""A finished picture as a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import cv2
from av.packet import Packet

from livefake.errors import BadMedia
from livefake.trust.seal import Sealed

__all__ = ["SUFFIXES", "PictureWriter", "encode"]

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})
"""Kinds of picture that can be written."""

_QUALITY: Final = 93


def encode(sealed: Sealed, suffix: str = ".jpg") -> bytes:
    """The picture as a file, not signed.

    Args:
        sealed: the picture.
        suffix: one of ``SUFFIXES``.

    Raises:
        BadMedia: the encoder failed.
    """
    done, content = cv2.imencode(suffix, sealed.frame.bgr(), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise BadMedia(f"The picture cannot be turned into a {suffix} file.")
    return content.tobytes()


class PictureWriter:
    """Writes one sealed picture to a signed file; takes the place of ``FileWriter`` where a picture is wanted.

    The file appears under its name when it is complete; when anything goes wrong nothing is left behind.

    Args:
        path: where to, with one of ``SUFFIXES``; an existing file is replaced.
        sign: writes a signed copy of its first file to its second; raises LivefakeError.
    """

    def __init__(self, path: Path, *, sign: Callable[[Path, Path], None]) -> None:
        self._path = path
        self._half = path.with_name(f".{path.stem}.part{path.suffix}")
        self._sign = sign
        self._written = False

    def __enter__(self) -> Self:
        return self

    def write(self, sealed: Sealed, *, pts: int) -> None:
        """Take the picture.

        Args:
            sealed: the picture.
            pts: when to show it; a file of one picture has no time.

        Raises:
            BadMedia: it is the second one, or the file cannot be written.
        """
        del pts
        if self._written:
            raise BadMedia(
                f"{self._path} can hold one picture, and the input has more.", "Name an .mp4 file for the output."
            )
        try:
            self._half.write_bytes(encode(sealed, self._path.suffix.lower()))
        except OSError as error:
            raise BadMedia(
                f"{self._path} cannot be written: {error.strerror}.", "Choose another place, or make room."
            ) from error
        self._written = True

    def pass_on(self, packet: Packet[Any]) -> None:
        """A picture has no sound."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None and self._written:
                self._sign(self._half, self._path)
        finally:
            self._half.unlink(missing_ok=True)
