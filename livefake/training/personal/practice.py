"""Batches for fine-tuning: takes of the person, some with another's skin, some rendered pairs of other people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from livefake.swap.mesh import MeshSwapper
from livefake.training.batches import Example, Pairs, example, resized, stack
from livefake.training.footage.takes import Take
from livefake.training.personal.samples import sample_scene, take_example
from livefake.training.trainer import batch_random

__all__ = ["STRANGE", "Practice", "exam"]

STRANGE: Final = 0.4
"""Share of takes whose live features are made somebody else's."""
_GENERAL: Final = 0.25
"""Share of a batch that is rendered pairs, where there are any: the network keeps how to take other performers."""


@dataclass(frozen=True, slots=True, eq=False)
class Practice:
    """What is learnt from.

    Attributes:
        takes: all takes.
        rows: those to learn from.
        swapper: wears the persona.
        strangers: whose skin performers may get; may be empty.
        pairs: rendered ones of other people, None where there are none.
        seed: of every draw.
    """

    takes: Sequence[Take]
    rows: Sequence[int]
    swapper: MeshSwapper
    strangers: Sequence[MeshSwapper]
    pairs: Pairs | None
    seed: int

    def batch(self, step: int, size: int, side: int) -> Example:
        """The batch of a step: the same for the same step, so a resumed run learns what it would have learnt.

        Args:
            step: number of the step.
            size: examples, a multiple of 4.
            side: of the crops, pixels, a multiple of 32; not larger than the pairs'.

        Returns:
            A batch. In its first half, examples 0 and 1, 2 and 3, and so on are one take in one light, seen through
            two moments of a camera: what differs between them is what must not flicker.
        """
        random = batch_random(self.seed, step)
        examples: list[Example] = []
        while len(examples) < size // 2:
            examples += self._drawn(random, side, moments=2)
        general = round(size * _GENERAL) if self.pairs is not None else 0
        while len(examples) < size - general:
            examples += self._drawn(random, side, moments=1)
        if self.pairs is not None:
            for index in random.integers(len(self.pairs), size=general):
                examples.append(example(resized(self.pairs[int(index)], side)))
        return stack(examples)

    def _drawn(self, random: np.random.Generator, side: int, *, moments: int) -> list[Example]:
        shot = self.takes[self.rows[int(random.integers(len(self.rows)))]]
        strange = bool(random.random() < STRANGE) and bool(self.strangers)
        stranger = self.strangers[int(random.integers(len(self.strangers)))] if strange else None
        scene = sample_scene(random)
        return [take_example(shot, self.swapper, side, scene, random, stranger=stranger) for _ in range(moments)]


def exam(practice: Practice, rows: Sequence[int], side: int, *, most: int = 64) -> tuple[Example, tuple[int, ...]]:
    """Held-out examples, the same ones every time; every second one has another's skin where there is one to give.

    Args:
        practice: gives takes, persona, strangers and the seed.
        rows: held-out takes.
        side: of the crops, pixels, a multiple of 32.
        most: examples at most, spread evenly.

    Returns:
        A batch, and the take of each of its examples.
    """
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    chosen = tuple(rows[place] for place in places)
    examples = []
    for place, row in enumerate(chosen):
        random = np.random.default_rng([practice.seed, 1 << 20, row])
        stranger = (
            practice.strangers[place // 2 % len(practice.strangers)] if practice.strangers and place % 2 else None
        )
        scene = sample_scene(random)
        examples.append(take_example(practice.takes[row], practice.swapper, side, scene, random, stranger=stranger))
    return stack(examples), chosen
