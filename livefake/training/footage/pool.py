"""The best frames of a file while it is being read: a bounded number for each thing that a frame can show."""

from __future__ import annotations

from typing import Final

from livefake.training.footage.measures import Measures
from livefake.training.footage.takes import Take

__all__ = ["Pool", "is_usable"]

_PER_CELL: Final = 6
_SLOT: Final = 0.2
"""Seconds within which frames of one cell are near-duplicates."""
_LOST: Final = 0.08
_DARKEST: Final = 30.0
_YAW, _PITCH, _SIDE, _SMILE = 8.0, 9.0, 0.25, 0.12
_LIPS: Final = (0.05, 0.2, 0.4)


def is_usable(measures: Measures) -> bool:
    """Whether a frame is light enough, and not burnt out."""
    return measures.lost <= _LOST and measures.level >= _DARKEST


class Pool:
    """Keeps the sharpest frames of each cell of pose, mouth and light, one for each fifth of a second.

    A frame whose cell is full takes the place of the least sharp one, so the memory that a long film needs is
    bounded by what it shows, not by how long it is.
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[int, ...], dict[int, Take]] = {}

    def offer(self, take: Take, measures: Measures) -> None:
        """Keep a take if it is better than what is there."""
        cell = self._cells.setdefault(_cell(measures), {})
        slot = int(take.seconds / _SLOT)
        rival: int | None = None
        if slot in cell:
            rival = slot
        elif len(cell) >= _PER_CELL:
            rival = min(cell, key=lambda one: cell[one].sharpness)
        if rival is not None:
            if cell[rival].sharpness >= take.sharpness:
                return
            del cell[rival]
        cell[slot] = take

    def takes(self) -> list[Take]:
        """What was kept, in the order of the file."""
        return sorted((take for cell in self._cells.values() for take in cell.values()), key=lambda take: take.seconds)


def _cell(measures: Measures) -> tuple[int, ...]:
    return (
        round(measures.yaw / _YAW),
        round(measures.pitch / _PITCH),
        sum(measures.open_mouth > step for step in _LIPS),
        round(measures.smile / _SMILE),
        round(measures.side / _SIDE),
    )
