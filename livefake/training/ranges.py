"""How large the numbers inside a network become: beyond 65504 float16 is infinite."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from livefake.engine.onnx import load
from livefake.errors import EngineError
from livefake.frame import Floats
from livefake.training.export import INPUT, OUTPUT
from livefake.training.half import LARGEST

__all__ = ["check_ranges", "largest_value"]

_GROWS: Final = frozenset({"Add", "Conv", "Mul", "Sub"})
"""Operators whose result can be larger than what they are given."""
_ROOM: Final = 8.0
"""Other pictures than those looked at may drive a layer further."""


def largest_value(model: onnx.ModelProto, crops: Sequence[Floats]) -> tuple[str, float]:
    """The layer with the largest numbers, and the largest magnitude there.

    Args:
        model: in float32; it stays as it is.
        crops: (1, C, S, S) float32 inputs, at least one.
    """
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    names = [node.output[0] for node in open_model.graph.node if node.op_type in _GROWS and node.output[0] != OUTPUT]
    open_model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    with tempfile.TemporaryDirectory(prefix="livefake-") as folder:
        path = Path(folder) / "open.onnx"
        onnx.save(open_model, str(path))
        engine = load(path)
        most = dict.fromkeys(names, 0.0)
        for crop in crops:
            results = engine.run({INPUT: crop})
            for name in names:
                most[name] = max(most[name], float(np.abs(results[name]).max()))
    name = max(most, key=lambda one: most[one])
    return name, most[name]


def check_ranges(model: onnx.ModelProto, crops: Sequence[Floats]) -> float:
    """See that nothing comes near the end of float16, with room for pictures that were not looked at.

    Returns:
        The largest magnitude.

    Raises:
        EngineError: a layer comes too near.
    """
    name, value = largest_value(model, crops)
    if not value * _ROOM < LARGEST:
        raise EngineError(
            f"The layer {name} should stay below {LARGEST / _ROOM:.0f} for float16, it reaches {value:.0f}.",
            "Train with weight decay, or ship float32.",
        )
    return value
