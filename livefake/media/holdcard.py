"""The hold card: what is shown while there is nothing that may be shown.

It is drawn from nothing but its two texts. No function in here takes a picture, so no pixel of a camera can
reach a card.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from livefake.clock import Nanos
from livefake.frame import Bytes, Floats, Frame

__all__ = ["CardPainter"]

Colour = tuple[int, int, int]

_KEPT: Final = 4
_LEAST_SIDE: Final = 64
_PITCH: Final = 1.35

_TINT: Final[Colour] = (9, 0, -5)
_BRIGHT: Final[Colour] = (244, 240, 236)
_MUTED: Final[Colour] = (178, 166, 156)
_FAINT: Final[Colour] = (132, 118, 108)
_ACCENT: Final[Colour] = (120, 178, 242)
"""Colours are BGR: paper and a little amber. The tint is what turns the grey of the background into ink."""


@dataclass(frozen=True, slots=True)
class _Text:
    """Lines of one size, ready to be drawn."""

    lines: tuple[str, ...]
    size: int
    weight: int
    colour: Colour

    @property
    def pitch(self) -> int:
        """Pixels from one baseline to the next."""
        return round(self.size * _PITCH)

    @property
    def height(self) -> int:
        return self.pitch * len(self.lines)


class CardPainter:
    """Draws hold cards and keeps the last few."""

    def __init__(self) -> None:
        self._font = cv2.FontFace("sans")
        self._cards: OrderedDict[tuple[int, int, str, str], Bytes] = OrderedDict()

    def paint(self, width: int, height: int, title: str, detail: str, *, pts: int, arrived: Nanos) -> Frame:
        """A card as a frame of its own, with ``card`` among the finished stages.

        Args:
            width: of the picture in pixels, 64 or more; an odd one loses its last column.
            height: likewise.
            title: a few words, such as "Camera is off".
            detail: a sentence or two that says why, and what to do.
            pts: time of the frame in ticks of 1/90000 s.
            arrived: when the card was called for.

        Raises:
            ValueError: a side is shorter than 64 pixels.
        """
        if min(width, height) < _LEAST_SIDE:
            raise ValueError(f"a card needs sides of {_LEAST_SIDE} pixels or more, got {width} x {height}")
        key = (width & ~1, height & ~1, " ".join(title.split()), " ".join(detail.split()))
        card = self._cards.get(key)
        if card is None:
            card = Frame.from_bgr(self._draw(*key)).i420
            self._cards[key] = card
            if len(self._cards) > _KEPT:
                self._cards.popitem(last=False)
        self._cards.move_to_end(key)
        return Frame(card.copy(), pts, arrived, done={"card"})

    def _draw(self, width: int, height: int, title: str, detail: str) -> Bytes:
        """The card as (height, width, 3) uint8 BGR: the name on top, glyph and texts in the middle."""
        short = min(width, height)
        picture = _background(width, height)
        room = round(width * 0.86)
        glyph, gap = round(short * 0.2), round(short * 0.05)
        heading = self._fitted(title, max(11, short * 8 // 100), 600, _BRIGHT, room, lines=2)
        size = max(9, short * 9 // 200)
        left = height - glyph - 2 * gap - heading.height
        body = self._fitted(detail, size, 400, _MUTED, room, lines=max(0, min(3, left // round(size * _PITCH))))

        top = (height - glyph - gap - heading.height - body.height) // 2
        _draw_camera_off(picture, width // 2, top + glyph // 2, glyph)
        baseline = self._write(picture, heading, top + glyph + gap * 3 // 4)
        self._write(picture, body, baseline + gap // 4)
        name = max(9, short // 24)
        if top > 3 * name:
            self._write_name(picture, name)
        return picture

    def _fitted(self, text: str, size: int, weight: int, colour: Colour, room: int, *, lines: int) -> _Text:
        """Wrap a text; make it smaller, down to 70 %, when it needs more lines, and cut it short after that."""
        least = max(8, size * 7 // 10)
        wrapped = self._wrap(text, size, weight, room) if lines else []
        while len(wrapped) > lines and size > least:
            size -= 1
            wrapped = self._wrap(text, size, weight, room)
        if len(wrapped) > lines:
            wrapped = [*wrapped[: lines - 1], self._shortened(" ".join(wrapped[lines - 1 :]), size, weight, room)]
        elif len(wrapped) > 1:
            wrapped = self._evened(wrapped, size, weight, room)
        return _Text(tuple(wrapped), size, weight, colour)

    def _wrap(self, text: str, size: int, weight: int, room: int) -> list[str]:
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self._width(longer, size, weight) <= room:
                lines[-1] = longer
            else:
                lines.append(self._shortened(word, size, weight, room))
        return lines

    def _evened(self, lines: list[str], size: int, weight: int, room: int) -> list[str]:
        """The same words in as many lines of about the same length, so that no word is left alone."""
        best = lines
        for narrower in range(room, room // 2, -max(1, room // 32)):
            tried = self._wrap(" ".join(lines), size, weight, narrower)
            if len(tried) > len(lines) or " ".join(tried) != " ".join(lines):
                break
            best = tried
        return best

    def _shortened(self, text: str, size: int, weight: int, room: int) -> str:
        """The text, or as much of its beginning as fits, with an ellipsis."""
        if self._width(text, size, weight) <= room:
            return text
        low, high = 0, len(text) - 1
        while low < high:
            middle = (low + high + 1) // 2
            fits = self._width(f"{text[:middle].rstrip()}…", size, weight) <= room
            low, high = (middle, high) if fits else (low, middle - 1)
        return f"{text[:low].rstrip()}…"

    def _width(self, text: str, size: int, weight: int) -> int:
        return int(cv2.getTextSize((0, 0), text, (0, 0), self._font, size, weight)[2])

    def _write(self, picture: Bytes, text: _Text, top: int) -> int:
        """Write centred lines below ``top``; return where the next text begins."""
        for number, line in enumerate(text.lines):
            left = (picture.shape[1] - self._width(line, text.size, text.weight)) // 2
            baseline = top + number * text.pitch + text.size
            cv2.putText(picture, line, (left, baseline), text.colour, self._font, text.size, text.weight)
        return top + text.height

    def _write_name(self, picture: Bytes, size: int) -> None:
        # At the foot: the label takes the top right corner, and on a narrow picture most of that edge.
        baseline = picture.shape[0] - round(size * 1.4)
        parts = (("live", 400, _FAINT), ("fake", 700, _ACCENT))
        left = (picture.shape[1] - sum(self._width(word, size, weight) for word, weight, _ in parts)) // 2
        for word, weight, colour in parts:
            cv2.putText(picture, word, (left, baseline), colour, self._font, size, weight)
            left += self._width(word, size, weight)


def _background(width: int, height: int) -> Bytes:
    """A dark vertical gradient with a soft light behind the middle, (height, width, 3) uint8 BGR.

    The tint is the same everywhere: 8-bit chroma has too few steps for a gradient this dark.
    """
    down: Floats = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    across: Floats = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    grey = 35 - 20 * down + 11 * np.exp(-3 * (across**2 + (2 * down - 0.85) ** 2))
    # One grey level of noise hides the steps of so slow a gradient.
    grey += np.random.default_rng(0).random((height, width), dtype=np.float32)
    return np.asarray(cv2.merge([(grey + tint).astype(np.uint8) for tint in _TINT]), np.uint8)


def _draw_camera_off(picture: Bytes, x: int, y: int, size: int) -> None:
    """A struck-out video camera, ``size`` pixels high, drawn four times as large and scaled down for clean edges."""
    edge = size * 4
    centre, unit = edge // 2, edge / 100
    mask = np.zeros((edge, edge), np.uint8)
    slash = np.zeros((edge, edge), np.uint8)
    line = max(1, round(5 * unit))

    def at(dx: float, dy: float) -> tuple[int, int]:
        return round(centre + dx * unit), round(centre + dy * unit)

    body = [at(-40, -22), at(12, -22), at(12, 22), at(-40, 22)]
    lens = [at(20, -5), at(40, -18), at(40, 18), at(20, 5)]
    outlines = [np.array(shape, np.int32) for shape in (body, lens)]
    cv2.fillPoly(mask, outlines, 255)
    cv2.polylines(mask, outlines, True, 255, round(10 * unit), cv2.LINE_AA)
    cv2.line(mask, at(-36, -42), at(40, 42), 0, line * 4, cv2.LINE_AA)
    cv2.line(slash, at(-38, -40), at(38, 40), 255, line + 1, cv2.LINE_AA)

    left, top = x - size // 2, y - size // 2
    target = picture[top : top + size, left : left + size]
    for stencil, colour in ((mask, _MUTED), (slash, _ACCENT)):
        small = np.asarray(cv2.resize(stencil, (size, size), interpolation=cv2.INTER_AREA), np.float32)
        alpha = small[:, :, None] / 255
        target[:] = (target * (1 - alpha) + np.array(colour, np.float32) * alpha).astype(np.uint8)
