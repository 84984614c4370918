"""Which engines this machine has, in the order in which they are tried: TensorRT, CUDA, OpenVINO, onnxruntime.

The first two need an NVIDIA GPU and onnxruntime's GPU package; where either is missing they refuse at once and the
processor does the work.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from livefake.engine import onnx, openvino
from livefake.engine.agreed import Agreed
from livefake.engine.base import ANY, Choice, Engine, Registry, Shapes
from livefake.engine.cache import BuildKey, is_built, timing_folder
from livefake.engine.gpu import Gpu, Profile, build_key, cuda_options, tensorrt_options
from livefake.engine.selftest import check_engine
from livefake.errors import EngineError

__all__ = ["SwapFiles", "engines", "fixed_shapes", "gpu_engines", "open_swap_engine", "tensorrt_is_built"]


@dataclass(frozen=True, slots=True)
class SwapFiles:
    """One network in the two forms that run fastest.

    Attributes:
        gpu: an .onnx file in float16, for TensorRT and CUDA; None where the machine has no use for it.
        processor: an .onnx file with int8 arithmetic, for the processor.
    """

    gpu: Path | None
    processor: Path


def engines(cache: Path | None, *, exact: bool) -> Registry:
    """The engines of the processor.

    Args:
        cache: folder for compiled models; None keeps none.
        exact: whether results must not be rounded for speed; see ``openvino.load``.
    """
    registry = Registry()
    compiled = None if cache is None else cache / "compiled"
    registry.register("openvino", partial(openvino.load, cache=compiled, exact=exact))
    registry.register("onnxruntime", onnx.load)
    return registry


def gpu_engines(cache: Path, gpu: Gpu, *, profile: Profile | None = None) -> Registry:
    """The engines of an NVIDIA GPU.

    TensorRT builds an engine at its first run on a GPU, which takes minutes, and reads it from the cache afterwards.

    Args:
        cache: folder for what TensorRT builds.
        gpu: of this machine.
        profile: range of shapes for a model that is opened without ``shapes``.
    """
    registry = Registry()
    registry.register("tensorrt", partial(_load_tensorrt, cache=cache, gpu=gpu, profile=profile))
    cuda = {onnx.CUDA: cuda_options()}
    registry.register("cuda", partial(onnx.load, providers=(onnx.CUDA, onnx.CPU), options=cuda))
    return registry


def _load_tensorrt(
    path: Path, /, *, shapes: Shapes | None = None, cache: Path, gpu: Gpu, profile: Profile | None
) -> Engine:
    if path.suffix != ".onnx":
        raise EngineError(f"TensorRT reads .onnx files, got {path.name}.")
    if shapes is None and profile is None:
        raise EngineError(f"TensorRT needs the shapes of {path.name} or a range of them, got neither.")
    key = _key(path, gpu, shapes, profile)
    options = tensorrt_options(cache, key, None if shapes is not None else profile)
    try:
        for folder in (options["trt_engine_cache_path"], str(timing_folder(cache, key))):
            Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineError(f"TensorRT cannot keep its engine in {cache}: {error.strerror}.") from error
    # What TensorRT does not take goes to CUDA, not to the processor.
    providers = (onnx.TENSORRT, onnx.CUDA, onnx.CPU)
    return onnx.load(
        path, shapes=shapes, providers=providers, options={onnx.TENSORRT: options, onnx.CUDA: cuda_options()}
    )


def _key(path: Path, gpu: Gpu, shapes: Shapes | None, profile: Profile | None) -> BuildKey:
    named = shapes
    if shapes is None and profile is not None:
        ranges = (("least", profile.least), ("usual", profile.usual), ("most", profile.most))
        named = {f"{word} {name}": shape for word, part in ranges for name, shape in part.items()}
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}.") from error
    return build_key(digest, gpu, named)


def fixed_shapes(declared: Shapes, *, batch: int = 1, side: int = 256) -> dict[str, tuple[int, ...]]:
    """Shapes without a free side.

    Args:
        declared: of the inputs, as the manifest or an engine names them; ``ANY`` where a side is free.
        batch: for a free first side.
        side: for any other, pixels.
    """
    return {
        name: tuple(length if length != ANY else batch if place == 0 else side for place, length in enumerate(shape))
        for name, shape in declared.items()
    }


def tensorrt_is_built(path: Path, cache: Path, gpu: Gpu, *, shapes: Shapes) -> bool:
    """Whether the TensorRT engine of a model with static shapes lies in the cache; changes nothing.

    Args:
        path: the .onnx file.
        cache, gpu: as ``gpu_engines`` takes them.
        shapes: of the inputs.

    Raises:
        EngineError: the file cannot be read.
    """
    return is_built(cache, _key(path, gpu, shapes, None))


def open_swap_engine(
    files: SwapFiles,
    *,
    shapes: Shapes,
    cache: Path | None,
    gpu: Gpu | None,
    exact: bool = False,
    processor_shapes: Shapes | None = None,
) -> Choice:
    """Open the swap network on the best engine that passes its self-test.

    Args:
        files: the network.
        shapes: of the inputs; they stay as they are for the life of the engine.
        cache: folder for compiled models; None keeps none, and leaves TensorRT out, which is no use without one.
        gpu: of this machine, as ``gpu.find_gpu`` tells.
        processor_shapes: likewise of the file for the processor, where that has other inputs.
        exact: see ``openvino.load``. It touches only what int8 leaves in float: there bfloat16 costs nothing that can
            be measured next to int8, and saves a sixth of the time where the processor has it.

    Returns:
        The engine, and why each better one was not taken.

    Raises:
        EngineError: no engine could be opened, or none gives what the plain one gives.
    """
    refusals: list[str] = []
    if gpu is not None and files.gpu is not None and cache is not None:
        try:
            return _choose(gpu_engines(cache, gpu), files.gpu, shapes, cache)
        except EngineError as refusal:
            refusals.append(refusal.problem)
    choice = _choose_processor(files.processor, processor_shapes or shapes, cache, exact=exact)
    return Choice(choice.engine, choice.name, (*refusals, *choice.refusals))


def _choose_processor(path: Path, shapes: Shapes, cache: Path | None, *, exact: bool) -> Choice:
    """As ``_choose``, but an engine that has passed its test here before is taken at its word."""
    agreed = Agreed(None if cache is None else cache / "agreed")
    registry = engines(cache, exact=exact)
    first = registry.names[0]
    try:
        key = agreed.key(path, shapes, engine=first, exact=exact)
    except OSError as error:
        raise EngineError(f"{path} cannot be read: {error.strerror}.") from error
    choice = registry.choose(path, shapes=shapes) if agreed.has(key) else None
    if choice is None or choice.name != first:
        choice = _choose(registry, path, shapes, cache)
        if choice.name == first:
            agreed.keep(key)
    return choice


def _choose(registry: Registry, path: Path, shapes: Shapes, cache: Path | None) -> Choice:
    """The first engine that agrees with the same file on a plain engine in float32, which is opened when needed."""
    plain: list[Engine] = []

    def test(engine: Engine) -> None:
        if not plain:
            plain.append(engines(cache, exact=True).load(path, shapes=shapes))
        check_engine(engine, plain[0])

    return registry.choose(path, shapes=shapes, test=test)
