"""A graph in float16 for GPUs: half the size, and arithmetic that tensor cores do. Input and output stay float32."""

from __future__ import annotations

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from livefake.errors import EngineError
from livefake.training.export import INPUT, OUTPUT, check_graph

__all__ = ["LARGEST", "halved"]

LARGEST: Final = float(np.finfo(np.float16).max)
"""Beyond this float16 is infinite."""
_KEPT: Final = {"Resize": (1, 2)}
"""Inputs that are float32 whatever the data are."""


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model in float16 between its float32 input and output.

    Args:
        model: in float32, as ``to_onnx`` makes it; it stays as it is.

    Raises:
        EngineError: a weight lies beyond what float16 holds.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    del graph.value_info[:]
    kept = {
        node.input[place] for node in graph.node for place in _KEPT.get(node.op_type, ()) if place < len(node.input)
    }
    for item in graph.initializer:
        if item.data_type != TensorProto.FLOAT or item.name in kept:
            continue
        values = numpy_helper.to_array(item)
        if np.abs(values).max(initial=0) > LARGEST:
            raise EngineError(f"The weights {item.name} should lie within {LARGEST:.0f} for float16, they do not.")
        item.CopyFrom(numpy_helper.from_array(values.astype(np.float16), item.name))
    inner = {INPUT: f"{INPUT}_half", OUTPUT: f"{OUTPUT}_half"}
    for node in graph.node:
        node.input[:] = [inner.get(name, name) for name in node.input]
        node.output[:] = [inner.get(name, name) for name in node.output]
    graph.node.insert(0, helper.make_node("Cast", [INPUT], [inner[INPUT]], "to_half", to=TensorProto.FLOAT16))
    graph.node.append(helper.make_node("Cast", [inner[OUTPUT]], [OUTPUT], "to_float", to=TensorProto.FLOAT))
    check_graph(half)
    return shape_inference.infer_shapes(half, strict_mode=True)
