"""Sightings: what was seen in every frame of one file, used or not; the identity gate judges by them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.errors import BadInput
from livefake.frame import Floats
from livefake.training.footage.takes import EMBEDDING
from livefake.training.whole import write_arrays

__all__ = ["Sightings", "joined", "read_sightings", "write_sightings"]

_SCHEMA: Final = 1
_NAME: Final = "sightings.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Frames with a face, in the order of the file.

    Attributes:
        seconds: (N,) float32, of each frame in its file, rising.
        faces: (N,) int32, how many faces were in it, 1 or more.
        tracks: (N,) int32, number of the first face's track: another number, another appearance.
        turns: (N, 2) float32, yaw and pitch of the first face, degrees.
        embeddings: (N, 128) float32, whose face the first one is.
        looked_at: frames in the file that were looked at, with a face or without.
    """

    seconds: Floats
    faces: NDArray[np.int32]
    tracks: NDArray[np.int32]
    turns: Floats
    embeddings: Floats
    looked_at: int

    def __len__(self) -> int:
        return len(self.seconds)


def joined(pieces: Sequence[Sightings]) -> Sightings:
    """The sightings of a file out of those of its pieces, in their order; a track ends where its piece does."""
    tracks, before = [], 0
    for piece in pieces:
        tracks.append(piece.tracks + before)
        before += int(piece.tracks.max(initial=0))
    return Sightings(
        seconds=np.concatenate([piece.seconds for piece in pieces]),
        faces=np.concatenate([piece.faces for piece in pieces]),
        tracks=np.concatenate(tracks),
        turns=np.concatenate([piece.turns for piece in pieces]),
        embeddings=np.concatenate([piece.embeddings for piece in pieces]),
        looked_at=sum(piece.looked_at for piece in pieces),
    )


def write_sightings(folder: Path, sightings: Sightings) -> None:
    """Write them; they are there whole or not at all.

    Raises:
        OSError: they cannot be written.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        "schema": np.array(_SCHEMA),
        "seconds": sightings.seconds,
        "faces": sightings.faces,
        "tracks": sightings.tracks,
        "turns": sightings.turns,
        "embeddings": sightings.embeddings,
        "looked_at": np.array(sightings.looked_at),
    }
    write_arrays(folder / _NAME, arrays)


def read_sightings(folder: Path) -> Sightings | None:
    """Read them back; None where there are none yet.

    Raises:
        BadInput: the file is damaged.
    """
    path = folder / _NAME
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if int(archive["schema"]) != _SCHEMA:
                raise ValueError(f"schema {archive['schema']} where {_SCHEMA} was expected")
            count = len(archive["seconds"])
            return Sightings(
                seconds=archive["seconds"].astype(np.float32),
                faces=archive["faces"].astype(np.int32).reshape(count),
                tracks=archive["tracks"].astype(np.int32).reshape(count),
                turns=archive["turns"].astype(np.float32).reshape(count, 2),
                embeddings=archive["embeddings"].astype(np.float32).reshape(count, EMBEDDING),
                looked_at=int(archive["looked_at"]),
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} cannot be read: {error}.", "Delete that folder and start again.") from error
