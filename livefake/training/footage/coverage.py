"""What the takes cover, counted in cells of turn, mouth and light, and what is missing, in words. Pure logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.training.footage.measures import CLOSED, Measures

__all__ = ["PITCHES", "YAWS", "Coverage", "count", "missing"]

YAWS: Final = (-90.0, -35.0, -20.0, -8.0, 8.0, 20.0, 35.0, 90.0)
"""Edges of the cells of yaw, degrees, left to right in the picture."""
PITCHES: Final = (-90.0, -10.0, 10.0, 90.0)
"""Edges of the cells of pitch, degrees: up, level, down."""
_ENOUGH: Final = 5
"""Takes from which something is covered."""
_FACING: Final = 12.0
"""Degrees of turn up to which light is read: a turned face shades itself."""
_SHARE: Final = 0.05
"""Share of the facing takes that makes a light of its own."""
_OTHER_LIGHT: Final = np.array([0.22, 0.35, 0.25, 0.45])
"""Differences that make another light: side, top, warmth, logarithm of level."""
_WIDE_OPEN: Final = 0.25
_FEW: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """Takes in cells.

    Attributes:
        turns: (3, 7) int64, takes by cell of pitch and yaw.
        mouths: takes with a closed, a slightly open and a wide open mouth.
        lights: takes by light, the commonest first; only those that face the camera.
    """

    turns: NDArray[np.int64]
    mouths: tuple[int, int, int]
    lights: tuple[int, ...]

    @property
    def takes(self) -> int:
        """How many there are."""
        return int(self.turns.sum())


def count(measures: Sequence[Measures]) -> Coverage:
    """Count takes in cells."""
    yaw, pitch = (np.array([getattr(one, name) for one in measures], np.float64) for name in ("yaw", "pitch"))
    turns = np.histogram2d(np.clip(pitch, -89, 89), np.clip(yaw, -89, 89), [PITCHES, YAWS])[0].astype(np.int64)
    closed = sum(one.open_mouth <= CLOSED for one in measures)
    wide = sum(one.open_mouth > _WIDE_OPEN for one in measures)
    return Coverage(turns, (closed, len(measures) - closed - wide, wide), _lights(measures))


def _lights(measures: Sequence[Measures]) -> tuple[int, ...]:
    """Leader clustering: whoever is far from all leaders leads another light."""
    facing = [one for one in measures if max(abs(one.yaw), abs(one.pitch)) <= _FACING]
    if not facing:
        return ()
    shown = np.array([[one.side, one.top, one.warmth, np.log(max(one.level, 1.0))] for one in facing]) / _OTHER_LIGHT
    middle = np.median(shown, 0)
    leaders: list[NDArray[np.float64]] = []
    members: list[int] = []
    # From the middle outward, so that the commonest light leads first and scatter around it starts no other.
    for row in shown[np.argsort(np.linalg.norm(shown - middle, axis=1))]:
        away = [float(np.linalg.norm(row - leader)) for leader in leaders]
        if away and min(away) <= 1.5:
            members[int(np.argmin(away))] += 1
        else:
            leaders.append(row)
            members.append(1)
    return tuple(sorted((size for size in members if size >= max(2, _SHARE * len(facing))), reverse=True))


def missing(coverage: Coverage) -> list[str]:
    """What more footage would add, one sentence each; empty where all is there."""
    turns, by_yaw, by_pitch = coverage.turns, coverage.turns.sum(0), coverage.turns.sum(1)
    said = []
    if coverage.takes < _FEW:
        said.append(f"Only {coverage.takes} different frames were found; a minute of talking gives some hundred.")
    for number, words in (
        (int(by_yaw[:2].sum()), "looking left beyond 20 degrees"),
        (int(by_yaw[-2:].sum()), "looking right beyond 20 degrees"),
        (int(turns[:, 3].sum()), "looking into the camera"),
        (int(by_pitch[0]), "looking up"),
        (int(by_pitch[2]), "looking down"),
        (coverage.mouths[0], "with the mouth closed"),
        (coverage.mouths[1] + coverage.mouths[2], "with the mouth open: let the person talk"),
        (coverage.mouths[2], "with the mouth wide open"),
    ):
        if number < _ENOUGH and not (words.endswith("wide open") and sum(coverage.mouths[1:]) < _ENOUGH):
            said.append(f"{'No' if not number else f'Only {number}'} frame{'' if number == 1 else 's'} {words}.")
    if len(coverage.lights) <= 1:
        said.append("Only one light: film again with the lamp or the window on another side.")
    return said
