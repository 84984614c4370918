"""Samples from disk to what one training step takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadInput
from livefake.frame import Bytes, Floats
from livefake.training.guide import composite, kept_alive, net_input
from livefake.training.samples import Sample, Shard
from livefake.training.tone import measure_tone, move_tone

__all__ = ["Example", "Pairs", "draw_batch", "example", "stack"]

_HINT: Final = 0.5
"""Share of training samples in which the network is told what hides the face. In the others it must see that itself,
as it must where no detector of such things runs."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One sample, or a batch of them, ready for the network; all float32, 0..1.

    Attributes:
        planes: (..., 11, S, S), input; see ``net_input``. Its first three planes are the guide.
        truth: (..., 3, S, S), the persona in the performer's tone, BGR.
        visible: (..., 1, S, S), where the answer counts.
        keep: (..., 1, S, S), eyes and inner mouth.
        live: (..., 3, S, S), the live picture, BGR.
    """

    planes: Floats
    truth: Floats
    visible: Floats
    keep: Floats
    live: Floats


class Pairs:
    """All samples of one split in a folder; pictures stay packed until they are asked for.

    Args:
        folder: as ``livefake train synth`` fills it; it may still be growing.
        split: ``train`` or ``test``.

    Raises:
        BadInput: there is none, or one of the files is damaged.
    """

    def __init__(self, folder: Path, split: str) -> None:
        self._shards = [Shard(path) for path in sorted(folder.glob(f"{split}-*.npz"))]
        if not self._shards:
            raise BadInput(f"There are no {split} samples in {folder}.", "Run: livefake train synth --kit FOLDER")
        self._places = [(number, row) for number, shard in enumerate(self._shards) for row in range(len(shard))]
        follows = np.concatenate([shard.follows for shard in self._shards])
        self.followers = np.flatnonzero(follows)
        """Samples that show the scene of the one before them a moment later."""

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        shard, row = self._places[index]
        return self._shards[shard][row]


def example(sample: Sample, *, hint: bool = False) -> Example:
    """Prepare a sample.

    Args:
        sample: as it is on disk.
        hint: whether the visibility plane leaves out what hides the face.
    """
    size = sample.live.shape[0]
    keep = kept_alive(sample.points, size)
    shown = cv2.bitwise_not(sample.hidden)
    visible = cv2.multiply(sample.region, shown, scale=1 / 255)
    cover = cv2.multiply(sample.cover, cv2.blur(shown, (5, 5)), scale=1 / 255) if hint else sample.cover
    guide = composite(sample.live, sample.warp, np.asarray(cover, np.uint8))
    skin = np.asarray(
        cv2.subtract(visible, cv2.dilate(cv2.add(sample.inner, keep), np.ones((3, 3), np.uint8))), np.uint8
    )
    truth = move_tone(sample.truth, measure_tone(sample.truth, sample.live, skin))
    inner = cv2.merge([sample.inner] * 3).astype(np.float32) / 255
    truth = np.asarray(truth + inner * (sample.truth.astype(np.float32) - truth) + 0.5, np.uint8)
    return Example(
        net_input(sample.live, guide, keep, np.asarray(cover, np.uint8)),
        _planes(truth),
        _planes(np.asarray(visible, np.uint8)),
        _planes(keep),
        _planes(sample.live),
    )


def draw_batch(pairs: Pairs, size: int, random: np.random.Generator) -> Example:
    """A random batch whose first half is pairs of neighbouring moments.

    Args:
        pairs: to draw from.
        size: of the batch, a multiple of 4.
        random: source of choice, mirroring and hints.

    Returns:
        A batch; samples 0 and 1, 2 and 3, and so on up to ``size // 2`` are a moment and the one after it.
    """
    chosen: list[int] = []
    for later in random.choice(pairs.followers, size // 4) if pairs.followers.size else ():
        chosen += [int(later) - 1, int(later)]
    chosen += random.integers(len(pairs), size=size - len(chosen)).tolist()
    mirrored, hinted = random.random(size) < 0.5, random.random(size) < _HINT
    # Both moments are mirrored, and told about, alike.
    mirrored[1 : size // 2 : 2], hinted[1 : size // 2 : 2] = mirrored[: size // 2 : 2], hinted[: size // 2 : 2]
    examples = [example(pairs[index], hint=bool(told)) for index, told in zip(chosen, hinted, strict=True)]
    return stack([_mirror(one) if turn else one for one, turn in zip(examples, mirrored, strict=True)])


def stack(examples: list[Example]) -> Example:
    """Several examples as one batch."""
    fields = ("planes", "truth", "visible", "keep", "live")
    return Example(*(np.stack([getattr(one, name) for one in examples]) for name in fields))


def _mirror(one: Example) -> Example:
    parts = (one.planes, one.truth, one.visible, one.keep, one.live)
    return Example(*(np.ascontiguousarray(part[..., ::-1]) for part in parts))


def _planes(picture: Bytes) -> Floats:
    planes = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    return np.multiply(planes, np.float32(1 / 255), dtype=np.float32)
