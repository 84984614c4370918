"""The network in a .dfm file, and the file: DeepFaceLive's contract."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from livefake.errors import EngineError, LivefakeError

__all__ = ["INPUT", "OUTPUTS", "DfmNet", "DfmWidths", "check_dfm", "write_dfm"]

INPUT: Final = "in_face:0"
OUTPUTS: Final = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
_OPSET: Final = 13
"""Of the ONNX operators: DeepFaceLive carries an onnxruntime of 2022."""
_BLOCK: Final = 4


@dataclass(frozen=True, slots=True)
class DfmWidths:
    """Channels at a quarter, an eighth, a 16th and a 32nd of the crop's side."""

    quarter: int = 48
    eighth: int = 96
    sixteenth: int = 160
    deepest: int = 256


def _conv(inward: int, outward: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inward, outward, 3, stride, 1), nn.ReLU(inplace=True))


class DfmNet(nn.Module):
    """A U-Net from a performer's face to one persona's, and the mask: no mesh, no guide.

    Args:
        widths: channels of the levels.
    """

    def __init__(self, widths: DfmWidths | None = None) -> None:
        super().__init__()
        wide = widths or DfmWidths()
        sizes = (wide.quarter, wide.eighth, wide.sixteenth, wide.deepest)
        self.stem = nn.Sequential(nn.PixelUnshuffle(_BLOCK), _conv(3 * _BLOCK**2, sizes[0]), _conv(sizes[0], sizes[0]))
        pairs = list(pairwise(sizes))
        self.down = nn.ModuleList(nn.Sequential(_conv(one, two, 2), _conv(two, two)) for one, two in pairs)
        self.fit = nn.ModuleList(nn.Conv2d(two, one, 1) for one, two in reversed(pairs))
        self.up = nn.ModuleList(nn.Sequential(_conv(one, one), _conv(one, one)) for one, _ in reversed(pairs))
        self.head = nn.Sequential(nn.Conv2d(sizes[0], 4 * _BLOCK**2, 3, 1, 1), nn.PixelShuffle(_BLOCK))

    def forward(self, faces: Tensor) -> Tensor:
        """(N, 3, S, S) float BGR, 0..1, S a multiple of 32, to (N, 4, S, S), 0..1: the persona, BGR, and mask."""
        levels = [self.stem(faces)]
        for down in self.down:
            levels.append(down(levels[-1]))
        deep = levels.pop()
        for fit, up in zip(self.fit, self.up, strict=True):
            deep = up(nn.functional.interpolate(fit(deep), scale_factor=2.0, mode="nearest") + levels.pop())
        return torch.sigmoid(self.head(deep))


class _Contract(nn.Module):
    """The network with DeepFaceLive's inputs and outputs: channels last, three outputs in a fixed order."""

    def __init__(self, net: DfmNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        made = self.net(faces.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        # The performer's outline is the persona's too: both masks say the same.
        return made[..., 3:] * 1.0, made[..., :3], made[..., 3:]


def write_dfm(net: DfmNet, path: Path, size: int, facts: Mapping[str, str]) -> None:
    """Export, check, and write; the file appears whole or not at all.

    Args:
        net: to export.
        path: where to, ``.dfm``.
        size: side of the crop, pixels, fixed in the file: DeepFaceLive reads it there.
        facts: about it, kept in the file's metadata.

    Raises:
        EngineError: the file does not do what the network does.
        LivefakeError: it cannot be written.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that needs no further package tells at every call that there is a newer one.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", UserWarning)
        torch.onnx.export(
            _Contract(net.cpu().eval()),
            (torch.zeros(1, size, size, 3),),
            buffer,
            dynamo=False,
            opset_version=_OPSET,
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={name: {0: "N"} for name in (INPUT, *OUTPUTS)},
        )
    model = onnx.load_from_string(buffer.getvalue())
    model.producer_name, model.producer_version = "livefake", ""
    onnx.helper.set_model_props(model, dict(facts))
    content = model.SerializeToString()
    face = np.random.default_rng(0).random((2, size, size, 3), np.float32)
    with torch.no_grad():
        wanted = net(torch.from_numpy(face).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    found = check_dfm(content, face)
    if max(np.abs(found[1] - wanted[..., :3]).max(), np.abs(found[2] - wanted[..., 3:]).max()) > 1e-3:
        raise EngineError("The .dfm file should give what the network gives, and does not.")
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        raise LivefakeError(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error


def check_dfm(content: bytes, face: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[Any]:
    """Run a .dfm file as DeepFaceLive does.

    Args:
        content: of the file.
        face: (N, S, S, 3) float32 BGR, 0..1.

    Returns:
        Face mask (N, S, S, 1), persona's face (N, S, S, 3), its mask (N, S, S, 1), float32, 0..1.

    Raises:
        EngineError: it has other inputs or outputs, or gives what is no picture.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise EngineError(
            f"A .dfm file is checked with onnxruntime ({error}).", "Run: pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()], [port.name for port in session.get_outputs()]
    if names != ([INPUT], list(OUTPUTS)):
        raise EngineError(f"A .dfm file should take {INPUT} and give {', '.join(OUTPUTS)}, this one has {names}.")
    made: list[Any] = session.run(None, {INPUT: face})
    shapes = [one.shape for one in made]
    planes = face.shape[:3]
    if shapes != [(*planes, 1), (*planes, 3), (*planes, 1)] or not all(
        np.isfinite(one).all() and one.min() >= 0 and one.max() <= 1 for one in made
    ):
        raise EngineError(f"A .dfm file should give two masks and a face within 0..1, this one gives {shapes}.")
    return made
