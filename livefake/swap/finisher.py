"""The swap network on one crop, in either of its forms."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from livefake.engine.base import ANY, Engine
from livefake.engine.factory import fixed_shapes
from livefake.engine.onnxfile import summarise
from livefake.errors import EngineError
from livefake.frame import Bytes, Floats
from livefake.swap.finish import split_change
from livefake.swap.folded import BLOCK, CELL, KEEP, Folded, folded_shapes, put_together, spread_change
from livefake.swap.guide import CHANNELS

__all__ = ["Finisher", "swap_shapes"]


def swap_shapes(path: Path, side: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the inputs of a swap network in a file, for crops of one size.

    Args:
        path: an .onnx file.
        side: of the crop, pixels, a multiple of 32.

    Raises:
        EngineError: it is no such file.
    """
    folded, declared = folded_shapes(side), summarise(path).inputs
    if declared.keys() == folded.keys():
        return folded
    free = {name: tuple(ANY if one is None else one for one in sides) for name, sides in declared.items()}
    return fixed_shapes(free, side=side)


class _Form(Protocol):
    def picture(self, planes: Bytes) -> Floats: ...

    def change(self, planes: Bytes) -> tuple[tuple[Floats, Floats, Floats], Floats]: ...


class Finisher:
    """The swap network on one crop.

    Args:
        engine: used from one thread. It takes (1, 14, S, S) and returns (1, 4, S, S) float32, 0..1, or has the form of
            ``livefake.swap.folded``.

    Raises:
        EngineError: the model has other inputs or outputs.
    """

    def __init__(self, engine: Engine) -> None:
        inputs, outputs = dict(engine.inputs), dict(engine.outputs)
        shape = next(iter(inputs.values()), ())
        folded = inputs.keys() == folded_shapes(CELL).keys()
        self.size = inputs["cells"][-1] * CELL if folded else shape[-1] if shape else 0
        side = (self.size, self.size)
        if folded:
            small, blocks = ((self.size // part, self.size // part) for part in (CELL, BLOCK))
            fits = inputs == folded_shapes(self.size)
            fits &= outputs == {"skin": (1, 3, *small), "fine": (1, *blocks, 3 * BLOCK**2), "mask": (1, 1, *side)}
        else:
            fits = list(inputs.values()) == [(1, CHANNELS, *side)] and list(outputs.values()) == [(1, 4, *side)]
        if not fits:
            raise EngineError(
                f"A swap network takes (1, {CHANNELS}, S, S) and returns (1, 4, S, S), this one takes "
                f"{list(inputs.values())} and returns {list(outputs.values())}.",
                "Use weights that this version of livefake has exported.",
            )
        self._form: _Form = _FoldedForm(engine, self.size) if folded else _PlainForm(engine, self.size)

    def __call__(self, planes: Bytes) -> Floats:
        """Make the picture.

        Args:
            planes: (14, S, S) uint8, as ``net_planes`` makes them.

        Returns:
            (4, S, S) float32, 0..1: blue, green, red and mask; valid until the next call.
        """
        return self._form.picture(planes)

    def change(self, planes: Bytes) -> tuple[tuple[Floats, Floats, Floats], Floats]:
        """What the network changes of the guide, in luma and chroma: less work than the picture.

        Args:
            planes: (14, S, S) uint8, as ``net_planes`` makes them.

        Returns:
            Levels of Y, (S, S), of U and of V, (S / 2, S / 2), to add; and the mask, (S, S), 0..1; all float32, the
            mask valid until the next call.
        """
        return self._form.change(planes)


class _PlainForm:
    def __init__(self, engine: Engine, side: int) -> None:
        self._engine = engine
        self._input, self._output = next(iter(engine.inputs)), next(iter(engine.outputs))
        self._planes = np.empty((1, CHANNELS, side, side), np.float32)

    def picture(self, planes: Bytes) -> Floats:
        np.multiply(planes, np.float32(1 / 255), out=self._planes[0], casting="unsafe")
        made: Floats = self._engine.run({self._input: self._planes})[self._output][0]
        return made

    def change(self, planes: Bytes) -> tuple[tuple[Floats, Floats, Floats], Floats]:
        made, side = np.ascontiguousarray(self.picture(planes)), planes.shape[1]
        luma, blueness, redness = (np.empty((size, size), np.float32) for size in (side, side // 2, side // 2))
        split_change(made[:3], planes[:3], luma, blueness, redness)
        return (luma, blueness, redness), made[3]


class _FoldedForm:
    def __init__(self, engine: Engine, side: int) -> None:
        self._engine, self._fold = engine, Folded(side)

    def picture(self, planes: Bytes) -> Floats:
        return put_together(planes, self._engine.run(self._fold(planes)))

    def change(self, planes: Bytes) -> tuple[tuple[Floats, Floats, Floats], Floats]:
        results = self._engine.run(self._fold(planes))
        skin, fine = (np.ascontiguousarray(results[name][0]) for name in ("skin", "fine"))
        return spread_change(skin, fine, planes[KEEP]), np.asarray(results["mask"][0, 0], np.float32)
