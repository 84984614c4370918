"""What this machine has, what livefake will use of it, and what is missing."""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from livefake.engine.weights import MEND, Weights
from livefake.errors import LivefakeError
from livefake.machine import describe_machine
from livefake.swap.persona import list_personas, load_persona

__all__ = ["Finding", "Verdict", "examine"]


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


def examine(models: Path, weights: Weights, cache: Path) -> list[Finding]:
    """Look at everything that a swap needs or could use.

    Args:
        models: folder with the manifest and the personas.
        weights: the model files.
        cache: folder for fetched and compiled models.
    """
    return [
        Finding("machine", Verdict.GOOD, describe_machine(), "runs everything"),
        _weights(weights, cache),
        _engine(weights, cache),
        _gpu(),
        _personas(models),
        _encoder(),
        _optional("pyvirtualcam", "virtual camera through v4l2loopback, OBS or a driver", "virtualcam"),
        _optional("dlib", "telling people apart, for grants", "identity"),
        _optional("torch", "training personas", "train"),
    ]


def _weights(weights: Weights, cache: Path) -> Finding:
    states = {entry.name: weights.state(entry.name) for entry in weights.entries}
    wrong = [state for state in states.values() if state != "ready"]
    if wrong:
        return Finding("weights", Verdict.BROKEN, " ".join(wrong), "find faces and their landmarks", MEND)
    return Finding("weights", Verdict.GOOD, f"{', '.join(states)} in {cache}", "find faces and their landmarks")


def _engine(weights: Weights, cache: Path) -> Finding:
    from livefake.studio import engines

    use = "runs the networks"
    try:
        engine = engines(cache, exact=True).load(weights.path("face-mesh"))
    except LivefakeError as error:
        return Finding("engine", Verdict.BROKEN, error.problem, use, error.remedy)
    return Finding("engine", Verdict.GOOD, engine.device, use)


def _gpu() -> Finding:
    use = "not used: the networks so far are quick on a processor"
    if importlib.util.find_spec("onnxruntime") is None:
        return Finding("gpu", Verdict.OPTIONAL, "onnxruntime is not installed", use, "Run: pip install 'livefake[gpu]'")
    import onnxruntime

    listed = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    return Finding("gpu", Verdict.OPTIONAL, f"onnxruntime {onnxruntime.__version__} lists {', '.join(listed)}", use)


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


def _encoder() -> Finding:
    import av

    use = "encodes the pictures for browsers and files"
    if "libx264" not in av.codec.codecs_available:
        return Finding("encoder", Verdict.BROKEN, "PyAV without libx264", use, "Run: pip install --force-reinstall av")
    return Finding(
        "encoder", Verdict.GOOD, f"libx264 of PyAV {av.__version__}, Python {platform.python_version()}", use
    )


def _optional(package: str, use: str, extra: str) -> Finding:
    if importlib.util.find_spec(package) is None:
        return Finding(package, Verdict.OPTIONAL, "not installed", use, f"Run: pip install 'livefake[{extra}]'")
    return Finding(package, Verdict.GOOD, "installed", use)
