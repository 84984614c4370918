"""The NVIDIA GPU: whether there is one, which one, and how onnxruntime is asked to use it.

Looking costs next to nothing and imports nothing: a machine without such a GPU starts as fast as before.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from livefake.engine.cache import BuildKey, engine_folder, timing_folder

__all__ = [
    "Gpu",
    "Profile",
    "build_key",
    "cuda_options",
    "find_gpu",
    "gpu_is_likely",
    "parse_smi",
    "tensorrt_options",
]

_SIGNS: Final = ("proc/driver/nvidia/version", "dev/nvidia0", "dev/dxg")
"""What the driver shows on Linux; the last one is its form in the Windows subsystem for Linux."""
_SMI: Final = ("--query-gpu=name,compute_cap", "--format=csv,noheader")
_PATIENCE: Final = 10.0
"""Seconds that nvidia-smi may take: on a sleeping GPU it wakes the driver first."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU.

    Attributes:
        name: "NVIDIA L4".
        capability: compute capability, "8.9"; it says which engines run on it.
    """

    name: str
    capability: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Shapes that an engine of any shape is built for.

    TensorRT builds one engine for the whole range from ``least`` to ``most`` and makes it fastest at ``usual``; a
    shape outside makes it build again, which takes minutes, so the range holds every size that the program uses.

    Attributes:
        least, usual, most: shape of each input by name.
    """

    least: Shapes
    usual: Shapes
    most: Shapes


def gpu_is_likely(
    *,
    root: Path = Path("/"),
    platform: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
) -> bool:
    """Whether there is any sign of an NVIDIA GPU.

    Args:
        root: of the file system.
        platform: as ``sys.platform`` names it.
        which: finds a program, as ``shutil.which`` does.
    """
    if platform == "win32":
        return which("nvidia-smi") is not None
    return any((root / sign).exists() for sign in _SIGNS)


def parse_smi(text: str) -> Gpu | None:
    """The first GPU in what ``nvidia-smi --query-gpu=name,compute_cap --format=csv,noheader`` prints, or None."""
    first = text.strip().partition("\n")[0]
    name, comma, capability = (part.strip() for part in first.rpartition(","))
    if not comma or not name or not capability.replace(".", "", 1).isdigit():
        return None
    return Gpu(name, capability)


def find_gpu() -> Gpu | None:
    """The GPU of this machine; None where there is none, or its driver does not answer."""
    if not gpu_is_likely():
        return None
    try:
        done = subprocess.run(["nvidia-smi", *_SMI], capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_smi(done.stdout) if done.returncode == 0 else None


def build_key(model_sha256: str, gpu: Gpu, shapes: Shapes | None, precision: str = "float16") -> BuildKey:
    """What an engine that is built here and now depends on; versions come from the installed packages.

    Args:
        model_sha256: of the model file.
        gpu: that it is built on.
        shapes: of the inputs, None for any.
        precision: of the arithmetic.
    """
    return BuildKey(
        model=model_sha256,
        onnxruntime=_version("onnxruntime-gpu", "onnxruntime"),
        tensorrt=_version("tensorrt", "tensorrt-cu12", "tensorrt-cu13"),
        gpu=gpu.name,
        capability=gpu.capability,
        precision=precision,
        shapes=dict(shapes or {}),
    )


def _version(*packages: str) -> str:
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "of the system"


def cuda_options() -> dict[str, str]:
    """Options of onnxruntime's CUDA provider.

    The convolution's algorithm is searched for once, when the first picture runs: shapes never change afterwards.
    """
    return {"device_id": "0", "cudnn_conv_algo_search": "EXHAUSTIVE", "use_tf32": "1"}


def tensorrt_options(cache: Path, key: BuildKey, profile: Profile | None) -> dict[str, str]:
    """Options of onnxruntime's TensorRT provider.

    The builder works at level 3, TensorRT's own choice: higher levels build for much longer and gain little on plain
    convolutions. A CUDA graph replays one recorded run, so it needs shapes that never change.

    Args:
        cache: folder that may be written.
        key: names the engine's folder.
        profile: range of shapes; None if the shapes are static.
    """
    options = {
        "device_id": "0",
        "trt_fp16_enable": _word(key.precision == "float16"),
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(engine_folder(cache, key)),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(timing_folder(cache, key)),
        "trt_builder_optimization_level": "3",
        "trt_cuda_graph_enable": _word(profile is None),
    }
    if profile is not None:
        for word, shapes in (("min", profile.least), ("opt", profile.usual), ("max", profile.most)):
            options[f"trt_profile_{word}_shapes"] = ",".join(
                f"{name}:{'x'.join(map(str, shape))}" for name, shape in shapes.items()
            )
    return options


def _word(yes: bool) -> str:
    return "True" if yes else "False"
