"""Viterbi's algorithm with a list: the likeliest messages of a convolutional code, best first.

A check sum picks the right one among several likely messages, which is worth most of a decibel against looking at
the likeliest alone (N. Seshadri, C.-E. Sundberg, List Viterbi decoding algorithms with applications, IEEE Trans.
Communications 42, 1994; the parallel form).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes

__all__ = ["likeliest"]


@numba.njit("void(float64[:, :, ::1], float64[:, ::1], int16[:, :, ::1])", nogil=True, cache=True)
def _forward(branches, metric, chosen):  # type: ignore[no-untyped-def]
    """Fill ``chosen`` step by step; ``metric`` (states, list) starts as the start and ends as the end.

    Args:
        branches: (steps, 2, states), what a new bit 0 or 1 out of an old state earns.
        metric: (states, list), descending in each row.
        chosen: (steps, states, list), ``2 * place in the old state's list + lowest bit of the old state``.
    """
    steps, states, size = chosen.shape
    new = np.empty_like(metric)
    for step in range(steps):
        for state in range(states):
            # State s becomes bit * states / 2 + s // 2: two old states lead here, and their lists are merged.
            bit, first = state // (states // 2), state % (states // 2) * 2
            earned_0, earned_1 = branches[step, bit, first], branches[step, bit, first + 1]
            i = j = 0
            for place in range(size):
                zero, one = metric[first, i] + earned_0, metric[first + 1, j] + earned_1
                if zero >= one:
                    new[state, place] = zero
                    chosen[step, state, place] = 2 * i
                    i = min(i + 1, size - 1)
                else:
                    new[state, place] = one
                    chosen[step, state, place] = 2 * j + 1
                    j = min(j + 1, size - 1)
        metric[:] = new


def likeliest(branches: NDArray[np.float64], count: int) -> Bytes:
    """The likeliest ways from state 0 to state 0.

    Args:
        branches: (steps, 2, states), what a new bit 0 or 1 out of an old state earns; the new bit enters at the top
            of the state, the lowest one drops out.
        count: how many.

    Returns:
        (count, steps) uint8, the bits that went in, best first.
    """
    steps, _, states = branches.shape
    metric = np.full((states, count), -np.inf)
    metric[0, 0] = 0.0
    chosen = np.empty((steps, states, count), np.int16)
    _forward(np.ascontiguousarray(branches, np.float64), metric, chosen)
    top = states.bit_length() - 2
    bits = np.empty((count, steps), np.uint8)
    state, place = np.zeros(count, np.int64), np.arange(count)
    for step in range(steps - 1, -1, -1):
        bits[:, step] = state >> top
        back = chosen[step, state, place].astype(np.int64)
        state, place = (state << 1 & (states - 1)) | (back & 1), back >> 1
    return bits
