"""What this machine has, what livefake will use of it, and what is missing."""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from livefake.engine.factory import SwapFiles, engines, fixed_shapes, open_swap_engine, tensorrt_is_built
from livefake.engine.gpu import Gpu, find_gpu
from livefake.engine.weights import Weights
from livefake.errors import LivefakeError
from livefake.machine import describe_machine
from livefake.networks import SIDES
from livefake.swap.finisher import swap_shapes
from livefake.swap.persona import list_personas, load_persona

__all__ = ["ENCODER_TRIALS", "Finding", "Verdict", "examine"]

ENCODER_TRIALS: Final = "encoders.json"
"""File in the cache folder with what is known about the encoders of this machine."""


class Verdict(StrEnum):
    """How much a finding matters."""

    GOOD = "good"
    OPTIONAL = "optional"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        verdict: there and right; not there and not needed; or needed and not right.
        found: what there is.
        use: what livefake does with it, or without it.
        remedy: what to do to get it; empty when nothing is missing.
    """

    name: str
    verdict: Verdict
    found: str
    use: str
    remedy: str = ""


def examine(models: Path, weights: Weights, cache: Path, *, encoder: str = "auto") -> list[Finding]:
    """Look at everything that a swap needs or could use.

    Args:
        models: folder with the manifest and the personas.
        weights: the model files.
        cache: folder for fetched and compiled models.
        encoder: what the settings ask for.
    """
    gpu = find_gpu()
    return [
        Finding("machine", Verdict.GOOD, describe_machine(), "runs everything"),
        _weights(weights, cache),
        _engine(weights, cache),
        _swap_engine(weights, cache, gpu),
        _gpu(gpu),
        _personas(models),
        _encoder(encoder, cache),
        _camera(cache),
        _optional("pyvirtualcam", "virtual camera through v4l2loopback, OBS or a driver", "virtualcam"),
        _optional("dlib", "telling people apart, for grants", "identity"),
        _optional("torch", "training personas", "train"),
    ]


def _weights(weights: Weights, cache: Path) -> Finding:
    use = "find faces and their landmarks"
    wrong = [entry for entry in weights.entries if weights.state(entry.name) != "ready"]
    if wrong:
        found = " ".join(weights.state(entry.name) for entry in wrong)
        remedies = sorted({entry.mend for entry in wrong})
        return Finding("weights", Verdict.BROKEN, found, use, " ".join(remedies))
    return Finding("weights", Verdict.GOOD, f"{', '.join(entry.name for entry in weights.entries)} in {cache}", use)


def _engine(weights: Weights, cache: Path) -> Finding:
    use = "runs the networks"
    try:
        engine = engines(cache, exact=True).load(weights.path("face-mesh"))
    except LivefakeError as error:
        return Finding("engine", Verdict.BROKEN, error.problem, use, error.remedy)
    return Finding("engine", Verdict.GOOD, engine.device, use)


def _swap_engine(weights: Weights, cache: Path, gpu: Gpu | None) -> Finding:
    name, use = "swap engine", "runs the swap network"
    inputs = {entry.name: entry.inputs for entry in weights.entries}
    if "refine" not in inputs:
        return Finding(name, Verdict.OPTIONAL, "this livefake comes without the swap network", "the mesh alone swaps")
    shapes = fixed_shapes(inputs["refine"])
    try:
        half, processor = weights.path("refine"), weights.path("refine-int8")
        # Looking must not start a build of minutes.
        built = gpu is not None and tensorrt_is_built(half, cache, gpu, shapes=shapes)
        files = SwapFiles(half if built else None, processor)
        own = swap_shapes(processor, SIDES[0])
        choice = open_swap_engine(files, shapes=shapes, processor_shapes=own, cache=cache if built else None, gpu=gpu)
    except LivefakeError as error:
        return Finding(name, Verdict.BROKEN, error.problem, use, error.remedy)
    found = "; ".join([choice.engine.device, *(f"not {refusal}" for refusal in choice.refusals)])
    if gpu is None:
        return Finding(name, Verdict.GOOD, found, use)
    if built:
        return Finding(name, Verdict.GOOD, f"{found}; the TensorRT engine for {gpu.name} is built", use)
    found += f"; the TensorRT engine for {gpu.name} is not built yet"
    return Finding(name, Verdict.OPTIONAL, found, use, "Run: livefake warm")


def _gpu(gpu: Gpu | None) -> Finding:
    use = "would run the swap network faster"
    if gpu is None:
        return Finding("gpu", Verdict.OPTIONAL, "no NVIDIA GPU whose driver answers", "the processor runs the networks")
    remedy = "Run: pip install 'livefake[gpu]'"
    if importlib.util.find_spec("onnxruntime") is None:
        return Finding("gpu", Verdict.OPTIONAL, f"{gpu.name}; onnxruntime is not installed", use, remedy)
    import onnxruntime

    listed = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    found = f"{gpu.name}; onnxruntime {onnxruntime.__version__} lists {', '.join(listed)}"
    if not {"Tensorrt", "CUDA"} & set(listed):
        return Finding("gpu", Verdict.OPTIONAL, found, use, remedy)
    return Finding("gpu", Verdict.GOOD, found, "runs the swap network")


def _personas(models: Path) -> Finding:
    use = "the faces that can be worn"
    try:
        cards = list_personas(models / "personas")
        for card in cards:
            load_persona(card)
    except LivefakeError as error:
        return Finding("personas", Verdict.BROKEN, error.problem, use, error.remedy)
    if not cards:
        return Finding("personas", Verdict.BROKEN, "none", use, "Install livefake again.")
    return Finding("personas", Verdict.GOOD, f"{len(cards)}: {', '.join(card.id for card in cards)}", use)


def _encoder(wanted: str, cache: Path) -> Finding:
    import av

    from livefake.media.encode.choose import SOFTWARE, Trials, choose_encoder

    name, use = "encoder", "encodes the pictures for browsers and streams"
    if "libx264" not in av.codec.codecs_available:
        return Finding(name, Verdict.BROKEN, "PyAV without libx264", use, "Run: pip install --force-reinstall av")
    file = cache / ENCODER_TRIALS
    try:
        # Results are read; a trial that looking takes is not kept.
        choice = choose_encoder(wanted, Trials(file if file.exists() else None))
    except LivefakeError as error:
        return Finding(name, Verdict.BROKEN, error.problem, use, error.remedy)
    library = f"libx264 of PyAV {av.__version__}, Python {platform.python_version()}"
    if choice.name != SOFTWARE:
        library = f"{choice.name} of the graphics hardware, which passed its trial; beside it {library}"
    elif wanted != SOFTWARE and not choice.refusals:
        library += "; there is no graphics hardware that encodes"
    found = "; ".join([library, *(f"not {refusal}" for refusal in choice.refusals)])
    return Finding(name, Verdict.GOOD, found, use)


def _camera(cache: Path) -> Finding:
    from livefake.media.virtualcam.choose import why_no_camera

    name, use = "virtual camera", "shows a session to other programs on this computer"
    refusals = why_no_camera(cache)
    if len(refusals) > 1:
        return Finding(name, Verdict.OPTIONAL, "none", use, " ".join(refusals))
    return Finding(name, Verdict.GOOD, "pyvirtualcam" if "PipeWire" in "".join(refusals) else "PipeWire", use)


def _optional(package: str, use: str, extra: str) -> Finding:
    if importlib.util.find_spec(package) is None:
        return Finding(package, Verdict.OPTIONAL, "not installed", use, f"Run: pip install 'livefake[{extra}]'")
    return Finding(package, Verdict.GOOD, "installed", use)
