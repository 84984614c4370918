"""The swap network's form for processors: the same picture as the plain one, out of other arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from livefake.engine.base import Shapes
from livefake.errors import EngineError
from livefake.frame import Bytes, Floats
from livefake.swap.finish import split_change
from livefake.swap.finisher import Finisher
from livefake.swap.folded import Folded, folded_shapes, put_together, spread_change

SIDE = 64


def some_planes(seed: int = 0) -> Bytes:
    return np.random.default_rng(seed).integers(60, 190, (14, SIDE, SIDE), np.uint8)


def some_results(seed: int = 1, *, strength: float = 0.1) -> dict[str, Floats]:
    random = np.random.default_rng(seed)
    shapes = {"skin": (1, 3, SIDE // 8, SIDE // 8), "fine": (1, SIDE // 4, SIDE // 4, 48)}
    results = {name: random.uniform(-strength, strength, shape).astype(np.float32) for name, shape in shapes.items()}
    return results | {"mask": random.uniform(0, 1, (1, 1, SIDE, SIDE)).astype(np.float32)}


class Still:
    """An engine that gives the same whatever it is given."""

    device = "nothing"

    def __init__(self, inputs: Shapes, results: Mapping[str, Floats]) -> None:
        self.inputs, self._results = inputs, results
        self.outputs: Shapes = {name: values.shape for name, values in results.items()}

    def run(self, feeds: Mapping[str, Floats]) -> Mapping[str, Floats]:
        assert {name: values.shape for name, values in feeds.items()} == self.inputs
        return self._results

    def sibling(self) -> Still:
        return self


def test_blocks_hold_the_planes_pixel_by_pixel_with_zeros_around() -> None:
    planes = some_planes()
    blocks = Folded(SIDE)(planes)
    around = np.pad(planes, ((0, 0), (2, 2), (2, 2))).astype(np.float32) / 255
    size = SIDE // 4 + 1
    wanted = around.reshape(14, size, 4, size, 4).transpose(1, 3, 0, 2, 4).reshape(size, size, 14 * 16)
    assert np.allclose(blocks["seen"][0], wanted[..., : 11 * 16])
    assert np.allclose(blocks["front"][0], wanted[..., 10 * 16 :])
    means = planes[:6].reshape(6, SIDE // 8, 8, SIDE // 8, 8).mean((2, 4)) / 255
    assert np.allclose(blocks["cells"][0], means, atol=1e-5)


def test_memory_of_the_input_is_used_again_and_nothing_of_the_last_crop_stays() -> None:
    fold = Folded(SIDE)
    fold(some_planes(1))
    again = {name: values.copy() for name, values in fold(some_planes(2)).items()}
    fresh = Folded(SIDE)(some_planes(2))
    assert all(np.array_equal(again[name], fresh[name]) for name in fresh)


def test_the_change_is_that_of_the_picture_that_is_put_together() -> None:
    planes, results = some_planes(), some_results()
    planes[9, :, : SIDE // 2] = 0
    planes[9, :, SIDE // 2 :] = 255
    made = put_together(planes, results)
    plain = [np.empty((size, size), np.float32) for size in (SIDE, SIDE // 2, SIDE // 2)]
    split_change(np.ascontiguousarray(made[:3]), planes[:3], *plain)
    changes = spread_change(results["skin"][0], results["fine"][0], planes[9])
    for change, wanted in zip(changes, plain, strict=True):
        # Where skin meets what is free, chroma is mixed a pixel earlier or later.
        inside = np.ones_like(wanted, bool)
        middle = wanted.shape[1] // 2
        inside[:, middle - 1 : middle + 1] = False
        assert np.abs(change - wanted)[inside].max() < 0.35


def test_a_finisher_takes_both_forms_and_gives_the_same() -> None:
    planes, results = some_planes(), some_results()
    made = put_together(planes, results)
    folded = Finisher(Still(folded_shapes(SIDE), results))
    plain = Finisher(Still({"planes": (1, 14, SIDE, SIDE)}, {"made": made[None]}))
    assert folded.size == plain.size == SIDE
    assert np.array_equal(folded(planes), plain(planes))
    (one, *_), mask = folded.change(planes)
    (other, *_), wanted = plain.change(planes)
    assert np.abs(one - other).mean() < 0.05
    assert np.array_equal(mask, wanted)


def test_blocks_of_another_size_than_the_cells_are_refused() -> None:
    shapes = folded_shapes(SIDE) | {"cells": (1, 6, 16, 16)}
    with pytest.raises(EngineError, match="A swap network takes"):
        Finisher(Still(shapes, some_results()))
