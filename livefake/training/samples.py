"""One sample, and a file of them: JPEG and PNG pictures packed into an .npz archive."""

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

__all__ = ["Facts", "Sample", "Shard", "is_whole", "write_shard"]

_SCHEMA: Final = 1
_PLANES: Final = ("live", "warp", "truth", "masks")
_QUALITY: Final = {"live": 92, "warp": 92, "truth": 95}
_MASK_STEP: Final = 8
"""Masks are kept in steps of this many levels: soft edges pack into half the bytes, and nobody sees it."""
_LANDMARKS: Final = 68


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a sample.

    Attributes:
        performer, persona: numbers of the identities.
        yaw: of the head, degrees, positive to the right of the picture.
        gaze: right and up in the picture, -1..1.
        follows: whether it shows the scene of the sample before it, a moment later.
    """

    performer: int
    persona: int
    yaw: float
    gaze: tuple[float, float]
    follows: bool


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A performer, the persona warped onto them, and the answer, all in the same crop.

    Attributes:
        live: (S, S, 3) uint8 BGR, as the webcam gives it.
        warp: (S, S, 3) uint8 BGR, the persona's neutral picture on the live mesh, in its own colours.
        truth: (S, S, 3) uint8 BGR, the persona in the same state and exposure, but sharp, in its own tone.
        cover: (S, S) uint8, where ``warp`` shows: without eyes and inner mouth.
        region: (S, S) uint8, the swap region of performer and persona, hidden or not.
        hidden: (S, S) uint8, 255 where something is in front of the face.
        inner: (S, S) uint8, 255 where ``truth`` shows an eyeball or the inside of the mouth.
        points: (468, 3) float32, mesh landmarks that the network found, pixels of the crop.
        landmarks: (68, 2) float32, true landmarks, pixels of the crop.
        facts: the rest.
    """

    live: Bytes
    warp: Bytes
    truth: Bytes
    cover: Bytes
    region: Bytes
    hidden: Bytes
    inner: Bytes
    points: Floats
    landmarks: Floats
    facts: Facts


def write_shard(path: Path, samples: Sequence[Sample]) -> None:
    """Write samples; the file appears whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    packed = [[_coded(sample, plane) for plane in _PLANES] for sample in samples]
    lengths = np.array([[len(plane) for plane in planes] for planes in packed], np.int64)
    arrays: dict[str, NDArray[np.generic]] = {
        "schema": np.array(_SCHEMA),
        "lengths": lengths,
        "planes": np.concatenate([plane for planes in packed for plane in planes]),
        # Sixteenths of a pixel in two bytes.
        "points": np.round(np.stack([sample.points for sample in samples]) * 16).astype(np.int16),
        "landmarks": np.round(np.stack([sample.landmarks for sample in samples]) * 16).astype(np.int16),
        "people": np.array([[sample.facts.performer, sample.facts.persona] for sample in samples], np.int32),
        "sight": np.array([[sample.facts.yaw, *sample.facts.gaze] for sample in samples], np.float32),
        "follows": np.array([sample.facts.follows for sample in samples], np.bool_),
    }
    write_arrays(path, arrays)


class Shard(Sequence[Sample]):
    """The samples of a file; the file is read at once, each sample's pictures are decoded when it is asked for.

    Args:
        path: a file that ``write_shard`` wrote.

    Raises:
        BadInput: the file is missing, damaged, or not such a file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                if int(archive["schema"]) != _SCHEMA:
                    raise ValueError(f"schema {archive['schema']} where {_SCHEMA} was expected")
                lengths, planes = archive["lengths"].astype(np.int64), archive["planes"].astype(np.uint8)
                self._points = archive["points"].astype(np.float32) / 16
                self._landmarks = archive["landmarks"].astype(np.float32) / 16
                self._people, self._sight = archive["people"], archive["sight"]
                self.follows: NDArray[np.bool_] = archive["follows"]
            if self._points.shape[1:] != (POINTS, 3) or self._landmarks.shape[1:] != (_LANDMARKS, 2):
                raise ValueError(f"{POINTS} and {_LANDMARKS} points were expected, got others")
            ends = np.cumsum(lengths.reshape(-1))
            if ends[-1] != len(planes):
                raise ValueError(f"{ends[-1]} bytes of pictures were expected, {len(planes)} are there")
            self._pieces = np.split(planes, ends[:-1])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BadInput(f"The samples in {path} cannot be read: {error}.", "Run: livefake train synth") from error

    def __len__(self) -> int:
        return len(self.follows)

    @overload
    def __getitem__(self, row: int) -> Sample: ...
    @overload
    def __getitem__(self, row: slice) -> list[Sample]: ...
    def __getitem__(self, row: int | slice) -> Sample | list[Sample]:
        if isinstance(row, slice):
            return [self[number] for number in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(f"{self._path.name} has {len(self)} samples, number {row} was asked for")
        live, warp, truth, masks = (
            np.asarray(cv2.imdecode(piece, cv2.IMREAD_UNCHANGED), np.uint8)
            for piece in self._pieces[row * len(_PLANES) : (row + 1) * len(_PLANES)]
        )
        cover, region, hidden, inner = (np.ascontiguousarray(masks[..., channel]) for channel in range(4))
        performer, persona = self._people[row].tolist()
        yaw, right, up = self._sight[row].tolist()
        facts = Facts(performer, persona, yaw, (right, up), bool(self.follows[row]))
        points, landmarks = self._points[row], self._landmarks[row]
        return Sample(live, warp, truth, cover, region, hidden, inner, points, landmarks, facts)


def is_whole(path: Path) -> bool:
    """Whether a shard is there and every byte of it is what was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile):
        return False


def _coded(sample: Sample, plane: str) -> Bytes:
    if plane == "masks":
        masks = cv2.merge([sample.cover, sample.region, sample.hidden, sample.inner])
        stepped = np.minimum((masks.astype(np.uint16) + _MASK_STEP // 2) // _MASK_STEP * _MASK_STEP, 255)
        done, coded = cv2.imencode(".png", stepped.astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY[plane], cv2.IMWRITE_JPEG_OPTIMIZE, 1]
        done, coded = cv2.imencode(".jpg", getattr(sample, plane), options)
    if not done:
        raise ValueError(f"the plane {plane} should be a picture, got {getattr(sample, plane, sample.cover).shape}")
    return np.asarray(coded, np.uint8).reshape(-1)
