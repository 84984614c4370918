"""How a face moved: pictures that stand still, and movements that repeat."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from livefake.trust.motion import Motion
from livefake.trust.prompts import Prompt
from livefake.trust.watch import Face
from tests.actor import SECOND, STEP, bump, make_face


def follow(face: Callable[[int], Face], count: int, step: int = STEP) -> tuple[bool, bool]:
    """Whether it was ever frozen, and ever a repeat."""
    motion, frozen, repeats = Motion(), False, False
    for index in range(count):
        motion.add(face(index), index * step)
        frozen |= motion.frozen
        repeats |= motion.repeats
    return frozen, repeats


def looping(period: float, step: int = STEP) -> Callable[[int], Face]:
    """Two gestures, over and over again, with new noise each time."""

    def face(index: int) -> Face:
        time = index * step / SECOND % period
        return make_face({Prompt.TURN_LEFT: bump(time, 1), Prompt.SMILE: bump(time, 3)}, seed=index)

    return face


def test_a_still_picture_is_frozen_after_two_seconds() -> None:
    assert follow(lambda index: make_face(seed=1), 20) == (False, False)
    assert follow(lambda index: make_face(seed=1), 22) == (True, False)


def test_a_camera_has_noise() -> None:
    assert follow(lambda index: make_face(seed=index), 300) == (False, False)


@pytest.mark.parametrize("period", [5.0, 6.37, 12.0])
@pytest.mark.parametrize("step", [STEP, STEP * 4 // 3, STEP * 2])
def test_a_loop_is_noticed(period: float, step: int) -> None:
    assert follow(looping(period, step), round((2 * period + 6) * SECOND / step), step)[1]


def test_people_never_repeat_themselves() -> None:
    for seed in range(10):
        random = np.random.default_rng(seed)
        starts = np.cumsum(random.uniform(2.2, 3.5, 12))
        sizes, lengths = random.uniform(0.8, 1.2, 12), random.uniform(0.9, 1.6, 12)
        drift = random.uniform(-3, 3, 40)

        def face(index: int, starts=starts, sizes=sizes, lengths=lengths, drift=drift) -> Face:  # type: ignore[no-untyped-def]
            time = index / 10
            level = sum(bump(time, *one) * size for *one, size in zip(starts, lengths, sizes, strict=True))
            lean = float(np.interp(time, np.arange(40), drift))
            return make_face({Prompt.TURN_LEFT: level, Prompt.LOOK_UP: lean / 20}, seed=index)

        assert follow(face, 350) == (False, False)
