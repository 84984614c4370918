"""Engine on onnxruntime: .onnx files on TensorRT, CUDA, or the processor.

Which providers the installed package lists says nothing about what runs: a session falls back silently. So
the device is read back from the session that was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from livefake.engine.base import Engine, check_feeds
from livefake.errors import EngineError
from livefake.frame import Floats

__all__ = ["Onnx", "load"]

_WORDS = {
    "TensorrtExecutionProvider": "tensorrt",
    "CUDAExecutionProvider": "cuda",
    "CPUExecutionProvider": "cpu",
}


def load(path: Path, *, providers: Sequence[str] = ("CPUExecutionProvider",)) -> Engine:
    """Open an .onnx file.

    Args:
        path: the model file.
        providers: onnxruntime's names, best first; the first one must really be used.

    Raises:
        EngineError: onnxruntime is missing, cannot read the file, or fell back to another provider.
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
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    # Idle threads that spin would take the second core from the decoder and the encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime raises a class of its own for each status code, without a common base
        raise EngineError(f"onnxruntime could not load {path.name}: {error}") from error
    used = session.get_providers()
    if used[0] != providers[0]:
        raise EngineError(f"onnxruntime fell back from {providers[0]} to {used[0]}.")
    return Onnx(session)


class Onnx:
    """An onnxruntime session with static shapes and float32 inputs.

    Args:
        session: an ``onnxruntime.InferenceSession``; it may be run from several threads.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        provider = session.get_providers()[0]
        self.device = f"onnxruntime {_WORDS.get(provider, provider)}"
        self.inputs: Mapping[str, tuple[int, ...]] = {port.name: tuple(port.shape) for port in session.get_inputs()}
        self.outputs: Mapping[str, tuple[int, ...]] = {port.name: tuple(port.shape) for port in session.get_outputs()}

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
        return Onnx(self._session)
