"""A fine-tuned network as a file that the live program runs: float16, checked against the network it came from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import torch

from livefake.engine.selftest import psnr
from livefake.errors import EngineError, LivefakeError
from livefake.frame import Bytes, Floats
from livefake.swap.guide import CHANNELS
from livefake.training.nets import RefineNet

__all__ = ["need_exporter", "write_network"]

_LEAST: Final = 40.0
"""Decibels of file against network: a mean error below two levels of 255."""


def need_exporter() -> None:
    """See that the packages are there that ``write_network`` needs.

    Raises:
        LivefakeError: one is not.
    """
    for name in ("onnx", "onnxruntime"):
        if find_spec(name) is None:
            raise LivefakeError(
                f"Exporting a network needs the package {name}, which is not installed.",
                "Run: pip install 'livefake[export]'",
            )


def write_network(net: RefineNet, path: Path, facts: Mapping[str, str], planes: Bytes) -> float:
    """Export, run the file once, and put it in place; it appears whole and right or not at all.

    Args:
        net: on any device.
        path: where to; a file that is there is replaced.
        facts: about the weights, kept in the file's metadata.
        planes: (N, 14, S, S) uint8, inputs to compare on.

    Returns:
        PSNR of the file's answers against the network's, decibels.

    Raises:
        EngineError: the file's answers are not the network's.
        LivefakeError: onnx or onnxruntime is not installed, or the file cannot be written.
    """
    need_exporter()
    import onnx

    from livefake.engine import onnx as engine
    from livefake.training.export import to_onnx
    from livefake.training.half import halved

    net = net.cpu().eval()
    model = halved(to_onnx(net, CHANNELS, facts=facts))
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".network-") as folder:
            part = Path(folder) / path.name
            onnx.save(model, str(part))
            runner = engine.load(part)
            [given], [made] = runner.inputs, runner.outputs
            crops = planes.astype(np.float32)[:, None] / np.float32(255)
            worst = min(psnr(np.array(runner.run({given: crop})[made]), _answer(net, crop)) for crop in crops)
            if not worst >= _LEAST:
                raise EngineError(
                    f"The exported network should agree with the trained to {_LEAST:.0f} dB, it does to {worst:.0f}."
                )
            os.replace(part, path)
    except OSError as error:
        raise LivefakeError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error
    return worst


@torch.no_grad()
def _answer(net: RefineNet, planes: Floats) -> Floats:
    made: Floats = net(torch.from_numpy(planes)).numpy()
    return made
