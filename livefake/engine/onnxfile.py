"""What an .onnx file holds, read without running it: a file from elsewhere is looked through before an engine opens it.

Field numbers: ``onnx.proto3`` of ONNX 1.19.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from livefake.engine.wire import WireError, fields
from livefake.errors import EngineError

__all__ = ["LARGEST", "Summary", "summarise"]

LARGEST: Final = 2**31 - 1
"""Bytes of the largest file: more than a protocol buffer may have."""
_NODES: Final = 20_000
_PORTS: Final = 64
_SIDES: Final = 8
_HOME: Final = ("", "ai.onnx")
_CHANCE: Final = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"}
)
_FLOATS: Final[Mapping[int, Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
_BFLOAT: Final = 16
_PIECE: Final = 1 << 24


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file takes and gives.

    Attributes:
        inputs, outputs: sides by name, in the file's order; None for a side that is free. Weights are no inputs.
        kinds: element type of each input and output by name, as ONNX numbers them; 1 is float32.
        nodes: how many operators it has.
    """

    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: Mapping[str, tuple[int | None, ...]]
    kinds: Mapping[str, int]
    nodes: int


def summarise(path: Path) -> Summary:
    """Look an .onnx file through.

    Refused are operators that are not ONNX's own, operators that hold graphs (they could take another way for one
    performer than for the next), operators that draw by chance, weights in other files, and weights that are no
    numbers.

    Raises:
        EngineError: it cannot be read, is no ONNX file, or holds something that is refused.
    """
    try:
        size = path.stat().st_size
        if not 0 < size <= LARGEST:
            raise EngineError(f"{path.name} should be a model of up to 2 GiB, it has {size} bytes.")
        with path.open("rb") as file:
            # Not closed by hand: it goes with the last view of it, and an error on its way holds some.
            return _Reader().model(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise EngineError(f"{path.name} should be an ONNX model, and a name in it is no text.") from error
    except WireError as error:
        raise EngineError(f"{path.name} should be an ONNX model to run here, and {error}.") from error


class _Reader:
    def __init__(self) -> None:
        self._ports: dict[str, dict[str, tuple[int | None, ...]]] = {"input": {}, "output": {}}
        self._kinds: dict[str, int] = {}
        self._weights: set[str] = set()
        self._nodes = 0

    def model(self, content: memoryview) -> Summary:
        graphs = 0
        for number, value in fields(content):
            if number == 7:
                graphs += 1
                self._graph(_bytes(value))
            elif number in (20, 25):
                raise WireError("it holds functions or training steps of its own, which are not run here")
            elif number == 8:
                self._operators(_bytes(value))
        if graphs != 1 or not self._nodes:
            raise WireError("it holds no graph")
        inputs = {name: sides for name, sides in self._ports["input"].items() if name not in self._weights}
        return Summary(inputs, self._ports["output"], self._kinds, self._nodes)

    def _operators(self, content: memoryview) -> None:
        for number, value in fields(content):
            if number == 1:
                _home(_text(value))

    def _graph(self, content: memoryview) -> None:
        for number, value in fields(content):
            if number == 1:
                self._node(_bytes(value))
            elif number == 5:
                self._tensor(_bytes(value))
            elif number in (11, 12):
                self._port("input" if number == 11 else "output", _bytes(value))
            elif number == 15:
                raise WireError("it holds sparse weights, which are not run here")

    def _node(self, content: memoryview) -> None:
        self._nodes += 1
        if self._nodes > _NODES:
            raise WireError(f"it has more than {_NODES} operators")
        for number, value in fields(content):
            if number == 7:
                _home(_text(value))
            elif number == 4 and _text(value) in _CHANCE:
                raise WireError(f"its operator {_text(value)} draws by chance")
            elif number == 5:
                self._attribute(_bytes(value))

    def _attribute(self, content: memoryview) -> None:
        for number, value in fields(content):
            if number in (6, 11):
                raise WireError("it has operators that hold graphs, which are not run here")
            if number in (5, 10):
                self._tensor(_bytes(value))
            elif number in (22, 23):
                raise WireError("it holds sparse weights, which are not run here")

    def _tensor(self, content: memoryview) -> None:
        kind, parts = 0, []
        for number, value in fields(content):
            if number == 2 and isinstance(value, int):
                kind = value
            elif number == 8:
                self._weights.add(_text(value))
            elif number == 13 or (number == 14 and value != 0):
                raise WireError("its weights lie in another file")
            elif number in (4, 9, 10):
                parts.append((number, _bytes(value)))
        for number, part in parts:
            _check_numbers(part, {4: 1, 10: 11}.get(number, kind))

    def _port(self, side: str, content: memoryview) -> None:
        name, kind = "", 0
        sides: tuple[int | None, ...] = ()
        for number, value in fields(content):
            if number == 1:
                name = _text(value)
            elif number == 2:
                kind, sides = _type(_bytes(value))
        if name in self._ports[side] or (len(self._ports[side]) >= _PORTS and side == "output"):
            raise WireError("its inputs or outputs have one name twice, or are too many")
        self._ports[side][name], self._kinds[name] = sides, kind


def _type(content: memoryview) -> tuple[int, tuple[int | None, ...]]:
    kind: int = 0
    sides: list[int | None] = []
    for number, value in fields(content):
        if number != 1:
            continue
        for inner, part in fields(_bytes(value)):
            if inner == 1 and isinstance(part, int):
                kind = part
            elif inner == 2:
                sides += [_side(_bytes(dim)) for place, dim in fields(_bytes(part)) if place == 1]
    if len(sides) > _SIDES:
        raise WireError(f"an input or output has more than {_SIDES} sides")
    return kind, tuple(sides)


def _side(content: memoryview) -> int | None:
    for number, value in fields(content):
        if number == 1 and isinstance(value, int):
            # Negative numbers are free sides to some exporters.
            return value if 0 < value < 1 << 31 else None
    return None


def _check_numbers(content: memoryview, kind: int) -> None:
    if kind == _BFLOAT:
        for start in range(0, len(content) // 2 * 2, _PIECE):
            bits = np.frombuffer(content[start : min(start + _PIECE, len(content) // 2 * 2)], "<u2")
            if ((bits & 0x7F80) == 0x7F80).any():
                raise WireError("some of its weights are no numbers")
        return
    element = _FLOATS.get(kind)
    if element is None:
        return
    whole = len(content) // element.itemsize * element.itemsize
    for start in range(0, whole, _PIECE):
        if not np.isfinite(np.frombuffer(content[start : min(start + _PIECE, whole)], element)).all():
            raise WireError("some of its weights are no numbers")


def _home(domain: str) -> None:
    if domain not in _HOME:
        raise WireError(f"its operators of {domain[:60]!r} are not ONNX's own")


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise WireError("a field holds a number where bytes were expected")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)[:1000]).decode("utf-8")
