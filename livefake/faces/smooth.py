"""Steady points: the one-euro filter, over a whole set of points at once."""

from __future__ import annotations

import math

import numpy as np

from livefake.clock import Nanos, seconds
from livefake.faces.kernel import common_motion, follow
from livefake.frame import Floats

__all__ = ["OneEuro", "scaled"]


class OneEuro:
    """Low-pass filter whose cut-off rises with speed: still points do not tremble, fast ones do not lag.

    After Casiez, Roussel, Vogel: "1 euro filter", CHI 2012, with one change: all points of a face share the
    cut-off of their common motion, because a mesh whose points lag each by its own amount looks like rubber.

    Args:
        cutoff: lowest cut-off frequency, Hz; lower is steadier at rest.
        beta: how fast the cut-off rises, Hz per unit of speed; speed is counted in face sizes a second.
        derivative_cutoff: cut-off frequency of the speed itself, Hz.
    """

    def __init__(self, *, cutoff: float = 3.0, beta: float = 60.0, derivative_cutoff: float = 4.0) -> None:
        self._cutoff = cutoff
        self._beta = beta
        self._derivative_cutoff = derivative_cutoff
        self._points: Floats | None = None
        self._raw: Floats | None = None
        self._speed = 0.0
        self._at: Nanos = 0

    def __call__(self, points: Floats, scale: float, at: Nanos) -> Floats:
        """Filter the next set of points.

        Args:
            points: (N, D) float32 with N, D >= 2, any unit; N and D stay the same from call to call.
            scale: size of the face in that unit, > 0.
            at: instant of the points. An instant that is not later than the last one restarts the filter.

        Returns:
            (N, D) float32.
        """
        points = np.ascontiguousarray(points, np.float32)
        if self._points is None or self._raw is None or at <= self._at:
            self._points, self._raw, self._at, self._speed = points, points, at, 0.0
            return points
        step = seconds(at - self._at)
        # The motion of the head as a whole: noise of single points averages out of the similarity transform.
        motion = common_motion(self._raw, points)
        self._speed += _weight(self._derivative_cutoff, step) * (motion / scale / step - self._speed)
        weight = _weight(self._cutoff + self._beta * self._speed, step)
        # Points that move on their own, lips and lids, follow the sooner the farther they are from where they were.
        self._points = follow(self._points, points, weight, 0.02 * scale)
        self._raw, self._at = points, at
        return self._points

    def rescale(self, across: float, down: float) -> None:
        """Go on with points of a picture of another size.

        Args:
            across, down: the new width and height as shares of the old ones.
        """
        if self._points is not None and self._raw is not None:
            self._points, self._raw = scaled(self._points, across, down), scaled(self._raw, across, down)


def scaled(points: Floats, across: float, down: float) -> Floats:
    """Points of a picture in the same picture at another size.

    Args:
        points: (N, D) float32, pixels, with D >= 2; whole numbers are the middles of pixels. Depth goes with the width.
        across, down: the new width and height as shares of the old ones.
    """
    sides = np.array([across, down, *[across] * (points.shape[1] - 2)], np.float32)
    middle = np.array([0.5, 0.5, *[0.0] * (points.shape[1] - 2)], np.float32)
    return ((points + middle) * sides - middle).astype(np.float32)


def _weight(cutoff: float, step: float) -> float:
    """Share of a new value in an exponential filter with that cut-off (Hz) after that step (s)."""
    return 1.0 / (1.0 + 1.0 / (2 * math.pi * cutoff * step))
