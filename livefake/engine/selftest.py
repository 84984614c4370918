"""Before an engine goes live it must give, on fixed inputs, what the plain engine gives.

An engine that was built for a GPU can be fast and wrong: a bad cache, a driver that does not fit, an operator that
overflows in float16, a recorded run that is replayed on old pictures. Such an engine must never touch a picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from livefake.engine.base import Engine
from livefake.errors import EngineError
from livefake.frame import Floats

__all__ = ["LEAST", "check_engine", "probe", "psnr"]

LEAST: Final = 30.0
"""Decibels of agreement below which an engine is refused. Rounding to float16 stays far above, a wrong layer far
below."""
_FLAT: Final = 1e-6
_TURNS: Final = (0.0, 2.0)
_ROUNDS: Final = 3


def psnr(one: Floats, other: Floats) -> float:
    """Peak signal to noise ratio of two arrays of one shape whose values lie in 0..1, decibels; inf if equal."""
    error = float(np.mean(np.square(one.astype(np.float64) - other)))
    return math.inf if error == 0 else -10 * math.log10(error)


def probe(shapes: Mapping[str, tuple[int, ...]], turn: float = 0.0) -> dict[str, Floats]:
    """A fixed input: waves of several lengths, 0..1, different along every axis; the same on every machine.

    Args:
        shapes: of the inputs by name, static.
        turn: phase of the waves, radians; another one is another input.
    """
    return {name: _waves(shape, turn) for name, shape in shapes.items()}


def _waves(shape: tuple[int, ...], turn: float) -> Floats:
    total = np.zeros(shape, np.float32)
    for axis, side in enumerate(shape):
        # Whole turns that no two axes share: nothing in the picture repeats.
        wave = np.sin(np.linspace(0, (2 * axis + 3) * np.pi, side, dtype=np.float32) + axis + turn)
        total += wave.reshape([side if place == axis else 1 for place in range(len(shape))])
    return np.asarray(total / (2 * max(len(shape), 1)) + 0.5, np.float32)


def check_engine(engine: Engine, reference: Engine, *, least: float = LEAST) -> float:
    """Run an engine and the plain one on the same inputs.

    Two inputs take turns, several times: an engine that records its first runs must be seen replaying them.

    Args:
        engine: that is to go live.
        reference: the same network on the plain engine; same names and shapes.
        least: agreement in decibels that is asked for.

    Returns:
        The worst agreement over inputs and outputs, decibels; inf if they are equal.

    Raises:
        EngineError: an output is not finite, has one value only, or is too far from the reference.
    """
    inputs = [probe(engine.inputs, turn) for turn in _TURNS]
    expected = [{name: values.copy() for name, values in reference.run(feeds).items()} for feeds in inputs]
    worst = math.inf
    for _ in range(_ROUNDS):
        for feeds, wanted in zip(inputs, expected, strict=True):
            worst = min(worst, _agreement(engine, feeds, wanted))
            if worst < least:
                raise EngineError(
                    f"{engine.device} should agree with {reference.device} to {least:.0f} dB, "
                    f"it does to {worst:.1f} dB."
                )
    return worst


def _agreement(engine: Engine, feeds: Mapping[str, Floats], expected: Mapping[str, Floats]) -> float:
    results = engine.run(feeds)
    worst = math.inf
    for name, wanted in expected.items():
        got = results.get(name)
        if got is None or got.shape != wanted.shape:
            shape = "nothing" if got is None else got.shape
            raise EngineError(f"{engine.device} should give {name!r} of the shape {wanted.shape}, it gives {shape}.")
        if not np.isfinite(got).all():
            raise EngineError(f"{engine.device} gives numbers that are not finite in {name!r}.")
        if float(np.ptp(got)) < _FLAT < float(np.ptp(wanted)):
            raise EngineError(f"{engine.device} gives one value everywhere in {name!r}.")
        worst = min(worst, psnr(got, wanted))
    return worst
