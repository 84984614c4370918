"""``livefake train``: the weights of the swap model, from rendered people to a trained network."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from livefake.cli import train_dfm, train_job, train_persona
from livefake.cli.tools import open_weights, settings
from livefake.errors import LivefakeError
from livefake.training.answer import Answer

__all__ = ["app"]

app = typer.Typer(help="Train the swap model; make a persona of footage.", no_args_is_help=True)
app.command("persona")(train_persona.persona)
app.command("dfm")(train_dfm.dfm)
app.add_typer(train_job.app, name="job")


def _pairs_folder() -> Path:
    return settings().data / "training" / "pairs"


def _runs_folder() -> Path:
    return settings().data / "training" / "refine"


@app.command("synth")
def synth(
    *,
    kit: Annotated[Path, typer.Option(help="Folder with the head kit: head.npz, skins/ and brows.json.")],
    out: Annotated[Path | None, typer.Option(help="Folder for the pairs; the data folder's training/pairs.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="How many, test split included.")] = 20_000,
    size: Annotated[int, typer.Option(min=64, max=512, help="Side of the crops, pixels, a multiple of 32.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is random.")] = 0,
    answer: Annotated[
        Answer,
        typer.Option(help="What is right: the persona's skin on the performer's shape, or its picture on the mesh."),
    ] = Answer.MESH,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; as many as there are cores.")] = None,
) -> None:
    """Render pairs of fictional people with the exact answer of a swap.

    Can be stopped with Ctrl-C and started again with the same words: finished files stay, damaged ones are made
    again. More pairs later add to those that are there.
    """
    from livefake.resources import models_folder
    from livefake.training.factory import Order, missing_shards, render_shards, shards_for

    # A plain kill ends the workers as tidily as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    weights = open_weights(settings())
    if weights.missing():
        weights.fetch(console.print)
    order = Order(
        kit=kit.resolve(),
        weights=weights.path("face-mesh"),
        mesh=models_folder() / "mesh" / "triangles.npy",
        folder=out or _pairs_folder(),
        shards=shards_for(pairs),
        size=size // 32 * 32,
        seed=seed,
        answer=answer,
    )
    left = len(missing_shards(order.folder, order.shards))
    columns = (TextColumn("Rendering files of 64 pairs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("render", total=order.shards, completed=order.shards - left)
        for _ in render_shards(order, workers=workers or len(os.sched_getaffinity(0))):
            bar.advance(task)
    console.print(f"{order.shards} files are in {order.folder}.")


@app.command("refine")
def refine(
    *,
    data: Annotated[Path | None, typer.Option(help="Folder with the pairs; the data folder's training/pairs.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for checkpoint and report; the data folder's training/refine.")
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(help="Checkpoint of an earlier run, or refine.onnx, to begin with; a wider network is narrowed."),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="Of training in all, over all sittings.")] = 240,
    batch: Annotated[int, typer.Option(min=4, max=256, help="Samples a step, a multiple of 4.")] = 8,
    size: Annotated[
        list[int] | None,
        typer.Option(min=32, max=256, help="Side of the crops, pixels of 256; several are drawn equally often."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of first weights and batches.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the processor; as many as there are cores.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train the swap network on rendered pairs, and judge it on people it has never seen.

    Can be stopped with Ctrl-C or kill and started again with the same words: it goes on where it was. After a power
    cut it goes on from the last checkpoint, at most three minutes back. Writes report.html with curves and pictures
    every quarter of an hour.
    """
    try:
        from livefake.training.loop import SIDES, Plan, Progress
        from livefake.training.loop import refine as train
    except ModuleNotFoundError as error:
        raise LivefakeError(f"Training needs PyTorch ({error}).", "Run: pip install 'livefake[train]'") from error
    from livefake.clock import monotonic

    # A plain kill writes a checkpoint too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    plan = Plan(
        data=data or _pairs_folder(),
        folder=out or _runs_folder(),
        minutes=minutes,
        batch=batch // 4 * 4,
        seed=seed,
        threads=threads or len(os.sched_getaffinity(0)),
        device=device,
        start=start,
        sides=tuple(size or SIDES),
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:.0f} min"),
    )
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("training", total=minutes)

        def tell(now: Progress) -> None:
            words = f"step {now.step}, loss {now.loss:.3f}, {now.speed:.1f} samples/s"
            if "all net_ssim" in now.judged:
                words += f", SSIM {now.judged['all net_ssim']:.3f}"
            bar.update(task, completed=now.minutes, description=words)
            if not console.is_terminal and now.step % 100 == 0:
                console.print(f"{now.minutes:.0f} min: {words}")

        train(plan, clock=monotonic, tell=tell)
    console.print(f"The report is {plan.folder / 'report.html'}.")
