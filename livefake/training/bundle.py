"""From a checkpoint to the files that are shipped: made, checked, measured, and described for the manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import onnx
import torch

from livefake.clock import Clock, milliseconds
from livefake.engine import onnx as onnx_engine
from livefake.engine import openvino
from livefake.engine.base import ANY
from livefake.engine.onnxfile import summarise
from livefake.errors import BadInput, EngineError
from livefake.frame import Floats
from livefake.swap.finisher import swap_shapes
from livefake.training.crops import Answer, Difference, answers, compare, feeds_of, read_crops
from livefake.training.export import INPUT, OPSET, OUTPUT, Trained, read_trained, to_onnx
from livefake.training.folding import for_processors
from livefake.training.half import halved
from livefake.training.quantise import LEAST, quantise
from livefake.training.ranges import check_ranges

__all__ = ["LICENCE", "Export", "Row", "export", "manifest_text"]

LICENCE: Final = "CC0-1.0"
_FLOAT, _HALF, _INT8, _FACTS = "refine-float32.onnx", "refine.onnx", "refine-int8.onnx", "weights.toml"
_CLOSE: Final = 1e-5
"""Largest difference of one value of the picture between torch and the float32 graph: a hundredth of a level would be
4e-5."""
_CLOSE_MASK: Final = 1e-3
"""Likewise of the mask, whose steep sigmoid makes rounding larger: a quarter of a level."""
_HALF_LEAST: Final = 60.0
"""Decibels of the float16 file against torch: well below a level of 255."""
_SPREAD: Final = 3.0
"""Decibels by which two engines may differ in how they round int8."""
_ROUNDS: Final = 20
_TITLES: Final = {_HALF: "livefake swap network, float16 for GPUs", _INT8: "livefake swap network, int8 for processors"}


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be made.

    Attributes:
        checkpoint: as ``livefake train refine`` writes it.
        data: folder of the pairs: the training split calibrates, the test split judges.
        folder: for the files.
        sides: of the crops, pixels, for which static files are made too.
        calibration, held_out: how many crops of either split.
        least: what int8 must reach on the test split, decibels.
        skin: share of its change on skin that the network shows; None leaves it as the checkpoint has it.
    """

    checkpoint: Path
    data: Path
    folder: Path
    sides: Sequence[int] = ()
    calibration: int = 64
    held_out: int = 48
    least: float = LEAST
    skin: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One file that was made.

    Attributes:
        path: where it lies.
        size: bytes.
        check: what it was compared with, and the outcome.
        psnr: of the picture planes against torch, decibels.
        cost: milliseconds of the processor for one crop, by the engine's name; empty where it was not measured.
    """

    path: Path
    size: int
    check: str
    psnr: float
    cost: Mapping[str, float]


def export(order: Export, *, cpu_clock: Clock, tell: Callable[[str], None]) -> list[Row]:
    """Make the files, check each, and write what the manifest takes to ``weights.toml``.

    Args:
        order: what to make.
        cpu_clock: processor time of this process.
        tell: takes one line of progress at a time.

    Raises:
        BadInput: the checkpoint or the pairs cannot be used, a side does not fit, or the folder cannot be written.
        EngineError: a file is not as close to the network as it must be; nothing is written for it.
    """
    tell(f"Reading {order.checkpoint.name}")
    trained = read_trained(order.checkpoint)
    if order.skin is not None:
        trained.net.share.fill_(order.skin)
    tell(f"Preparing {order.held_out} crops of the test split")
    held_out = read_crops(order.data, "test", order.held_out)
    channels, side = held_out[0].shape[1], held_out[0].shape[2]
    facts = _facts(trained, channels)

    def net(planes: Floats) -> Floats:
        with torch.no_grad():
            made: Floats = trained.net(torch.from_numpy(planes)).numpy()
        return made

    judge = _Judge(net, held_out, cpu_clock, side)
    try:
        order.folder.mkdir(parents=True, exist_ok=True)
        tell("Exporting in float32")
        model = to_onnx(trained.net, channels, facts=facts)
        largest = check_ranges(model, held_out)
        rows = [judge.exact(model, order.folder / _FLOAT, largest)]
        tell("Exporting in float16")
        rows.append(judge.near(halved(model), order.folder / _HALF))
        for fixed in order.sides:
            tell(f"Exporting in float16 for crops of {fixed} pixels")
            static = halved(to_onnx(trained.net, channels, side=fixed, facts=facts))
            small = _Judge(net, read_crops(order.data, "test", 4, side=fixed), cpu_clock, None)
            rows.append(small.near(static, order.folder / f"refine-{fixed}.onnx"))
        tell(f"Calibrating int8 on {order.calibration} crops of the training split")
        calibration = read_crops(order.data, "train", order.calibration)
        quantised = quantise(
            for_processors(trained.net, channels, facts=facts), calibration, held_out, least=order.least
        )
        rows.append(judge.rounded(quantised.model, order.folder / _INT8, quantised.floats, quantised.difference))
        named = [row for row in rows if row.path.name in _TITLES]
        text = "\n".join(manifest_text(row.path, facts) for row in named)
        (order.folder / _FACTS).write_text(text, "utf-8")
    except OSError as error:
        raise BadInput(f"{order.folder} cannot be written: {error.strerror}.", "Choose another folder.") from error
    return rows


def _facts(trained: Trained, channels: int) -> dict[str, str]:
    return {
        "title": "livefake swap network",
        "licence": LICENCE,
        "data": "rendered pairs of fictional people, livefake train synth",
        "training_steps": str(trained.step),
        "checkpoint_sha256": trained.sha256,
        "skin": f"{float(trained.net.share):.2f} of the change that was learnt",
        "opset": str(OPSET),
        INPUT: f"(N, {channels}, S, S) float32, 0..1, S a multiple of 32",
        OUTPUT: "(N, 4, S, S) float32, 0..1: blue, green, red, mask",
    }


class _Judge:
    """Writes a model, runs it, and compares it with the network it came from.

    Args:
        net: the network in torch.
        crops: of people that it was not trained on.
        clock: processor time.
        side: of the crops for which the cost is measured, pixels; None measures none.
    """

    def __init__(self, net: Answer, crops: Sequence[Floats], clock: Clock, side: int | None) -> None:
        self._net, self._crops, self._clock, self._side = net, crops, clock, side

    def exact(self, model: onnx.ModelProto, path: Path, largest: float) -> Row:
        """Float32: every value must be torch's."""
        found = self._save(model, path)
        if found.most > _CLOSE or found.most_mask > _CLOSE_MASK:
            path.unlink()
            raise EngineError(
                f"{path.name} should be within {_CLOSE:g} of torch, and {_CLOSE_MASK:g} in the mask, it differs by "
                f"{found.most:.2g} and {found.most_mask:.2g}."
            )
        check = f"torch: mean {found.mean:.1e}, most {found.most:.1e}; largest number inside {largest:.0f}"
        return Row(path, path.stat().st_size, check, found.picture, self._cost(path))

    def near(self, model: onnx.ModelProto, path: Path) -> Row:
        """Float16: the picture must be torch's to a fraction of a level."""
        found = self._save(model, path)
        if found.picture < _HALF_LEAST:
            path.unlink()
            raise EngineError(
                f"{path.name} should agree with torch to {_HALF_LEAST:.0f} dB, it does to {found.picture:.1f} dB."
            )
        check = f"torch: mean {found.mean:.1e}, most {found.most:.1e}"
        return Row(path, path.stat().st_size, check, found.picture, self._cost(path))

    def rounded(self, model: onnx.ModelProto, path: Path, floats: Sequence[str], found: Difference) -> Row:
        """Int8: ``quantise`` has judged it on onnxruntime; here OpenVINO must say the same."""
        here = self._save(model, path)
        if abs(here.picture - found.picture) > _SPREAD:
            path.unlink()
            raise EngineError(
                f"{path.name} should give the same on every engine: {found.picture:.1f} dB on onnxruntime, "
                f"{here.picture:.1f} dB on OpenVINO."
            )
        check = f"worst crop {here.worst:.1f} dB, mask {here.mask:.1f} dB; {len(floats)} convolutions in float"
        return Row(path, path.stat().st_size, check, here.picture, self._cost(path))

    def _save(self, model: onnx.ModelProto, path: Path) -> Difference:
        onnx.save(model, str(path))
        return compare(answers(openvino.load(path)), self._net, self._crops)

    def _cost(self, path: Path) -> dict[str, float]:
        """Processor time of one crop on one thread, the least of interleaved runs."""
        if self._side is None:
            return {}
        shapes = swap_shapes(path, self._side)
        engines = {
            "openvino": openvino.load(path, shapes=shapes, exact=False),
            "onnxruntime": onnx_engine.load(path, shapes=shapes),
        }
        feeds = feeds_of(shapes.keys(), self._crops[0])
        runs = {name: partial(engine.run, feeds) for name, engine in engines.items()}
        least = dict.fromkeys(runs, float("inf"))
        for _ in range(_ROUNDS):
            for name, run in runs.items():
                begun = self._clock()
                run()
                least[name] = min(least[name], milliseconds(self._clock() - begun))
        return least


def manifest_text(path: Path, facts: Mapping[str, str]) -> str:
    """The entry of the manifest for a file that is to lie in ``models/weights``.

    Args:
        path: the file.
        facts: as they stand in the file.
    """

    def lines() -> Iterator[str]:
        content = path.read_bytes()
        yield f"[weights.{path.stem}]"
        source = f"trained on {facts['data']}, {facts['training_steps']} steps"
        words = {
            "title": _TITLES[path.name],
            "file": f"weights/{path.name}",
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for key, word in words.items():
            yield f"{key} = {json.dumps(word)}"
        yield f"bytes = {len(content)}"
        yield f"licence = {json.dumps(facts['licence'])}"
        yield f"source = {json.dumps(source)}"
        found = summarise(path)
        for key, ports in (("inputs", found.inputs), ("outputs", found.outputs)):
            shapes = (f"{name} = {[ANY if side is None else side for side in sides]}" for name, sides in ports.items())
            yield f"{key} = {{ {', '.join(shapes)} }}"

    return "\n".join(lines()) + "\n"
