"""What an engine is, and the registry that picks one.

Engines are tried in the order of their registration; every refusal is remembered, so that a failure to load
names each engine and its reason instead of the last one only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from livefake.errors import EngineError
from livefake.frame import Floats

__all__ = ["ANY", "Choice", "Engine", "Loader", "Registry", "Shapes", "check_feeds"]

Shapes = Mapping[str, tuple[int, ...]]
"""Shape of each input or output by name."""
ANY = -1
"""A side in a shape that may have any length."""


class Engine(Protocol):
    """A network that is loaded and ready to run on one thread at a time."""

    @property
    def device(self) -> str:
        """What really runs it, in words: "openvino cpu", "onnxruntime cuda"."""
        ...

    @property
    def inputs(self) -> Shapes:
        """Shape of each input by name; ``ANY`` for a side that is free."""
        ...

    @property
    def outputs(self) -> Shapes:
        """Shape of each output by name; ``ANY`` for a side that is free."""
        ...

    def run(self, feeds: Mapping[str, Floats]) -> Mapping[str, Floats]:
        """One inference. The arrays returned are valid until the next call.

        Args:
            feeds: an array for every input, of the shape in ``inputs``, float32.

        Raises:
            EngineError: an input is missing or has another shape, or the run failed.
        """
        ...

    def sibling(self) -> Engine:
        """Another engine over the same weights, for another thread."""
        ...


class Loader(Protocol):
    """Opens a model file on one engine."""

    def __call__(self, path: Path, /, *, shapes: Shapes | None = None) -> Engine:
        """Open a model.

        Args:
            path: the model file.
            shapes: what the inputs shall have, for a model that leaves some sides free; None leaves them as they are.

        Raises:
            EngineError: this engine cannot run that.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The engine that was taken.

    Attributes:
        engine: ready to run.
        name: under which it was registered.
        refusals: why each engine before it was not taken, "'name': reason".
    """

    engine: Engine
    name: str
    refusals: tuple[str, ...]


class Registry:
    """Engines by name, in the order in which they are tried.

    >>> from livefake.engine import openvino
    >>> engines = Registry()
    >>> engines.register("openvino", openvino.load)
    >>> engine = engines.load(Path("face_landmark.tflite"))    # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._loaders: dict[str, Loader] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._loaders)

    def register(self, name: str, loader: Loader) -> None:
        """Add an engine after those that are there.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._loaders:
            raise ValueError(f"an engine named {name!r} is registered already")
        self._loaders[name] = loader

    def load(self, path: Path, *, shapes: Shapes | None = None) -> Engine:
        """Load a model file with the first engine that accepts it; see ``choose``."""
        return self.choose(path, shapes=shapes).engine

    def choose(
        self, path: Path, *, shapes: Shapes | None = None, test: Callable[[Engine], object] | None = None
    ) -> Choice:
        """Load a model file with the first engine that accepts it and passes the test.

        Args:
            path: the model file.
            shapes: see ``Loader``.
            test: raises an ``EngineError`` for an engine that must not go live.

        Raises:
            EngineError: none did; the text gives each one's reason.
        """
        refusals: list[str] = []
        for name, loader in self._loaders.items():
            try:
                engine = loader(path, shapes=shapes)
                if test is not None:
                    test(engine)
            except EngineError as refusal:
                refusals.append(f"'{name}': {refusal.problem}")
            else:
                return Choice(engine, name, tuple(refusals))
        reasons = "; ".join(refusals) or "no engine is registered"
        raise EngineError(f"No engine could load {path.name}: {reasons}.", "Run: livefake doctor")


def check_feeds(feeds: Mapping[str, Floats], inputs: Shapes) -> None:
    """Compare arrays with what a model expects; shared by the engines.

    Raises:
        EngineError: names the first input that is missing, unknown, or of another shape.
    """
    unknown = feeds.keys() ^ inputs.keys()
    if unknown:
        raise EngineError(f"The model takes {sorted(inputs)}, got {sorted(feeds)}.")
    for name, expected in inputs.items():
        shape = feeds[name].shape
        if len(shape) != len(expected) or any(ANY != side != got for side, got in zip(expected, shape, strict=True)):
            raise EngineError(f"Input {name!r} has the shape {expected}, got {shape}.")
