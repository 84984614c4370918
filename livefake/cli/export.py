"""``livefake export``: the trained network as files that run everywhere."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from livefake.cli.tools import settings
from livefake.errors import LivefakeError

__all__ = ["export"]


def export(
    *,
    checkpoint: Annotated[
        Path | None, typer.Option(help="Of livefake train refine; the data folder's training/refine/checkpoint.pt.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files; the data folder's training/export.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the pairs; the data folder's training/pairs.")] = None,
    skin: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of its change on skin that the network shows; less of it is less performer.",
        ),
    ] = None,
    static: Annotated[
        list[int] | None, typer.Option(help="Make a file for this side alone too, pixels; may be given several times.")
    ] = None,
) -> None:
    """Make the files that are shipped from a trained network, check and time each, and build for the GPU.

    Writes refine-float32.onnx, refine.onnx (float16) and refine-int8.onnx, and weights.toml with what the manifest
    says of them. Stops with an error if a file is not as close to the network as it must be.
    """
    try:
        from livefake.training.bundle import Export
        from livefake.training.bundle import export as make
    except ModuleNotFoundError as error:
        raise LivefakeError(
            f"Exporting needs PyTorch, onnx and onnxruntime ({error}).", "Run: pip install 'livefake[export]'"
        ) from error

    training = settings().data / "training"
    order = Export(
        checkpoint=checkpoint or training / "refine" / "checkpoint.pt",
        data=data or training / "pairs",
        folder=out or training / "export",
        sides=tuple(static or ()),
        skin=skin,
    )
    console = Console(stderr=True)
    with console.status("Exporting") as status:

        def tell(line: str) -> None:
            status.update(escape(line))
            if not console.is_terminal:
                console.print(escape(line))

        rows = make(order, cpu_clock=time.process_time_ns, tell=tell)
    engines = ("openvino", "onnxruntime")
    table = Table("file", "MB", "PSNR dB", *(f"{name} ms cpu" for name in engines), box=None, header_style="bold")
    table.columns[0].no_wrap = True
    for row in rows:
        cost = [f"{row.cost[name]:.1f}" if name in row.cost else "" for name in engines]
        table.add_row(row.path.name, f"{row.size / 1e6:.2f}", f"{row.psnr:.1f}", *cost)
    Console().print(table)
    for row in rows:
        print(f"{row.path.name}: {row.check}")
    console.print(f"The files are in {order.folder}, with weights.toml for the manifest.")
    _build(console, order.folder)


def _build(console: Console, folder: Path) -> None:
    """Build the TensorRT engine ahead of time, or say why there is none."""
    from livefake.engine.factory import SwapFiles, fixed_shapes, open_swap_engine
    from livefake.engine.gpu import find_gpu
    from livefake.engine.weights import read_manifest
    from livefake.swap.finisher import swap_shapes

    gpu = find_gpu()
    if gpu is None:
        console.print("No TensorRT engine was built: there is no NVIDIA GPU. The first start on one builds it.")
        return
    files = SwapFiles(folder / "refine.onnx", folder / "refine-int8.onnx")
    shapes = fixed_shapes(read_manifest(folder / "weights.toml")["refine"].inputs)
    with console.status(f"Building the TensorRT engine for {gpu.name}; this takes minutes"):
        # Opening runs it once: that is when TensorRT builds.
        own = swap_shapes(files.processor, 256)
        choice = open_swap_engine(files, shapes=shapes, processor_shapes=own, cache=settings().cache, gpu=gpu)
    if choice.name == "tensorrt":
        console.print(f"The TensorRT engine for {gpu.name} is built in {settings().cache / 'tensorrt'}.")
    else:
        console.print(f"No TensorRT engine was built for {gpu.name}; {choice.engine.device} runs instead.")
        for refusal in choice.refusals:
            console.print(escape(refusal))
