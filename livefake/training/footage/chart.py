"""The coverage of footage as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from livefake.frame import Bytes
from livefake.training.footage.coverage import PITCHES, YAWS, Coverage

__all__ = ["draw_chart"]

_CELL: Final = (96, 64)
_LEFT, _TOP, _LINE = 150, 84, 26
_INK: Final = (40, 40, 40)
_FAINT: Final = (150, 150, 150)
_EMPTY: Final = np.array([238, 236, 234], np.float64)
_FULL: Final = np.array([96, 140, 44], np.float64)
_MUCH: Final = 30
"""Takes from which a cell is as green as it gets."""
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def draw_chart(coverage: Coverage, words: Sequence[str]) -> Bytes:
    """Draw the cells with their counts, and what is missing below.

    Args:
        coverage: what to draw.
        words: sentences, as ``coverage.missing`` gives them; letters that OpenCV cannot draw become question marks.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    columns, rows = len(YAWS) - 1, len(PITCHES) - 1
    width = _LEFT + columns * _CELL[0] + 30
    below = _TOP + rows * _CELL[1] + 40
    picture = np.full((below + (4 + max(1, len(words))) * _LINE + 20, width, 3), 255, np.uint8)
    _write(picture, (20, 34), f"{coverage.takes} takes by turn of the head, in degrees", 0.7)
    for column in range(columns):
        name = _range(YAWS[column], YAWS[column + 1], "left", "right")
        _write(picture, (_LEFT + column * _CELL[0] + 6, _TOP - 12), name, 0.42, _FAINT)
    for row, name in enumerate(("up", "level", "down")):
        _write(picture, (20, _TOP + row * _CELL[1] + _CELL[1] // 2), name, 0.5)
        for column in range(columns):
            number = int(coverage.turns[row, column])
            corner = (_LEFT + column * _CELL[0], _TOP + row * _CELL[1])
            shade = _EMPTY + min(1.0, number / _MUCH) ** 0.5 * (_FULL - _EMPTY)
            end = (corner[0] + _CELL[0] - 4, corner[1] + _CELL[1] - 4)
            cv2.rectangle(picture, corner, end, [float(level) for level in shade], cv2.FILLED)
            _write(picture, (corner[0] + 10, corner[1] + 36), str(number), 0.6, _INK if number else _FAINT)
    closed, little, wide = coverage.mouths
    _write(picture, (20, below), f"mouth: {closed} closed, {little} a little open, {wide} wide open", 0.5)
    lights = ", ".join(str(number) for number in coverage.lights) or "none"
    _write(picture, (20, below + _LINE), f"takes by light, of those that face the camera: {lights}", 0.5)
    for place, sentence in enumerate(words or ["Nothing is missing."]):
        _write(picture, (20, below + (place + 3) * _LINE), sentence, 0.5)
    return picture


def _range(low: float, high: float, negative: str, positive: str) -> str:
    if low < 0 < high:
        return "ahead"
    side = negative if high <= 0 else positive
    near, far = sorted((abs(low), abs(high)))
    return f"{side} {near:.0f}+" if far >= 90 else f"{side} {near:.0f}-{far:.0f}"


def _write(picture: Bytes, at: tuple[int, int], text: str, scale: float, colour: tuple[int, int, int] = _INK) -> None:
    cv2.putText(picture, text.encode("ascii", "replace").decode(), at, _FONT, scale, colour, 1, cv2.LINE_AA)
