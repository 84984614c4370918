"""The general network to start from: out of a training checkpoint or out of an exported ONNX file.

The exporter keeps the names of the weights, folds the unshuffle before a convolution into its kernel, and pads a
convolution that sees some planes with zeros for the others. All of that is undone here, exactly.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from livefake.errors import BadInput, LivefakeError
from livefake.frame import Floats
from livefake.training.nets import RefineNet, Widths

__all__ = ["read_network", "widths_of"]

_LAST: Final = "mask.1.weight"
_FIRST: Final = {
    "quarter": "stem.1.0.weight",
    "eighth": "down_eighth.0.0.weight",
    "sixteenth": "down_sixteenth.0.0.weight",
    "deepest": "deep.0.0.weight",
    "edge": "edge.1.0.weight",
}
"""A weight of each level whose first dimension is the level's width."""
_FOLD: Final = "fold."
_SHARE: Final = "share"
"""What networks of earlier versions do not have: they had no folds, and showed all of their change on skin."""
_FLOATS: Final = (1, 10)
"""ONNX numbers of float32 and float16."""
_REMEDY: Final = "Give a checkpoint.pt of livefake train refine, or a float32 or float16 ONNX file made from one."


def read_network(path: Path) -> RefineNet:
    """Read a swap network.

    Args:
        path: a checkpoint (``.pt``, its averaged network is taken) or an ONNX file with float32 or float16 weights.

    Returns:
        The network, float32, on the processor, ready to run.

    Raises:
        BadInput: the file is missing, damaged, quantised, of another network, or a weight is not finite.
        LivefakeError: an ONNX file was given and the onnx package is not installed.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"The network {path} cannot be read: {error}.", _REMEDY) from error
    try:
        widths, state = _from_onnx(content) if path.suffix == ".onnx" else _from_checkpoint(content)
        net = RefineNet(widths)
        net.load_state_dict(state)
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).strip().replace("\n", " ")[:200]
        raise BadInput(f"{path} should hold a swap network, it cannot be used: {reason}.", _REMEDY) from error
    if broken := [name for name, values in net.state_dict().items() if not bool(torch.isfinite(values).all())]:
        raise BadInput(f"{path} should hold finite weights, {broken[0]} is not.", _REMEDY)
    ready: RefineNet = net.float().eval()
    return ready


def widths_of(net: RefineNet) -> Widths:
    """The widths that a network was made with."""
    state = net.state_dict()
    return _widths({name: tuple(values.shape) for name, values in state.items()})


def _widths(shapes: Mapping[str, tuple[int, ...]]) -> Widths:
    """The widths that weights have, folded or not."""
    stem = shapes[_FIRST["quarter"]][-1]
    # Unfolded, 3 are blocks of 4 pixels and 4 are blocks of 2.
    side = {3: 12, 4: 8}.get(stem, stem)
    return Widths(**{level: shapes[name][0] for level, name in _FIRST.items()}, stem=side, last=shapes[_LAST][-1])


def _from_checkpoint(content: bytes) -> tuple[Widths, dict[str, Any]]:
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return Widths(**state["widths"]), state["average"]


def _from_onnx(content: bytes) -> tuple[Widths, dict[str, Any]]:
    arrays = _initialisers(content)
    if missing := [name for name in (*_FIRST.values(), _LAST) if name not in arrays]:
        raise ValueError(f"there are no float weights named {missing[0]}")
    widths = _widths({name: values.shape for name, values in arrays.items()})
    wanted = {name: tuple(values.shape) for name, values in RefineNet(widths).state_dict().items()}
    return widths, {name: torch.from_numpy(_fitted(name, arrays, shape)) for name, shape in wanted.items()}


def _initialisers(content: bytes) -> dict[str, Floats]:
    """Float weights by name; those that a Cast makes into float32 under the name of its result too."""
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise LivefakeError(
            f"Reading an ONNX file needs the onnx package ({error}).", "Run: pip install 'livefake[export]'"
        ) from error
    try:
        graph = onnx.load_from_string(content).graph
    except Exception as error:  # protobuf's DecodeError, whose module has no types
        raise ValueError(f"it is no ONNX file ({error})") from error
    arrays: dict[str, Floats] = {
        item.name: np.array(onnx.numpy_helper.to_array(item), np.float32)
        for item in graph.initializer
        if item.data_type in _FLOATS
    }
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in arrays:
            arrays[node.output[0]] = arrays[node.input[0]]
    return arrays


def _fitted(name: str, arrays: Mapping[str, Floats], shape: tuple[int, ...]) -> Floats:
    """The weight as the network has it, folding undone."""
    if name not in arrays and (name == _SHARE or name.startswith(_FOLD)):
        return np.full(shape, name == _SHARE, np.float32)
    if name not in arrays:
        raise ValueError(f"there are no float weights named {name}")
    found = arrays[name]
    if found.shape != shape and name in (_FIRST["quarter"], _FIRST["edge"]):
        found = _unfolded(name, found, shape)
    if found.shape != shape:
        raise ValueError(f"{name} should be {shape}, it is {found.shape}")
    return np.ascontiguousarray(found)


def _unfolded(name: str, wide: Floats, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """From a kernel over whole planes to one over unshuffled planes."""
    outward, folded, high, broad = shape
    block = wide.shape[2] // high
    planes = folded // block**2
    # The picture's convolution sees the first planes of the input, the edge's the last ones.
    seen = slice(0, planes) if name == _FIRST["quarter"] else slice(wide.shape[1] - planes, wide.shape[1])
    rest = np.delete(wide, seen, axis=1)
    if np.any(rest):
        raise ValueError(f"{name} looks at planes that this network does not give it")
    # A folded channel is (plane, row in the block, column in the block); a place in the kernel is (block, row in it).
    parts = wide[:, seen].reshape(outward, planes, high, block, broad, block)
    return parts.transpose(0, 1, 3, 5, 2, 4).reshape(shape)
