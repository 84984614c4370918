"""The trained network as an ONNX graph that every parser takes: plain operators, free batch and side.

Two things are folded into weights, exactly: the unshuffle before a 4 x 4 convolution makes one 8 x 8 convolution
with stride 4 of the two, and a choice of planes before a convolution becomes zeros in it. What is left are operators
that OpenVINO, onnxruntime and TensorRT (onnx-tensorrt, docs/operators.md) all list, and a fifth less time.
"""

from __future__ import annotations

import copy
import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import numpy_helper, shape_inference
from torch import nn

from livefake.errors import BadInput, EngineError
from livefake.training.nets import STEP, RefineNet, Widths

__all__ = [
    "INPUT",
    "OPERATORS",
    "OPSET",
    "OUTPUT",
    "Port",
    "Trained",
    "check_graph",
    "graph_of",
    "read_trained",
    "to_onnx",
    "widened",
]

OPSET: Final = 17
"""Of the ONNX operators: old enough for TensorRT 8.6, new enough for per-channel weights in QDQ form."""
INPUT: Final = "planes"
OUTPUT: Final = "made"
OPERATORS: Final = frozenset(
    {
        "Add",
        "AveragePool",
        "Cast",
        "Clip",
        "Concat",
        "Conv",
        "DepthToSpace",
        "Mul",
        "Relu",
        "Resize",
        "Sigmoid",
        "Slice",
        "Sub",
        "Transpose",
    }
)
"""What a graph may be made of; int8 adds QuantizeLinear and DequantizeLinear."""
_BATCH, _SIDE = "N", "S"


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a graph.

    Attributes:
        shape: that it is exported with; of no account for an output.
        free: names of the sides that stay free, beside the batch.
    """

    shape: tuple[int, ...]
    free: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network out of a checkpoint.

    Attributes:
        net: the averaged network, in float32 on the processor, ready to run.
        step: training steps it has seen.
        sha256: of the checkpoint.
    """

    net: RefineNet
    step: int
    sha256: str


def read_trained(path: Path) -> Trained:
    """The averaged network of a checkpoint; see ``Trainer.save``.

    Raises:
        BadInput: the file is not there, damaged, or of another network.
    """
    try:
        content = path.read_bytes()
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        net = RefineNet(Widths(**state["widths"]))
        net.load_state_dict(state["average"])
        step = int(state["clock"]["step"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(
            f"The checkpoint {path} should hold a swap network, it cannot be used: {reason}.",
            "Run: livefake train refine",
        ) from error
    return Trained(net.float().eval().requires_grad_(False), step, hashlib.sha256(content).hexdigest())


def to_onnx(net: nn.Module, channels: int, *, side: int | None = None, facts: Mapping[str, str]) -> onnx.ModelProto:
    """Make the graph.

    Args:
        net: takes (N, channels, S, S) float32, 0..1, returns (N, 4, S, S).
        channels: of the input.
        side: of the crops, pixels, a multiple of 32, for a static graph with batch 1; None leaves both free.
        facts: about the weights, kept in the file's metadata.

    Returns:
        A model with the input ``planes`` and the output ``made``, checked by ``check_graph``.

    Raises:
        BadInput: the side is no multiple of 32, or the network does not take that many channels.
        EngineError: the graph is not made of plain operators.
    """
    if side is not None and side % STEP:
        raise BadInput(f"The side of a crop should be a multiple of {STEP} pixels, got {side}.")
    free = {} if side else {2: _SIDE, 3: _SIDE}
    shape = (1, channels, side or 4 * STEP, side or 4 * STEP)
    ports = {INPUT: Port(shape, free), OUTPUT: Port((), free)}
    try:
        return graph_of(_without_unshuffle(net), ports, (OUTPUT,), facts=facts, batch=side is None)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise BadInput(f"The network should take {channels} planes, it does not: {reason}.") from error


def graph_of(
    net: nn.Module, ports: Mapping[str, Port], outputs: Sequence[str], *, facts: Mapping[str, str], batch: bool = True
) -> onnx.ModelProto:
    """Make the graph of a module.

    Args:
        net: to export.
        ports: its inputs and outputs by name, in the order of its arguments.
        outputs: which of them it returns, in order.
        facts: about the weights, kept in the file's metadata.
        batch: whether the first side is free.

    Returns:
        The model, checked by ``check_graph``.

    Raises:
        RuntimeError: the module does not take inputs of these shapes.
        EngineError: the graph is not made of plain operators.
    """
    inputs = [name for name in ports if name not in outputs]
    axes = {name: {**({0: _BATCH} if batch else {}), **port.free} for name, port in ports.items()}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that needs no further package tells at every call that there is a newer one.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        torch.onnx.export(
            net,
            tuple(torch.zeros(ports[name].shape) for name in inputs),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=list(outputs),
            dynamic_axes=axes if any(axes.values()) else None,
        )
    model = onnx.load_from_string(buffer.getvalue())
    _move_constants(model.graph, outputs)
    _fold_slices(model.graph, ports)
    del model.graph.value_info[:]
    model.producer_name, model.producer_version = "livefake", ""
    onnx.helper.set_model_props(model, dict(facts))
    check_graph(model)
    return shape_inference.infer_shapes(model, strict_mode=True)


def check_graph(model: onnx.ModelProto, *, more: frozenset[str] = frozenset()) -> None:
    """See that a model is valid and made of plain operators.

    Args:
        model: to look at.
        more: operators that it may have beside ``OPERATORS``.

    Raises:
        EngineError: it is not; the text names what is in the way.
    """
    other = {node.op_type for node in model.graph.node} - OPERATORS - more
    foreign = {item.domain for item in model.opset_import if item.domain not in ("", "ai.onnx")}
    if other or foreign:
        raise EngineError(f"The graph should be of plain operators, it has {', '.join(sorted(other | foreign))}.")
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, shape_inference.InferenceError) as error:
        raise EngineError(f"The graph is not valid ONNX: {error}") from error


def _without_unshuffle(net: nn.Module) -> nn.Module:
    """A copy in which PixelUnshuffle and the convolution behind it are one convolution."""
    net = copy.deepcopy(net)
    for parent in net.modules():
        if not isinstance(parent, nn.Sequential):
            continue
        for place, layer in enumerate(parent):
            if isinstance(layer, nn.PixelUnshuffle):
                following = parent[place + 1]
                holder = following if isinstance(following, nn.Sequential) else parent
                index = 0 if holder is following else place + 1
                holder[index] = widened(holder[index], layer.downscale_factor)
                parent[place] = nn.Identity()
    return net


def widened(conv: nn.Conv2d, block: int) -> nn.Conv2d:
    """The convolution of pixels that does what ``PixelUnshuffle(block)`` and this one do."""
    outward, folded, high, wide = conv.weight.shape
    inward = folded // block**2
    stride, padding = (tuple(one * block for one in part) for part in (conv.stride, conv.padding))
    wider = nn.Conv2d(inward, outward, (high * block, wide * block), stride, padding)
    # A folded channel is (plane, row in the block, column in the block); a kernel's place is (block, row in it).
    parts = conv.weight.data.reshape(outward, inward, block, block, high, wide).permute(0, 1, 4, 2, 5, 3)
    wider.weight.data = parts.reshape(wider.weight.shape).contiguous()
    wider.bias.data = conv.bias.data.clone()
    return wider


def _move_constants(graph: onnx.GraphProto, outputs: Sequence[str]) -> None:
    """Constant nodes become initialisers, which every parser folds; Identity nodes go."""
    kept, renamed = [], dict[str, str]()
    for node in graph.node:
        if node.op_type == "Constant":
            graph.initializer.append(numpy_helper.from_array(_value(node), node.output[0]))
        elif node.op_type == "Identity" and node.output[0] not in outputs:
            renamed[node.output[0]] = renamed.get(node.input[0], node.input[0])
        else:
            kept.append(node)
    for node in kept:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(kept)


def _value(node: onnx.NodeProto) -> Any:
    [attribute] = node.attribute
    return numpy_helper.to_array(attribute.t)


def _fold_slices(graph: onnx.GraphProto, ports: Mapping[str, Port]) -> None:
    """A convolution of some planes of the input becomes one of all planes, with zeros for the others."""
    arrays = {item.name: item for item in graph.initializer}
    for node in list(graph.node):
        if node.op_type != "Slice" or node.input[0] not in ports:
            continue
        starts, ends, axes = (numpy_helper.to_array(arrays[name]).tolist() for name in node.input[1:4])
        users = [user for user in graph.node if node.output[0] in user.input]
        if axes != [1] or any(user.op_type != "Conv" for user in users):
            continue
        given, channels = node.input[0], ports[node.input[0]].shape[1]
        first, last = starts[0], min(ends[0], channels)
        for user in users:
            weight = numpy_helper.to_array(arrays[user.input[1]])
            full = np.zeros((weight.shape[0], channels, *weight.shape[2:]), np.float32)
            full[:, first:last] = weight
            arrays[user.input[1]].CopyFrom(numpy_helper.from_array(full, user.input[1]))
            user.input[0] = given
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for item in [item for item in graph.initializer if item.name not in used]:
        graph.initializer.remove(item)
