"""Small networks as .onnx files, for tests of what runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_dynamic(path: Path, *, scale: float = 1.0, channels: int = 3) -> Path:
    """made = relu(conv(planes)) on (N, channels, S, S), with N and S free."""
    random = np.random.default_rng(0)
    weight = random.uniform(-0.1, 0.3, (4, channels, 3, 3)).astype(np.float32) * scale
    nodes = [
        helper.make_node("Conv", ["planes", "weight"], ["sums"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["sums"], ["made"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("planes", TensorProto.FLOAT, ["N", channels, "S", "S"])],
        [helper.make_tensor_value_info("made", TensorProto.FLOAT, ["N", 4, "S", "S"])],
        [numpy_helper.from_array(weight, "weight")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path
