"""Samples from disk to what one training step takes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.errors import BadInput
from livefake.frame import Bytes
from livefake.swap.guide import CHANNELS, kept_alive, lay_over, net_planes
from livefake.training.beard import grow_beard
from livefake.training.glare import cast_glare
from livefake.training.guide import matched_guide
from livefake.training.samples import Sample, Shard
from livefake.training.tone import measure_tone, move_tone

__all__ = ["LIVE", "Example", "Pairs", "draw_batch", "drawn_ahead", "example", "opened", "resized", "stack"]

LIVE: Final = slice(11, 14)
"""The planes of the input that hold the live picture."""
_HINT: Final = 0.2
"""Share of training samples in which the network is told what hides the face. In the others it must see that itself,
as it must where no detector of such things runs."""
_OPENED: Final = 5
"""By how much a soft region is multiplied until it has a firm edge."""
_BEARD: Final = 0.15
"""Share of training samples whose performer has a beard."""
_GLARE: Final = 0.3
"""Share of training samples whose performer sits in hard light."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One sample, or a batch of them, for the network, which takes all levels divided by 255.

    Attributes:
        planes: (..., 14, S, S) uint8, input; see ``net_planes``. Its first three planes are the guide.
        truth: (..., 3, S, S) uint8, the persona in the performer's tone, BGR.
        visible: (..., 1, S, S) uint8, where the answer counts.
        mask: (..., 1, S, S) uint8, the mask that is right: 255 where nothing is in front of the face. It ends where the
            face does, not where the region fades: that is for the warp's own soft edge, and a network that is asked
            for half a mask gives a ragged whole one.
        persona: (...,) int64, number of the persona.
    """

    planes: Bytes
    truth: Bytes
    visible: Bytes
    mask: Bytes
    persona: NDArray[np.int64]

    @property
    def keep(self) -> Bytes:
        """(..., 1, S, S) uint8, eyes and inner mouth."""
        return self.planes[..., 9:10, :, :]


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


def resized(sample: Sample, size: int) -> Sample:
    """A sample at another size, as a smaller network crop would be.

    Args:
        sample: square.
        size: side, pixels; not larger than the sample's.
    """
    share = size / sample.live.shape[0]
    if share == 1:
        return sample

    def small(plane: Bytes) -> Bytes:
        return np.asarray(cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA), np.uint8)

    return Sample(
        live=small(sample.live),
        warp=small(sample.warp),
        truth=small(sample.truth),
        cover=small(sample.cover),
        region=small(sample.region),
        hidden=small(sample.hidden),
        inner=small(sample.inner),
        # Pixel centres at whole numbers: another size maps x to (x + 0.5) * share - 0.5.
        points=np.concatenate([(sample.points[:, :2] + 0.5) * share - 0.5, sample.points[:, 2:] * share], 1),
        landmarks=(sample.landmarks + 0.5) * share - 0.5,
        facts=sample.facts,
    )


def example(
    sample: Sample,
    *,
    hint: bool = False,
    beard: np.random.Generator | None = None,
    glare: np.random.Generator | None = None,
) -> Example:
    """Prepare a sample.

    Args:
        sample: as it is on disk.
        hint: whether the visibility plane leaves out what hides the face.
        beard: draws a beard for the performer; None leaves them as they are.
        glare: draws hard light onto the performer; None leaves the light as it is.
    """
    size = sample.live.shape[0]
    keep = kept_alive(sample.points, size)
    shown = cv2.bitwise_not(sample.hidden)
    visible = np.asarray(cv2.multiply(sample.region, shown, scale=1 / 255), np.uint8)
    cover = cv2.multiply(sample.cover, cv2.blur(shown, (5, 5)), scale=1 / 255) if hint else sample.cover
    skin = np.asarray(
        cv2.subtract(visible, cv2.dilate(cv2.add(sample.inner, keep), np.ones((3, 3), np.uint8))), np.uint8
    )
    truth = move_tone(sample.truth, measure_tone(sample.truth, sample.live, skin))
    truth = lay_over(truth, sample.truth, sample.inner)
    live = sample.live
    if beard is not None:
        # Nothing grows over a hand.
        bearded = grow_beard(live, sample.landmarks, beard)
        live = np.asarray(cv2.copyTo(bearded, (sample.hidden < 64).astype(np.uint8), live.copy()), np.uint8)
    if glare is not None:
        # On a hand, too: what is bright must not be what tells a face from what is in front of it.
        live = cast_glare(live, sample.landmarks, glare)
    guide = matched_guide(live, sample.warp, np.asarray(cover, np.uint8), sample.points)
    return Example(
        net_planes(live, guide, keep, np.asarray(cover, np.uint8)),
        np.stack(cv2.split(truth)).astype(np.uint8),
        visible[None],
        np.asarray(cv2.multiply(opened(sample.region), shown, scale=1 / 255), np.uint8)[None],
        np.array(sample.facts.persona, np.int64),
    )


def opened(region: Bytes) -> Bytes:
    """A soft region without its fading: (S, S) uint8, 255 from a fifth of the way in."""
    return np.asarray(cv2.multiply(region, np.full_like(region, _OPENED)), np.uint8)


def draw_batch(pairs: Pairs, size: int, random: np.random.Generator, *, side: int | None = None) -> Example:
    """A random batch whose first half is pairs of neighbouring moments.

    Args:
        pairs: to draw from.
        size: of the batch, a multiple of 4.
        random: source of choice, mirroring, hints, beards and glare.
        side: of the crops, pixels; as they are on disk if None.

    Returns:
        A batch; samples 0 and 1, 2 and 3, and so on up to ``size // 2`` are a moment and the one after it.
    """
    chosen: list[int] = []
    for later in random.choice(pairs.followers, size // 4) if pairs.followers.size else ():
        chosen += [int(later) - 1, int(later)]
    chosen += random.integers(len(pairs), size=size - len(chosen)).tolist()
    mirrored, hinted = random.random(size) < 0.5, random.random(size) < _HINT
    beards = np.where(random.random(size) < _BEARD, random.integers(1, 1 << 31, size), 0)
    glares = np.where(random.random(size) < _GLARE, random.integers(1, 1 << 31, size), 0)
    # Both moments are mirrored, told about, bearded and lit alike.
    for drawn in (mirrored, hinted, beards, glares):
        drawn[1 : size // 2 : 2] = drawn[: size // 2 : 2]
    examples = []
    for index, told, beard, glare in zip(chosen, hinted, beards, glares, strict=True):
        sample = pairs[index] if side is None else resized(pairs[index], side)
        examples.append(
            example(
                sample,
                hint=bool(told),
                beard=np.random.default_rng(beard) if beard else None,
                glare=np.random.default_rng(glare) if glare else None,
            )
        )
    return stack(examples, mirrored)


def drawn_ahead(draw: Callable[[int], Example], step: int) -> Generator[Example]:
    """Batches without end, each prepared while the one before it is learnt from.

    Args:
        draw: makes the batch of a step; called on a thread of its own.
        step: the first one.
    """
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(draw, step)
        while True:
            step += 1
            ready = coming.result()
            coming = ahead.submit(draw, step)
            yield ready


def stack(examples: list[Example], mirrored: NDArray[np.bool_] | None = None) -> Example:
    """Several examples as one batch, some of them mirrored."""
    side = examples[0].truth.shape[-1]
    planes, truth, visible, mask = (
        np.empty((len(examples), count, side, side), np.uint8) for count in (CHANNELS, 3, 1, 1)
    )
    batch = Example(planes, truth, visible, mask, np.array([one.persona for one in examples], np.int64))
    for row, one in enumerate(examples):
        step = -1 if mirrored is not None and mirrored[row] else 1
        for name in ("planes", "truth", "visible", "mask"):
            getattr(batch, name)[row] = getattr(one, name)[..., ::step]
    return batch
