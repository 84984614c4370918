"""Percentiles, and the ratio of two interleaved measurements with its uncertainty. Arithmetic only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["PERCENTILES", "Ratio", "percentiles", "ratio"]

PERCENTILES: Final = (50, 95, 99)

_DRAWS: Final = 4000


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as much the second side takes as the first.

    Attributes:
        value: geometric mean over the pairs.
        low, high: 95 % confidence interval.
        pairs: how many.
    """

    value: float
    low: float
    high: float
    pairs: int

    @property
    def verdict(self) -> str:
        """``less``, ``more``, or ``no difference shown`` where the interval holds 1."""
        if self.high < 1:
            return "less"
        return "more" if self.low > 1 else "no difference shown"


def percentiles(samples: Sequence[float]) -> Mapping[str, float | None]:
    """``p50``, ``p95`` and ``p99``; None where there are no samples."""
    if not len(samples):
        return {f"p{share}": None for share in PERCENTILES}
    figures = np.percentile(np.asarray(samples, np.float64), PERCENTILES)
    return {f"p{share}": round(float(figure), 3) for share, figure in zip(PERCENTILES, figures, strict=True)}


def ratio(first: Sequence[float], second: Sequence[float], *, seed: int = 1) -> Ratio:
    """Compare two sides that took turns; what slowed both for a while cancels out within a pair.

    The interval is the percentile bootstrap over pairs (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
    chapter 13).

    Args:
        first, second: one positive figure a turn, pair by pair.
        seed: of the draws.

    Raises:
        ValueError: there are fewer than two pairs, a side has more turns, or a figure is not positive.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape or one.size < 2:
        raise ValueError(f"a ratio needs two or more pairs, got {one.size} and {other.size} figures")
    if not (one > 0).all() or not (other > 0).all():
        raise ValueError("a ratio needs positive figures")
    logs = np.log(other / one)
    draws = np.random.default_rng(seed).integers(0, logs.size, (_DRAWS, logs.size))
    low, high = np.exp(np.percentile(logs[draws].mean(1), (2.5, 97.5)))
    return Ratio(float(np.exp(logs.mean())), float(low), float(high), logs.size)
