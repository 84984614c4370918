"""Engine on onnxruntime: .onnx files on TensorRT, CUDA, or the processor.

Which providers the installed package lists says nothing about what runs: a session falls back silently. So
the device is read back from the session that was made.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final

import numpy as np

from livefake.engine.base import ANY, Engine, Shapes, check_feeds
from livefake.errors import EngineError
from livefake.frame import Floats

__all__ = ["CPU", "CUDA", "TENSORRT", "Bound", "Onnx", "free_sides", "load"]

TENSORRT: Final = "TensorrtExecutionProvider"
CUDA: Final = "CUDAExecutionProvider"
CPU: Final = "CPUExecutionProvider"
_GRAPH: Final = "trt_cuda_graph_enable"
_WORDS: Final = {TENSORRT: "tensorrt", CUDA: "cuda", CPU: "cpu"}


def load(
    path: Path,
    *,
    shapes: Shapes | None = None,
    providers: Sequence[str] = (CPU,),
    options: Mapping[str, Mapping[str, str]] | None = None,
) -> Engine:
    """Open an .onnx file.

    Args:
        path: the model file.
        shapes: see ``Loader``.
        providers: onnxruntime's names, best first; the first one must really be used.
        options: of the providers, by their names.

    Raises:
        EngineError: onnxruntime is missing, cannot read the file, or fell back to another provider; or the model
            does not take these shapes.
    """
    if path.suffix != ".onnx":
        raise EngineError(f"onnxruntime reads .onnx files, got {path.name}.")
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError(f"onnxruntime cannot be imported ({error}).", "Run: pip install 'livefake[gpu]'") from error
    missing = [name for name in providers if name not in onnxruntime.get_available_providers()]
    if missing:
        raise EngineError(f"The installed onnxruntime has no {', '.join(missing)}.")
    if providers[0] != CPU:
        _find_libraries(onnxruntime, providers[0])
    sides: dict[str, int] = {}
    if shapes is not None:
        # The names of the free sides are needed before the session is made; a look at the file costs milliseconds.
        look = onnxruntime.SessionOptions()
        look.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        glance = _session(onnxruntime, path, look, [(CPU, {})])
        sides = free_sides({port.name: tuple(port.shape) for port in glance.get_inputs()}, shapes)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    # Idle threads that spin would take the second core from the decoder and the encoder.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, length in sides.items():
        settings.add_free_dimension_override_by_name(name, length)
    chosen = options or {}
    session = _session(onnxruntime, path, settings, [(name, dict(chosen.get(name, {}))) for name in providers])
    used = session.get_providers()
    if used[0] != providers[0]:
        raise EngineError(f"onnxruntime fell back from {providers[0]} to {used[0]}.")
    if chosen.get(providers[0], {}).get(_GRAPH) != "True":
        return Onnx(session, sides)
    return Bound(session, sides, "cuda", lambda: load(path, shapes=shapes, providers=providers, options=options))


def free_sides(declared: Mapping[str, tuple[int | str | None, ...]], wanted: Shapes) -> dict[str, int]:
    """What each named side of a model must be for its inputs to have the wanted shapes.

    Args:
        declared: shapes of the inputs; a string is the name of a side that is free, None a free one without a name.
        wanted: shapes of the inputs.

    Raises:
        EngineError: the inputs are others, a side that is not free differs, or one name would need two lengths.
    """
    if declared.keys() != wanted.keys():
        raise EngineError(f"The model takes {sorted(declared)}, shapes are given for {sorted(wanted)}.")
    sides: dict[str, int] = {}
    for name, shape in declared.items():
        fits = len(shape) == len(wanted[name])
        for side, length in zip(shape, wanted[name], strict=False):
            known = sides.setdefault(side, length) if isinstance(side, str) else side
            fits = fits and known in (None, length)
        if not fits:
            raise EngineError(f"Input {name!r} has the shape {shape}, it cannot be {wanted[name]}.")
    return sides


def _session(runtime: Any, path: Path, settings: Any, providers: list[tuple[str, dict[str, str]]]) -> Any:
    settings.log_severity_level = 3
    try:
        return runtime.InferenceSession(str(path), settings, providers=providers)
    except Exception as error:  # onnxruntime raises a class of its own for each status code, without a common base
        raise EngineError(f"onnxruntime could not load {path.name}: {error}") from error


def _find_libraries(runtime: Any, provider: str) -> None:
    """Load NVIDIA's libraries from their Python packages: onnxruntime itself looks in the system's folders only."""
    if hasattr(runtime, "preload_dlls"):
        # It prints what it does not find; the system may have that, and the session tells whether it does.
        with redirect_stdout(io.StringIO()):
            runtime.preload_dlls()
    if provider == TENSORRT:
        try:
            importlib.import_module("tensorrt")
        except ImportError:
            return  # likewise


class Onnx:
    """An onnxruntime session with float32 inputs.

    Args:
        session: an ``onnxruntime.InferenceSession``; it may be run from several threads.
        sides: lengths that were given to free sides, by their names.
    """

    def __init__(self, session: Any, sides: Mapping[str, int] | None = None) -> None:
        self._session = session
        self._sides = dict(sides or {})
        provider = session.get_providers()[0]
        self.device = f"onnxruntime {_WORDS.get(provider, provider)}"
        self.inputs: Shapes = {port.name: self._shape(port) for port in session.get_inputs()}
        self.outputs: Shapes = {port.name: self._shape(port) for port in session.get_outputs()}

    def _shape(self, port: Any) -> tuple[int, ...]:
        return tuple(side if isinstance(side, int) else self._sides.get(side, ANY) for side in port.shape)

    def run(self, feeds: Mapping[str, Floats]) -> Mapping[str, Floats]:
        """One inference; see ``Engine.run``."""
        check_feeds(feeds, self.inputs)
        names = list(self.outputs)
        try:
            results = self._session.run(names, dict(feeds))
        except Exception as error:  # as in load: no common base class
            raise EngineError(f"onnxruntime failed while running: {error}") from error
        return dict(zip(names, results, strict=True))

    def sibling(self) -> Engine:
        """An engine over the same session: onnxruntime's ``run`` may be called from several threads."""
        return Onnx(self._session, self._sides)


class Bound:
    """A session whose inputs and outputs stay at fixed places of the device, as the replay of a CUDA graph needs.

    A replayed graph reads where it read when it was recorded: arrays that are handed to ``run`` elsewhere would be
    ignored. For the same reason a session cannot serve two threads, and a sibling is a session of its own.

    Args:
        session: an ``onnxruntime.InferenceSession`` with static shapes.
        sides: see ``Onnx``.
        place: onnxruntime's name of the device, "cuda" or "cpu".
        again: opens the same model once more.
    """

    def __init__(self, session: Any, sides: Mapping[str, int], place: str, again: Callable[[], Engine]) -> None:
        from onnxruntime import OrtValue

        plain = Onnx(session, sides)
        self.device, self.inputs, self.outputs = plain.device, plain.inputs, plain.outputs
        self._session, self._again = session, again
        self._binding = session.io_binding()

        def room(shape: tuple[int, ...]) -> Any:
            return OrtValue.ortvalue_from_shape_and_type(list(shape), np.float32, place, 0)

        self._given = {name: room(shape) for name, shape in self.inputs.items()}
        self._made = {name: room(shape) for name, shape in self.outputs.items()}
        for name, value in self._given.items():
            self._binding.bind_ortvalue_input(name, value)
        for name, value in self._made.items():
            self._binding.bind_ortvalue_output(name, value)

    def run(self, feeds: Mapping[str, Floats]) -> Mapping[str, Floats]:
        """One inference; see ``Engine.run``."""
        check_feeds(feeds, self.inputs)
        try:
            for name, value in self._given.items():
                value.update_inplace(np.ascontiguousarray(feeds[name], np.float32))
            self._session.run_with_iobinding(self._binding)
            return {name: np.array(value.numpy()) for name, value in self._made.items()}
        except Exception as error:  # as in load: no common base class
            raise EngineError(f"onnxruntime failed while running: {error}") from error

    def sibling(self) -> Engine:
        """The same model in a session of its own."""
        return self._again()
