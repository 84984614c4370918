"""The visible label: says in every picture that it was modified. There is no way to switch it off.

Letters stand at least 5 % of the picture's short side high (GB 45438-2025; the EU's code of practice asks for
a mark that is recognised at once and suggests the top right). Drawn straight into the I420 planes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadMedia, BadRequest
from livefake.frame import Box, Bytes, Floats, Frame
from livefake.trust.look import WORDS, Corner

__all__ = ["Label"]

_CAP_SHARE: Final = 0.055  # of the short side; the law's 5 % and some room for soft edges
_MARGIN_SHARE: Final = 0.03
_PAD_ACROSS: Final = 0.75  # in heights of a capital letter, like the next three
_PAD_DOWN: Final = 0.6
_RADIUS: Final = 0.55
_RIM: Final = 0.035

_TEXT_LUMA: Final = 235.0
_PLATE_LUMA: Final = 24.0
_PLATE_COVER: Final = 0.82
_RIM_COVER: Final = 0.2

_WEIGHT: Final = 600
_OVERSAMPLING: Final = 4
_CAP_PER_SIZE: Final = 0.7  # of the built-in font, near enough; the drawn letters are measured
_GREY: Final = 128.0


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """What is done to one plane: ``plane * keep / 255 + ink`` in a region."""

    rows: slice
    columns: slice
    keep: Bytes
    ink: Bytes

    def draw(self, plane: Bytes) -> None:
        region = plane[self.rows, self.columns]
        cv2.multiply(region, self.keep, dst=region, scale=1 / 255)
        cv2.add(region, self.ink, dst=region)


class Label:
    """Draws the label into each frame. Rendered at the first frame of a size and kept until the size changes.

    Args:
        language: one of ``WORDS``.
        corner: where it stands.

    Raises:
        BadRequest: there is no label in that language.
    """

    name = "label"
    vital = True

    def __init__(self, language: str = "en", corner: Corner = Corner.TOP_RIGHT) -> None:
        if language not in WORDS:
            raise BadRequest(f"The label exists in {', '.join(sorted(WORDS))}, not in {language!r}.", "Choose one.")
        self._words = WORDS[language]
        self._corner = corner
        self._size = (0, 0)
        self._layers: tuple[_Layer, ...] = ()

    def __call__(self, frame: Frame) -> Frame:
        """Draw in place.

        Raises:
            BadMedia: the picture is too small for the label.
        """
        size = (frame.width, frame.height)
        if size != self._size:
            self._layers = _render(self._words, self._corner, *size)
            self._size = size
        for layer, plane in zip(self._layers, (frame.y, frame.u, frame.v), strict=True):
            layer.draw(plane)
        frame.done.add(self.name)
        return frame


def _render(words: str, corner: Corner, width: int, height: int) -> tuple[_Layer, ...]:
    """The layers for Y, U and V of one picture size."""
    short = min(width, height)
    cap = math.ceil(_CAP_SHARE * short)
    text = _letters(words, cap)
    # Even sides and even edges: a chroma sample covers 2 x 2 pixels.
    plate_width = (text.shape[1] + 2 * round(_PAD_ACROSS * cap) + 1) & ~1
    plate_height = (cap + 2 * round(_PAD_DOWN * cap) + 1) & ~1
    margin = min(round(_MARGIN_SHARE * short), (width - plate_width) // 2, (height - plate_height) // 2) & ~1
    if margin < 0:
        raise BadMedia(f"The label needs {plate_width} x {plate_height} pixels, the picture has {width} x {height}.")
    left = margin if corner in (Corner.TOP_LEFT, Corner.BOTTOM_LEFT) else width - margin - plate_width
    top = margin if corner in (Corner.TOP_LEFT, Corner.TOP_RIGHT) else height - margin - plate_height

    depth = _depth(plate_width, plate_height, _RADIUS * cap)
    plate = np.clip(depth + 0.5, 0, 1) * _PLATE_COVER
    rim = max(1.0, _RIM * cap)
    light = np.clip(depth + 0.5, 0, 1) * np.clip(rim + 0.5 - depth, 0, 1) * _RIM_COVER
    across, down = (plate_width - text.shape[1]) // 2, (plate_height - text.shape[0]) // 2
    area = light[down : down + text.shape[0], across : across + text.shape[1]]
    np.maximum(area, text, out=area)

    keep = (1 - plate) * (1 - light)
    ink = _PLATE_LUMA * plate * (1 - light) + _TEXT_LUMA * light
    small = cv2.resize(keep, (plate_width // 2, plate_height // 2), interpolation=cv2.INTER_AREA)
    box = Box(left, top, left + plate_width, top + plate_height)
    half = Box(left // 2, top // 2, (left + plate_width) // 2, (top + plate_height) // 2)
    chroma = _layer(half, np.asarray(small, np.float32), _GREY * (1 - np.asarray(small, np.float32)))
    return _layer(box, keep, ink), chroma, chroma


def _layer(box: Box, keep: Floats, ink: Floats) -> _Layer:
    """A layer from shares of the picture (0..1) and added levels (0..255)."""
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    return _Layer(rows, columns, np.rint(keep * 255).astype(np.uint8), np.rint(ink).astype(np.uint8))


def _depth(width: int, height: int, radius: float) -> Floats:
    """(height, width): how far each pixel's centre lies inside a rectangle with round corners, in pixels."""
    x = np.abs(np.arange(width, dtype=np.float32) + 0.5 - width / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height, dtype=np.float32) + 0.5 - height / 2)[:, None] - (height / 2 - radius)
    outside = np.hypot(np.maximum(x, 0), np.maximum(y, 0))
    return np.asarray(radius - outside - np.minimum(np.maximum(x, y), 0), np.float32)


def _letters(words: str, cap: int) -> Floats:
    """The words as cover 0..1, cropped to their columns; capitals ``cap`` pixels high, half of that above and below.

    Drawn four times larger, moved so that the feet and the heads of capitals fall on whole pixels, and averaged
    down: level edges come out sharp, curves smooth.
    """
    size = round(_OVERSAMPLING * cap / _CAP_PER_SIZE)
    stem = _draw("I", size)
    rows = np.flatnonzero(stem.max(1) > 127)
    head, foot = int(rows[0]), int(rows[-1]) + 1
    drawn = _draw(words, size)
    columns = np.flatnonzero(drawn.max(0) > 0)
    start, stop = int(columns[0]), int(columns[-1]) + 1
    above = cap // 2
    scale = _OVERSAMPLING * cap / (foot - head)
    width, height = math.ceil((stop - start) * scale / _OVERSAMPLING), cap + 2 * above
    # Pixel centres: output (x + 0.5) = (input x + 0.5 - start) * scale, and so for y.
    matrix = np.array(
        [
            [scale, 0, (0.5 - start) * scale - 0.5],
            [0, scale, (0.5 - head) * scale + above * _OVERSAMPLING - 0.5],
        ]
    )
    large = cv2.warpAffine(drawn, matrix, (width * _OVERSAMPLING, height * _OVERSAMPLING), flags=cv2.INTER_LINEAR)
    cover = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cover / 255, np.float32)


def _draw(words: str, size: int) -> Bytes:
    """White words on black in the font that comes with OpenCV, with room around: uint8."""
    font = cv2.FontFace("sans")
    _, _, width, _ = cv2.getTextSize((0, 0), words, (0, 0), font, size, weight=_WEIGHT)
    canvas = np.zeros((2 * size, width + 2 * size), np.uint8)
    cv2.putText(canvas, words, (size, 3 * size // 2), (255.0,), font, size, weight=_WEIGHT)
    return canvas
