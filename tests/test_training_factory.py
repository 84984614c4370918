"""Rendering in many processes: whatever ends the program ends its workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from livefake.faces.landmarks import SIDE
from livefake.resources import models_folder
from tests.headmaker import write_kit

_PROGRAM = """
import sys
from pathlib import Path
from livefake.training.factory import Order, render_shards

if __name__ == "__main__":
    kit, weights, mesh, folder = map(Path, sys.argv[1:])
    order = Order(kit=kit, weights=weights, mesh=mesh, folder=folder, shards=8, size=64, seed=0)
    for _ in render_shards(order, workers=1):
        pass
"""
_PATIENCE = 60.0


def _write_blind(path: Path) -> Path:
    """A landmark network that never finds a face, so that a shard is never finished."""
    nodes = [
        helper.make_node("ReduceMean", ["input_1"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Add", ["zero", "mesh"], ["conv2d_20"]),
        helper.make_node("Add", ["zero", "absent"], ["conv2d_30"]),
    ]
    constants = {
        "nothing": np.zeros(1),
        "mesh": np.random.default_rng(0).uniform(60, 120, (1, 1, 1, 1404)),
        "absent": np.full((1, 1, 1, 1), -9.0),
    }
    graph = helper.make_graph(
        nodes,
        "blind",
        [helper.make_tensor_value_info("input_1", TensorProto.FLOAT, [1, SIDE, SIDE, 3])],
        [
            helper.make_tensor_value_info("conv2d_20", TensorProto.FLOAT, [1, 1, 1, 1404]),
            helper.make_tensor_value_info("conv2d_30", TensorProto.FLOAT, [1, 1, 1, 1]),
        ],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def _workers_of(parent: int) -> list[int]:
    """The children of a process."""
    children = Path(f"/proc/{parent}/task/{parent}/children")
    return [int(word) for word in children.read_text().split()] if children.exists() else []


def _maps(pid: int) -> bool:
    """Whether a worker has opened the landmark network, and so renders."""
    return "openvino" in Path(f"/proc/{pid}/maps").read_text()


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Looks at processes through /proc, as Linux has it.")
@pytest.mark.slow
@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_the_program(way: signal.Signals, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM, "utf-8")
    parts = (
        write_kit(tmp_path / "kit"),
        _write_blind(tmp_path / "blind.onnx"),
        models_folder() / "mesh" / "triangles.npy",
        tmp_path / "pairs",
    )
    root = Path(__file__).resolve().parent.parent
    parent = subprocess.Popen(
        [sys.executable, str(program), *map(str, parts)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(root)},
        # A background job of a script would have Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    workers: list[int] = []
    try:
        end = time.monotonic() + _PATIENCE
        while not any(map(_maps, workers)):
            assert time.monotonic() < end, "the workers should have begun"
            assert parent.poll() is None
            time.sleep(0.05)
            workers = _workers_of(parent.pid)
        parent.send_signal(way)
        parent.wait(_PATIENCE)
        while any(map(_alive, workers)):
            assert time.monotonic() < end, "the workers should have ended"
            time.sleep(0.05)
    finally:
        for pid in workers:
            if _alive(pid):
                os.kill(pid, signal.SIGKILL)
        parent.kill()
        parent.wait()
