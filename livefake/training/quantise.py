"""The network in int8 for processors: convolutions and sums only, and not where the picture is put together.

Weights have a scale per channel, activations one per layer that is measured on training crops. The last convolutions
stay in float: they are a twentieth of the work, and an error there is an error in the picture. Everything after them
stays in float too. See Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from livefake.engine import onnx as onnx_engine
from livefake.errors import EngineError
from livefake.frame import Floats
from livefake.training.crops import Difference, answers, compare, feeds_of
from livefake.training.export import check_graph

__all__ = ["LEAST", "Quantised", "float_layers", "quantise"]

LEAST: Final = 40.0
"""Decibels of the picture planes against float32 on people that were not learnt from: a mean error near 2 of 255."""
_QUANTISED: Final = ("Conv", "Add")
_MORE: Final = frozenset({"QuantizeLinear", "DequantizeLinear"})


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """A network in int8.

    Attributes:
        model: in QDQ form, with the names and shapes of the float one.
        floats: names of the convolutions that stayed in float.
        difference: from the float network on held-out crops.
    """

    model: onnx.ModelProto
    floats: tuple[str, ...]
    difference: Difference


class _Crops(CalibrationDataReader):
    def __init__(self, names: Sequence[str], crops: Sequence[Floats]) -> None:
        self._names, self._left = names, iter(crops)

    def get_next(self) -> dict[str, Floats] | None:
        crop = next(self._left, None)
        return None if crop is None else dict(feeds_of(self._names, crop))


def float_layers(graph: onnx.GraphProto) -> tuple[list[str], list[str]]:
    """What must not be quantised.

    Returns:
        Names of the last convolutions, those behind which there is no other; and of everything behind them.
    """
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)

    def behind(node: onnx.NodeProto) -> list[onnx.NodeProto]:
        found: dict[str, onnx.NodeProto] = {}
        left = [node]
        while left:
            for user in (user for name in left.pop().output for user in users.get(name, [])):
                if user.name not in found:
                    found[user.name] = user
                    left.append(user)
        return list(found.values())

    last, rest = [], dict[str, None]()
    for node in graph.node:
        if node.op_type == "Conv":
            following = behind(node)
            if all(other.op_type != "Conv" for other in following):
                last.append(node.name)
                rest |= dict.fromkeys(other.name for other in following)
    return last, list(rest)


def _ladder(graph: onnx.GraphProto) -> Iterator[list[str]]:
    """Convolutions that stay in float, the cheapest choice first: the last; those before them; those at the input."""
    floats, _ = float_layers(graph)
    makers = {name: node for node in graph.node for name in node.output}
    named = {node.name: node for node in graph.node}

    def before(node: onnx.NodeProto) -> Iterator[str]:
        for maker in (makers[name] for name in node.input if name in makers):
            if maker.op_type == "Conv":
                yield maker.name
            else:
                yield from before(maker)

    yield floats
    floats = [*floats, *dict.fromkeys(name for one in floats for name in before(named[one]))]
    yield floats
    first = (node.name for node in graph.node if node.op_type == "Conv" and not any(before(node)))
    yield [*floats, *(name for name in first if name not in floats)]


def quantise(
    model: onnx.ModelProto, calibration: Sequence[Floats], held_out: Sequence[Floats], *, least: float = LEAST
) -> Quantised:
    """Quantise, and judge the result. Layers go back to float, a few at a time, while the picture is too far off.

    Args:
        model: in float32, as ``to_onnx`` or ``to_folded`` makes it; it stays as it is.
        calibration: (1, C, S, S) float32 inputs of the training split, at least one.
        held_out: likewise of the test split.
        least: PSNR of the picture planes that is asked for, decibels.

    Raises:
        EngineError: the picture is too far off even so; the text tells by how much.
    """
    with tempfile.TemporaryDirectory(prefix="livefake-") as name:
        folder = Path(name)
        plain = folder / "plain.onnx"
        onnx.save(model, str(plain))
        reference = answers(onnx_engine.load(plain))
        best = float("-inf")
        for floats in _ladder(model.graph):
            path = folder / "int8.onnx"
            _quantise(plain, path, calibration, floats)
            difference = compare(answers(onnx_engine.load(path)), reference, held_out)
            if difference.picture >= least:
                made = onnx.load(str(path))
                check_graph(made, more=_MORE)
                onnx.helper.set_model_props(made, {item.key: item.value for item in model.metadata_props})
                return Quantised(made, tuple(floats), difference)
            best = max(best, difference.picture)
    raise EngineError(
        f"The int8 network should agree with the float one to {least:.1f} dB on crops of the test split, it does to "
        f"{best:.1f} dB.",
        "Calibrate with more crops, or train longer.",
    )


def _quantise(source: Path, target: Path, calibration: Sequence[Floats], floats: Sequence[str]) -> None:
    graph = onnx.load(str(source)).graph
    _, rest = float_layers(graph)
    with _quiet():
        quantize_static(
            str(source),
            str(target),
            _Crops([port.name for port in graph.input], calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTISED),
            nodes_to_exclude=[*floats, *rest],
            per_channel=True,
            # Seven bits a weight: processors without VNNI add products in 16 bits, which eight bits overflow.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice that onnxruntime logs to the root logger at every call."""
    root: Any = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
