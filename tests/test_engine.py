from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from livefake.engine import onnx as onnx_engine
from livefake.engine import openvino
from livefake.engine.base import Engine, Registry, Shapes
from livefake.errors import EngineError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """y = 2 x + 1 on (1, 4)."""
    numbers = [helper.make_tensor(name, TensorProto.FLOAT, [1], [value]) for name, value in (("two", 2), ("one", 1))]
    nodes = [helper.make_node("Mul", ["x", "two"], ["d"]), helper.make_node("Add", ["d", "one"], ["y"])]
    shape = [1, 4]
    graph = helper.make_graph(
        nodes,
        "line",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        numbers,
    )
    path = tmp_path_factory.mktemp("engine") / "line.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


@pytest.fixture(params=[openvino.load, onnx_engine.load], ids=["openvino", "onnxruntime"])
def engine(request: pytest.FixtureRequest, model: Path) -> Engine:
    loaded: Engine = request.param(model)
    return loaded


X = np.array([[0, 1, 2, 3]], np.float32)


def test_engines_agree_on_names_shapes_and_numbers(engine: Engine) -> None:
    assert engine.inputs == {"x": (1, 4)}
    assert engine.outputs == {"y": (1, 4)}
    assert engine.run({"x": X})["y"].tolist() == [[1, 3, 5, 7]]
    assert engine.device in ("openvino cpu", "onnxruntime cpu")


def test_a_sibling_does_not_share_results(engine: Engine) -> None:
    sibling = engine.sibling()
    first = engine.run({"x": X})["y"]
    sibling.run({"x": X * 10})
    assert first.tolist() == [[1, 3, 5, 7]]


@pytest.mark.parametrize(
    ("feeds", "problem"),
    [({}, "takes"), ({"x": X, "z": X}, "takes"), ({"x": X[:, :3]}, r"has the shape \(1, 4\), got \(1, 3\)")],
)
def test_wrong_feeds_are_told(engine: Engine, feeds: dict[str, np.ndarray], problem: str) -> None:
    with pytest.raises(EngineError, match=problem):
        engine.run(feeds)


def test_the_registry_takes_the_first_that_loads_and_tells_all_refusals(model: Path, tmp_path: Path) -> None:
    def refuse(path: Path, /, *, shapes: Shapes | None = None) -> Engine:
        raise EngineError("It needs a GPU.")

    registry = Registry()
    registry.register("gpu", refuse)
    registry.register("openvino", openvino.load)
    assert registry.load(model).device == "openvino cpu"
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"'gpu': It needs a GPU\.; 'openvino': OpenVINO could not load broken"):
        registry.load(broken)
    with pytest.raises(ValueError, match="registered already"):
        registry.register("gpu", refuse)


def test_onnxruntime_does_not_pretend_to_use_a_gpu(model: Path) -> None:
    with pytest.raises(EngineError, match="CUDAExecutionProvider"):
        onnx_engine.load(model, providers=("CUDAExecutionProvider", "CPUExecutionProvider"))
