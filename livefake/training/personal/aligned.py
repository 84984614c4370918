"""What a .dfm network learns from: faces aligned as DeepFaceLive aligns them, and the persona in their place.

The network gets no mesh, so it must know by itself what the persona looks like in a pose; the finished swap of this
program is its teacher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch

from livefake.errors import BadInput
from livefake.faces.geometry import transform
from livefake.frame import Bytes
from livefake.swap.community.dfm import WHOLE_FACE, aligned
from livefake.swap.guide import lay_over
from livefake.swap.mesh import MeshSwapper
from livefake.training.batches import Pairs, example
from livefake.training.footage.takes import Take
from livefake.training.guide import matched_guide, warp_onto
from livefake.training.nets import RefineNet
from livefake.training.personal.practice import STRANGE
from livefake.training.personal.samples import crop_example, sample_scene
from livefake.training.samples import Sample
from livefake.training.trainer import batch_random

__all__ = ["SIZE", "WHOLE_FACE", "Lesson", "Lessons", "aligned"]

SIZE: Final = 224
"""Side of the crop, pixels: the smallest that DeepFaceLive's whole-face models use."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One example, or a batch of them.

    Attributes:
        live: (..., 3, S, S) uint8 BGR, the performer.
        truth: (..., 3, S, S) uint8 BGR, the persona in their place.
        mask: (..., 1, S, S) uint8, where.
    """

    live: Bytes
    truth: Bytes
    mask: Bytes


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Where the examples come from.

    Attributes:
        takes: of the person; may be empty if there are pairs.
        pairs: rendered people, whose performers are taken; None if there are takes.
        swapper: wears the persona.
        teacher: the swap network, on the processor.
        strangers: whose skin a performer in a take may get; may be empty.
        size: side of the crops, pixels, a multiple of 32.
        seed: of every draw.

    Raises:
        BadInput: there are neither takes nor pairs.
    """

    takes: Sequence[Take]
    pairs: Pairs | None
    swapper: MeshSwapper
    teacher: RefineNet
    strangers: Sequence[MeshSwapper]
    size: int
    seed: int

    def __post_init__(self) -> None:
        if not self.takes and self.pairs is None:
            raise BadInput("A .dfm file is learnt from takes or rendered pairs, and there are neither.")

    def batch(self, step: int, count: int) -> Lesson:
        """The batch of a step: the same for the same step. Half of it is takes, half pairs, where there are both."""
        random = batch_random(self.seed, step)
        drawn = []
        for place in range(count):
            if self.takes and (self.pairs is None or place % 2 == 0):
                drawn.append(self._from_take(random))
            elif self.pairs is not None:
                drawn.append(self._from_pair(self.pairs[int(random.integers(len(self.pairs)))]))
        return Lesson(*(np.stack([getattr(one, part) for one in drawn]) for part in ("live", "truth", "mask")))

    def _from_take(self, random: np.random.Generator) -> Lesson:
        shot = self.takes[int(random.integers(len(self.takes)))]
        strange = bool(self.strangers) and bool(random.random() < STRANGE)
        stranger = self.strangers[int(random.integers(len(self.strangers)))] if strange else None
        matrix, size = aligned(shot.points, self.size), (self.size, self.size)
        crop = np.asarray(cv2.warpAffine(shot.picture, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
        points = transform(shot.points, matrix)
        one = crop_example(crop, points, self.swapper, sample_scene(random), random, stranger=stranger)
        if one is None:
            raise BadInput(f"The face in the take of {shot.file} at {shot.seconds:.1f} s is too small or cut off.")
        return Lesson(one.planes[11:14], one.truth, one.visible)

    def _from_pair(self, sample: Sample) -> Lesson:
        """The performer of a rendered pair, and what this program shows in their place."""
        side = sample.live.shape[0]
        worn = warp_onto(self.swapper, side, sample.points)
        if worn is None:
            worn = sample.live, np.zeros((side, side), np.uint8)
        warp, cover = worn
        shown, mask = self._finished(sample, matched_guide(sample.live, warp, cover, sample.points), cover)
        matrix, size = aligned(sample.points, self.size), (self.size, self.size)
        live, truth = (
            np.asarray(cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
            for picture in (sample.live, shown)
        )
        placed = np.asarray(cv2.warpAffine(mask, matrix, size), np.uint8)
        return Lesson(np.ascontiguousarray(live.transpose(2, 0, 1)), truth.transpose(2, 0, 1), placed[None])

    @torch.no_grad()
    def _finished(self, sample: Sample, guide: Bytes, cover: Bytes) -> tuple[Bytes, Bytes]:
        planes = example(sample).planes.copy()
        planes[:3], planes[10] = guide.transpose(2, 0, 1), cover
        made = self.teacher(torch.from_numpy(planes)[None].float() / 255)[0]
        levels = (made.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()
        picture, mask = np.ascontiguousarray(levels[:3].transpose(1, 2, 0)), np.ascontiguousarray(levels[3])
        return lay_over(sample.live, picture, mask), mask
