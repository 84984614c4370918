"""Takes: frames of footage that show one face well, with all that is known of them; and a file of them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, overload

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.errors import BadInput
from livefake.faces.geometry import POINTS
from livefake.frame import Bytes, Floats
from livefake.training.whole import write_arrays

__all__ = ["EMBEDDING", "MARGIN", "SIZE", "Take", "Takes", "write_takes"]

SIZE: Final = 384
"""Side of a take's picture, pixels."""
MARGIN: Final = 1.5
"""Side of a take's crop as a multiple of the longer side of the face's box; see ``faces.geometry.square_crop``."""
EMBEDDING: Final = 128
"""Numbers that say whose face it is."""
_SCHEMA: Final = 1
_NAME: Final = "takes.npz"
_JPEG: Final = (
    cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)  # fmt: skip
_MEASURES: Final = ("seconds", "yaw", "pitch", "sharpness", "open_mouth")


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One frame of footage around one face.

    Attributes:
        picture: (384, 384, 3) uint8 BGR, upright square crop, the face's longer side at two thirds of it.
        points: (468, 3) float32, mesh landmarks, pixels of the crop.
        file: name of the footage file, as the user gave it.
        seconds: of the frame in that file; 0 for a picture.
        yaw: of the head, degrees, positive to the right of the picture.
        pitch: of the head, degrees, positive nods down.
        sharpness: mean square of the Laplacian of the face's luma over its variance, 0 and more; blur is near 0.
        open_mouth: gap between the lips over the width of the mouth, 0 and more; closed is below 0.05.
        embedding: (128,) float32, whose face it is.
    """

    picture: Bytes
    points: Floats
    file: str
    seconds: float
    yaw: float
    pitch: float
    sharpness: float
    open_mouth: float
    embedding: Floats


def write_takes(folder: Path, takes: Sequence[Take]) -> None:
    """Write takes into a folder, in their order; they are there whole or not at all.

    Args:
        folder: made when it is not there; takes that it holds already are replaced.
        takes: none is allowed: a file without a face has none.

    Raises:
        OSError: they cannot be written.
        ValueError: a picture, its points or its embedding has another shape than ``Take`` says.
    """
    pieces = [_coded(take) for take in takes]
    write_arrays(
        folder / _NAME,
        {
            "schema": np.array(_SCHEMA),
            "lengths": np.array([len(piece) for piece in pieces], np.int64),
            "pictures": np.concatenate([np.empty(0, np.uint8), *pieces]),
            "points": np.array([take.points for take in takes], np.float32).reshape(-1, POINTS, 3),
            "embeddings": np.array([take.embedding for take in takes], np.float32).reshape(-1, EMBEDDING),
            "measures": _measures(takes),
            "files": np.array([take.file for take in takes], np.str_),
        },
    )


class Takes(Sequence[Take]):
    """The takes in a folder: the file is read at once, each picture is decoded when it is asked for.

    Args:
        folder: where ``write_takes`` put them.

    Attributes:
        yaws, pitches, sharpnesses, open_mouths: (N,) float32, as in ``Take``.
        points: (N, 468, 3) float32.
        embeddings: (N, 128) float32.

    Raises:
        BadInput: there are none, or the file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / _NAME
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if int(archive["schema"]) != _SCHEMA:
                    raise ValueError(f"schema {archive['schema']} where {_SCHEMA} was expected")
                lengths, pictures = archive["lengths"].astype(np.int64), archive["pictures"].astype(np.uint8)
                self.points: Floats = archive["points"].astype(np.float32)
                self.embeddings: Floats = archive["embeddings"].astype(np.float32)
                self._measures: Floats = archive["measures"].astype(np.float32)
                self._files: list[str] = archive["files"].tolist()
            count = len(lengths)
            shapes = (self.points.shape, self.embeddings.shape, self._measures.shape, len(self._files))
            if shapes != ((count, POINTS, 3), (count, EMBEDDING), (count, len(_MEASURES)), count):
                raise ValueError(f"{count} takes were expected, arrays of {shapes} are there")
            ends = np.cumsum(lengths)
            if len(pictures) != lengths.sum():
                raise ValueError(f"{lengths.sum()} bytes of pictures were expected, {len(pictures)} are there")
            self._pieces = np.split(pictures, ends[:-1]) if count else []
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BadInput(
                f"The takes in {path} cannot be read: {error}.", "Delete that folder and start again."
            ) from error
        _, self.yaws, self.pitches, self.sharpnesses, self.open_mouths = self._measures.T

    def __len__(self) -> int:
        return len(self._pieces)

    @overload
    def __getitem__(self, row: int) -> Take: ...
    @overload
    def __getitem__(self, row: slice) -> list[Take]: ...
    def __getitem__(self, row: int | slice) -> Take | list[Take]:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(f"there are {len(self)} takes, number {row} was asked for")
        picture = np.asarray(cv2.imdecode(self._pieces[row], cv2.IMREAD_COLOR), np.uint8)
        seconds, yaw, pitch, sharpness, open_mouth = self._measures[row].tolist()
        return Take(
            picture=picture,
            points=self.points[row],
            file=self._files[row],
            seconds=seconds,
            yaw=yaw,
            pitch=pitch,
            sharpness=sharpness,
            open_mouth=open_mouth,
            embedding=self.embeddings[row],
        )


def _measures(takes: Sequence[Take]) -> NDArray[np.float32]:
    rows = [[getattr(take, name) for name in _MEASURES] for take in takes]
    return np.array(rows, np.float32).reshape(-1, len(_MEASURES))


def _coded(take: Take) -> Bytes:
    shapes = take.picture.shape, take.points.shape, take.embedding.shape
    if shapes != ((SIZE, SIZE, 3), (POINTS, 3), (EMBEDDING,)):
        raise ValueError(f"a take needs ({SIZE}, {SIZE}, 3), ({POINTS}, 3) and ({EMBEDDING},), got {shapes}")
    done, coded = cv2.imencode(".jpg", take.picture, list(_JPEG))
    if not done:
        raise ValueError(f"a take's picture should be uint8, got {take.picture.dtype}")
    return np.asarray(coded, np.uint8).reshape(-1)
