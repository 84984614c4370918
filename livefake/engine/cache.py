"""Where an engine that was built for one GPU is kept. Pure: the same facts give the same folder, other facts another.

An engine is good for one model, one GPU and one version of TensorRT only, and a wrong one is refused late or runs
wrongly; so everything that it depends on is in the name of its folder, and nothing has to be compared or cleared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["BuildKey", "engine_folder", "is_built", "timing_folder"]


@dataclass(frozen=True, slots=True)
class BuildKey:
    """What a built engine depends on.

    Attributes:
        model: SHA-256 of the model file, lower-case hexadecimal.
        onnxruntime, tensorrt: versions.
        gpu: its name, as the driver gives it.
        capability: its compute capability, "9.0".
        precision: "float16" or "float32".
        shapes: of the inputs by name, or of nothing where any shape goes.
    """

    model: str
    onnxruntime: str
    tensorrt: str
    gpu: str
    capability: str
    precision: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that differ when any fact does."""
        return _digest({**asdict(self), "shapes": sorted(self.shapes.items())})


def engine_folder(cache: Path, key: BuildKey) -> Path:
    """The folder of one built engine.

    Args:
        cache: folder that may be written.
        key: what the engine depends on.
    """
    return cache / "tensorrt" / key.digest


def timing_folder(cache: Path, key: BuildKey) -> Path:
    """The folder of what TensorRT measured while it built: good for every model on the same GPU and version."""
    facts = {"tensorrt": key.tensorrt, "gpu": key.gpu, "capability": key.capability}
    return cache / "tensorrt" / f"timing-{_digest(facts)}"


def is_built(cache: Path, key: BuildKey) -> bool:
    """Whether the engine of this key lies in its folder; onnxruntime names the file ``*.engine``."""
    return any(engine_folder(cache, key).glob("*.engine"))


def _digest(facts: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
