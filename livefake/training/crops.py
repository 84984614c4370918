"""What an exported network is calibrated and judged on: crops of rendered people, and how far two answers differ."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from livefake.engine.base import Engine
from livefake.engine.selftest import psnr
from livefake.errors import BadInput
from livefake.frame import Bytes, Floats
from livefake.swap.folded import Folded, put_together
from livefake.training.batches import Pairs, example
from livefake.training.samples import Sample

__all__ = ["Answer", "Difference", "answers", "compare", "feeds_of", "folded", "net_planes_of", "read_crops"]

Answer = Callable[[Floats], Floats]
"""(1, C, S, S) in, (1, 4, S, S) out, all float32, 0..1."""


def net_planes_of(sample: Sample) -> Floats:
    """The network's input for a sample: (1, C, S, S) float32, 0..1."""
    planes = np.asarray(example(sample).planes)
    scale = 1 / 255 if planes.dtype == np.uint8 else 1
    return np.multiply(planes, np.float32(scale), dtype=np.float32)[None]


def read_crops(folder: Path, split: str, count: int, *, side: int | None = None) -> list[Floats]:
    """Inputs spread evenly over a split: the same ones every time.

    Args:
        folder: of the pairs, as ``livefake train synth`` fills it.
        split: ``train`` or ``test``.
        count: how many at most.
        side: of the crops, pixels; as they are on disk if None.

    Returns:
        (1, C, S, S) float32, 0..1, each.

    Raises:
        BadInput: there are no pairs of this split, or one of the files is damaged.
    """
    pairs = Pairs(folder, split)
    if not len(pairs):
        raise BadInput(f"There are no {split} samples in {folder}.", "Run: livefake train synth --kit FOLDER")
    chosen = np.linspace(0, len(pairs) - 1, min(count, len(pairs))).round().astype(int)
    crops = [net_planes_of(pairs[int(index)]) for index in chosen]
    return crops if side is None else [_resized(crop, side) for crop in crops]


def _resized(crop: Floats, side: int) -> Floats:
    planes = [cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA) for plane in crop[0]]
    return np.stack(planes)[None].astype(np.float32)


@dataclass(frozen=True, slots=True)
class Difference:
    """How far two networks are apart.

    Attributes:
        mean: absolute difference over picture and mask, 0..1.
        most, most_mask: largest difference of one value in the picture and in the mask, 0..1.
        picture: PSNR of the picture planes over all crops, decibels.
        worst: PSNR of the picture planes of the crop where they are furthest apart, decibels.
        mask: PSNR of the mask over all crops, decibels.
    """

    mean: float
    most: float
    most_mask: float
    picture: float
    worst: float
    mask: float


def answers(engine: Engine) -> Answer:
    """An engine over the swap network as a plain function."""
    if len(engine.inputs) > 1:
        return lambda planes: np.stack([put_together(levels, engine.run(folded(levels))) for levels in _levels(planes)])
    [given], [made] = engine.inputs, engine.outputs
    return lambda planes: np.array(engine.run({given: planes})[made])


def folded(levels: Bytes) -> Mapping[str, Floats]:
    """The input of the form for processors, for (14, S, S) uint8 planes."""
    return Folded(levels.shape[1])(levels)


def feeds_of(names: Collection[str], crop: Floats) -> Mapping[str, Floats]:
    """The inputs of either form of the network, for a crop.

    Args:
        names: of the inputs.
        crop: (1, C, S, S) float32, levels divided by 255.
    """
    if len(names) > 1:
        return folded(_levels(crop)[0])
    return dict.fromkeys(names, crop)


def _levels(planes: Floats) -> Bytes:
    return np.asarray(np.rint(planes * 255), np.uint8)


def compare(one: Answer, other: Answer, crops: Sequence[Floats]) -> Difference:
    """Run both on the same inputs.

    Args:
        one, other: give (1, 4, S, S) float32 for (1, C, S, S).
        crops: inputs, of one size, at least one.
    """
    pairs = [(one(crop), other(crop)) for crop in crops]
    first, second = (np.concatenate(part) for part in zip(*pairs, strict=True))
    away = np.abs(first - second)
    return Difference(
        mean=float(away.mean()),
        most=float(away[:, :3].max()),
        most_mask=float(away[:, 3:].max()),
        picture=psnr(first[:, :3], second[:, :3]),
        worst=min(psnr(a[:, :3], b[:, :3]) for a, b in pairs),
        mask=psnr(first[:, 3:], second[:, 3:]),
    )
