"""A fixed piece of work that has nothing to do with livefake: how fast the machine is at this moment.

A frame's cost divided by the yardstick's can be compared between minutes, and roughly between machines; it must
therefore never change.
"""

from __future__ import annotations

import time
from typing import Final

import cv2
import numpy as np

__all__ = ["Yardstick"]

_SIDE: Final = 256


class Yardstick:
    """Scaling, warping, blurring and small matrix products, about as a frame mixes them; some milliseconds."""

    def __init__(self) -> None:
        random = np.random.default_rng(20)
        self._picture = random.integers(0, 256, (720, 1280), np.uint8)
        self._patch = random.integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
        self._matrix = np.array([[0.9, -0.2, 30], [0.2, 0.9, -10]], np.float32)
        self._weights = random.standard_normal((_SIDE, _SIDE)).astype(np.float32)

    def __call__(self) -> tuple[int, int]:
        """Do the work once: nanoseconds on the clock on the wall, and of processor time."""
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        cv2.resize(self._picture, (640, 360), interpolation=cv2.INTER_AREA)
        for _ in range(4):
            warped = cv2.warpAffine(self._patch, self._matrix, (_SIDE, _SIDE))
            soft = cv2.GaussianBlur(warped, (9, 9), 2)
            cv2.cvtColor(soft, cv2.COLOR_BGR2YUV_I420)
            product = self._weights @ self._weights
            np.clip(product, 0, 1, out=product)
        return time.perf_counter_ns() - wall, time.process_time_ns() - cpu
