"""Which takes a network learns from and which it is judged on. Pure logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from livefake.errors import BadInput

__all__ = ["FEWEST", "GAP", "Split", "split_takes"]

FEWEST: Final = 20
"""Takes, below which there is nothing to learn from and nothing to judge on."""
GAP: Final = 1.0
"""Seconds around a held-out take that are left out on both sides; less where the footage is short."""
_LONGEST: Final = 10.0
"""Seconds of a block, at most."""
_BLOCKS: Final = 30
"""Blocks that short footage is cut into: three of them are held out."""
_ONE_IN: Final = 10
_MORE: Final = "Give more footage: a few minutes, turned heads and open mouths included."


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of takes.

    Attributes:
        train: to learn from.
        test: held out, about a tenth.
        gap: seconds between the two, at least, within a file.
    """

    train: tuple[int, ...]
    test: tuple[int, ...]
    gap: float


def split_takes(moments: Sequence[tuple[str, float]], *, seed: int = 0) -> Split:
    """Hold out every tenth block of time, and nothing that lies near one.

    Frames a moment apart are almost the same picture, so a split by frames would judge on what was learnt. Blocks
    follow one another through all files; a picture of its own is a block of its own.

    Args:
        moments: file and seconds of each take, in any order.
        seed: chooses which of ten blocks.

    Raises:
        BadInput: there are too few takes, or they lie too close together to be held apart.
    """
    if len(moments) < FEWEST:
        raise BadInput(f"A network of their own needs {FEWEST} takes or more, there are {len(moments)}.", _MORE)
    files: dict[str, list[float]] = {}
    for file, at in moments:
        files.setdefault(file, []).append(at)
    total = sum(max(times) - min(times) for times in files.values())
    length = min(_LONGEST, max(total / _BLOCKS, 1e-3))
    first, block = {}, 0
    for file, times in files.items():
        first[file] = (block, min(times))
        block += int((max(times) - min(times)) / length) + 1

    def held(file: str, at: float) -> bool:
        number, start = first[file]
        return (number + int((at - start) / length)) % _ONE_IN == seed % _ONE_IN

    gap = min(GAP, length / 4)
    test = tuple(row for row, moment in enumerate(moments) if held(*moment))
    away: dict[str, list[float]] = {}
    for row in test:
        away.setdefault(moments[row][0], []).append(moments[row][1])
    chosen = set(test)
    train = tuple(
        row
        for row, (file, at) in enumerate(moments)
        if row not in chosen and all(abs(at - other) >= gap for other in away.get(file, ()))
    )
    if not test or not train:
        raise BadInput(f"The {len(moments)} takes lie too close together to hold a tenth of them out.", _MORE)
    return Split(train, test, gap)
