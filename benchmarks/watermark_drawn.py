"""Covers that a few lines draw: walls, cloth, a dim room, moving shapes, a portrait, a page of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes

__all__ = ["DRAWN", "HEIGHT", "WIDTH", "Reals", "field", "studio_range", "with_chroma"]

WIDTH: Final = 1280
HEIGHT: Final = 720

Reals = NDArray[np.floating[Any]]

Cover = Callable[[np.random.Generator, int], Iterator[Bytes]]


def with_chroma(luma: Bytes) -> Bytes:
    """A (H, W) luma picture as I420 with smooth colour that follows the brightness."""
    small = cv2.GaussianBlur(cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), (0, 0), 3)
    u = (128 + (small.astype(np.int16) - 128) // 6).astype(np.uint8)
    v = (128 - (small.astype(np.int16) - 128) // 5).astype(np.uint8)
    return np.concatenate([luma.reshape(-1), u.reshape(-1), v.reshape(-1)]).reshape(-1, luma.shape[1])


def studio_range(picture: Reals) -> Bytes:
    """Rounded to whole studio-range luma."""
    return np.asarray(np.clip(np.rint(picture), 16, 235), np.uint8)


def field(rng: np.random.Generator, blur: float, height: int = HEIGHT, width: int = WIDTH) -> Reals:
    """Random texture of one coarseness, mean 0, standard deviation 1."""
    small = max(1.0, blur / 2)
    noise = rng.normal(size=(round(height / small), round(width / small))).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), blur / small) if blur else noise
    resized = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((resized - resized.mean()) / resized.std(), np.float32)


def gradients(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """Smooth shades that drift slowly, with a little sensor noise: a wall."""
    yy, xx = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    for index in range(count):
        wall = 120 + 50 * np.sin(xx / 430 + index / 40) + 35 * np.cos(yy / 310)
        yield studio_range(wall + _grain(rng, 1.2))


def texture(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """Cloth, foliage, hair: texture of several coarsenesses under a panning camera."""
    wide = WIDTH + 4 * count
    scene = 125 + 22 * field(rng, 24, width=wide) + 14 * field(rng, 5, width=wide) + 9 * field(rng, 1.2, width=wide)
    for index in range(count):
        yield studio_range(scene[:, 3 * index : 3 * index + WIDTH])


def noise(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """A dim room through a noisy sensor."""
    scene = 55 + 14 * field(rng, 60)
    for _ in range(count):
        yield studio_range(scene + _grain(rng, 5))


def shapes(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """Hard-edged discs and boxes that move: a screen, a game."""
    size, speed = rng.uniform(30, 160, 16), rng.uniform(-9, 9, (16, 2))
    start, shade = rng.uniform(0, 1, (16, 2)) * (WIDTH, HEIGHT), rng.integers(30, 225, 16)
    for index in range(count):
        picture = np.full((HEIGHT, WIDTH), 90, np.uint8)
        for item in range(16):
            x, y = ((start[item] + speed[item] * index) % (WIDTH, HEIGHT)).astype(int).tolist()
            reach = int(size[item])
            if item % 2:
                cv2.circle(picture, (x, y), reach, int(shade[item]), -1, cv2.LINE_AA)
            else:
                cv2.rectangle(picture, (x - reach, y - reach // 2), (x + reach, y + reach // 2), int(shade[item]), -1)
        yield picture


def portrait(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """A smooth oval that sways before a blurred room."""
    room, skin = 100 + 30 * field(rng, 40), field(rng, 2.5)
    yy, xx = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    for index in range(count):
        x, y = 640 + 40 * np.sin(index / 12), 380 + 15 * np.cos(index / 9)
        inside = np.clip(8 * (1 - np.hypot((xx - x) / 190, (yy - y) / 260)), 0, 1)
        face = 165 - 40 * ((xx - x) / 190) ** 2 + 3 * skin
        yield studio_range(room * (1 - inside) + face * inside + _grain(rng, 1.5))


def page(rng: np.random.Generator, count: int) -> Iterator[Bytes]:
    """A light page full of text that is scrolled in jumps: a shared screen."""
    tall = np.full((HEIGHT * 2, WIDTH), 228, np.uint8)
    for line in range(20, HEIGHT * 2, 26):
        words = " ".join("".join(map(chr, rng.integers(97, 123, int(rng.integers(2, 10))))) for _ in range(14))
        cv2.putText(tall, words, (40, line), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (40.0,), 1, cv2.LINE_AA)
    for index in range(count):
        top = index // 24 * 104 % HEIGHT
        yield tall[top : top + HEIGHT].copy()


DRAWN: Final[dict[str, Cover]] = {
    cover.__name__: cover for cover in (gradients, texture, noise, shapes, portrait, page)
}
"""Every drawn cover: a generator and a count of frames make (720, 1280) uint8 luma."""


def _grain(rng: np.random.Generator, deviation: float) -> Reals:
    """Sensor noise."""
    return np.asarray(rng.standard_normal((HEIGHT, WIDTH), np.float32) * np.float32(deviation), np.float32)
