"""Engine on OpenVINO: reads .tflite, .onnx and .xml files and runs them on the processor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from livefake.engine.base import ANY, Engine, Shapes, check_feeds
from livefake.errors import EngineError
from livefake.frame import Floats

__all__ = ["OpenVino", "load"]


def load(path: Path, *, shapes: Shapes | None = None, cache: Path | None = None, exact: bool = True) -> Engine:
    """Compile a model for the processor.

    One thread a network: on two cores, one thread for the nets and one for the rest beats two for the nets,
    and the process time halves.

    Args:
        path: the model file.
        shapes: see ``Loader``.
        cache: folder for compiled models; the second start reads them from there.
        exact: compute in float32. Without it OpenVINO picks bfloat16 where the processor has it: faster, but
            eight bits of mantissa move a landmark by up to half a pixel of its crop, which shows as trembling.

    Raises:
        EngineError: OpenVINO is missing, or cannot read the file, give it these shapes, or compile it.
    """
    try:
        import openvino
    except ImportError as error:
        raise EngineError(f"OpenVINO cannot be imported ({error}).", "Install livefake again.") from error
    core = openvino.Core()
    if cache is not None:
        core.set_property({"CACHE_DIR": str(cache)})
    options: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
    if exact:
        options["INFERENCE_PRECISION_HINT"] = "f32"
    outputs: list[str] = []
    try:
        if shapes is None and path.suffix != ".onnx":
            # Not read where a compiled one lies in the cache.
            compiled = core.compile_model(str(path), "CPU", options)
        else:
            model = core.read_model(str(path))
            if shapes is not None:
                model.reshape({name: openvino.PartialShape(list(shape)) for name, shape in shapes.items()})
            # Compiling may join an output with a tensor before it, which lends it its name.
            outputs = [port.any_name for port in model.outputs]
            compiled = core.compile_model(model, "CPU", options)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise EngineError(f"OpenVINO could not load {path.name}: {reason}") from error
    return OpenVino(compiled, outputs)


class OpenVino:
    """A compiled model with its own inference request.

    Args:
        compiled: an ``openvino.CompiledModel`` whose inputs are float32.
        outputs: names of its outputs, in order; empty for what it calls them itself.
    """

    device = "openvino cpu"

    def __init__(self, compiled: Any, outputs: Sequence[str] = ()) -> None:
        self._compiled = compiled
        self._request = compiled.create_infer_request()
        self.inputs: Shapes = {port.any_name: _shape(port) for port in compiled.inputs}
        names = outputs or [port.any_name for port in compiled.outputs]
        self.outputs: Shapes = {name: _shape(port) for name, port in zip(names, compiled.outputs, strict=True)}

    def run(self, feeds: Mapping[str, Floats]) -> Mapping[str, Floats]:
        """One inference; see ``Engine.run``."""
        check_feeds(feeds, self.inputs)
        try:
            results = self._request.infer(dict(feeds), share_inputs=True, share_outputs=True)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO failed while running: {error}") from error
        return {name: results[index] for index, name in enumerate(self.outputs)}

    def sibling(self) -> Engine:
        """The same compiled model with an inference request of its own."""
        return OpenVino(self._compiled, list(self.outputs))


def _shape(port: Any) -> tuple[int, ...]:
    return tuple(ANY if side.is_dynamic else side.get_length() for side in port.partial_shape)
