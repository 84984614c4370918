"""A person's own network in int8 for processors, calibrated and judged on that person's takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from livefake.errors import LivefakeError
from livefake.frame import Bytes, Floats
from livefake.resources import models_folder
from livefake.swap.guide import CHANNELS
from livefake.swap.mesh import face_triangles
from livefake.training.footage.takes import Takes
from livefake.training.nets import RefineNet
from livefake.training.personal.practice import Practice, exam
from livefake.training.personal.samples import pack_swapper, strangers_in
from livefake.training.personal.split import split_takes
from livefake.training.personal.weights import read_network

__all__ = ["ROUNDED", "round_network", "write_rounded"]

ROUNDED: Final = "refine-int8.onnx"
"""The int8 network's name in a pack."""
_CALIBRATION: Final = 24
_HELD_OUT: Final = 16


def write_rounded(pack: Path, takes: Path, network: Path, *, seed: int = 0, side: int = 256) -> float:
    """Make ``refine-int8.onnx`` of a fine-tuned network; the file appears whole and right or not at all.

    Args:
        pack: folder with the pictures; the file is written there.
        takes: folder of the takes that the network was fine-tuned on.
        network: the fine-tuned network in float16.
        seed: of the fine-tuning: the same takes are held out.
        side: of the crops, pixels, a multiple of 32.

    Returns:
        PSNR of the int8 picture against the float one's on held-out takes, decibels.

    Raises:
        BadInput: takes, pack or network cannot be used.
        EngineError: int8 is not near enough to float; the network is to be run in float16.
        LivefakeError: a package is missing, or the file cannot be written.
    """
    shots, triangles = Takes(takes), face_triangles()
    split = split_takes([(shot.file, shot.seconds) for shot in shots], seed=seed)
    strangers = strangers_in(models_folder() / "personas", triangles, apart_from=pack)
    practice = Practice(shots, split.train, pack_swapper(pack, triangles), strangers, None, seed)
    calibration = practice.batch(0, _CALIBRATION, side).planes
    held, _ = exam(practice, split.test, side, most=_HELD_OUT)
    return round_network(read_network(network), pack / ROUNDED, calibration, held.planes)


def round_network(net: RefineNet, path: Path, calibration: Bytes, held_out: Bytes) -> float:
    """Quantise a network and write it; see ``write_rounded``.

    Args:
        net: to quantise; it stays as it is.
        path: where to; a file that is there is replaced.
        calibration, held_out: (N, 14, S, S) uint8, inputs that set the scales, and that judge.
    """
    try:
        import onnx

        from livefake.training.folding import for_processors
        from livefake.training.quantise import quantise
    except ModuleNotFoundError as error:
        raise LivefakeError(
            f"Exporting a network needs onnx and onnxruntime ({error}).", "Run: pip install 'livefake[export]'"
        ) from error
    model = for_processors(net, CHANNELS, facts={"title": "livefake swap network, fine-tuned, int8"})
    made = quantise(model, _crops(calibration), _crops(held_out))
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".network-") as folder:
            part = Path(folder) / path.name
            onnx.save(made.model, str(part))
            os.replace(part, path)
    except OSError as error:
        raise LivefakeError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error
    return made.difference.picture


def _crops(planes: Bytes) -> Sequence[Floats]:
    return [np.ascontiguousarray(crop[None].astype(np.float32) / np.float32(255)) for crop in planes]
