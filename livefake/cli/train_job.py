"""``livefake train job``: fine-tuning on a rented machine, as one archive out and one archive back."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as ProgressBar

from livefake.cli.tools import settings
from livefake.errors import ConsentError, LivefakeError

if TYPE_CHECKING:
    from livefake.training.personal.jobs import Taken

__all__ = ["app"]

app = typer.Typer(help="Fine-tune on a rented machine: one archive out, one back.", no_args_is_help=True)

_Archive = Annotated[Path, typer.Argument(help="The job, as livefake train job pack writes it.")]


def _need_torch(error: ModuleNotFoundError) -> LivefakeError:
    return LivefakeError(f"Training needs PyTorch ({error}).", "Run: pip install 'livefake[export]'")


@app.command("pack")
def pack(
    archive: Annotated[Path, typer.Argument(help="The archive to write, .zip.")],
    *,
    takes: Annotated[Path, typer.Option(help="Folder with the takes of the person.")],
    persona: Annotated[Path, typer.Option(help="Folder of the pack: face.png and landmarks.npy.")],
    start: Annotated[Path, typer.Option(help="The general network: checkpoint.pt or refine.onnx.")],
    grant: Annotated[str | None, typer.Option(help="Id of the person's grant; needed for who exists.")] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="Of training, at most.")] = 30,
    steps: Annotated[int, typer.Option(min=1, help="Of training, at most.")] = 400,
    batch: Annotated[int, typer.Option(min=4, max=256, help="Examples a step, a multiple of 4.")] = 8,
    side: Annotated[int, typer.Option(min=64, max=512, help="Of the crops, pixels, a multiple of 32.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of split and batches.")] = 0,
) -> None:
    """Pack what a rented machine needs.

    The archive holds pictures of the person's face, and no face template: send it only where the grant lets it go.
    """
    permit = _permitted(persona, grant)
    try:
        from livefake.training.personal.job import Job
        from livefake.training.personal.jobs import GrantNote, pack_job
    except ModuleNotFoundError as error:
        raise _need_torch(error) from error
    job = Job(
        takes=takes,
        pack=persona,
        start=start,
        folder=archive.parent,
        minutes=minutes,
        steps=steps,
        batch=batch // 4 * 4,
        side=side // 32 * 32,
        seed=seed,
    )
    pack_job(job, archive, grant=None if permit is None else GrantNote(*permit))
    Console(stderr=True).print(
        f"{archive} has {archive.stat().st_size / 1e6:.0f} MB. On the other machine: "
        f"livefake train job run {archive.name} RESULT.zip"
    )


@app.command("run")
def run(
    archive: _Archive,
    result: Annotated[Path, typer.Argument(help="The archive to write, .zip.")],
    *,
    work: Annotated[Path | None, typer.Option(help="Folder for checkpoints; beside the archive.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the processor; as many as there are cores.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Do a job. Can be stopped and started again with the same words: it goes on, at most a minute back."""
    try:
        from livefake.training.personal.job import Progress
        from livefake.training.personal.jobs import run_job
    except ModuleNotFoundError as error:
        raise _need_torch(error) from error
    from livefake.clock import monotonic

    # A plain kill writes a checkpoint too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn())
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("fine-tuning", total=1.0)

        def tell(now: Progress) -> None:
            words = f"step {now.step}, {now.minutes:.1f} min, loss {now.loss:.3f}"
            bar.update(task, completed=now.share, description=words)
            if not console.is_terminal and now.step % 50 == 0:
                console.print(words)

        done = run_job(
            archive,
            result,
            work=work or archive.with_suffix(".work"),
            threads=threads or len(os.sched_getaffinity(0)),
            device=device,
            clock=monotonic,
            tell=tell,
        )
    _say(console, done)
    console.print(f"Bring back {result}.")


@app.command("take")
def take(
    result: Annotated[Path, typer.Argument(help="What came back.")],
    archive: _Archive,
    *,
    out: Annotated[Path, typer.Option(help="Folder for refine.onnx and the before-and-after picture.")],
) -> None:
    """Check what came back from a rented machine, and make the network's file from its weights."""
    try:
        from livefake.training.personal.jobs import take_result
    except ModuleNotFoundError as error:
        raise _need_torch(error) from error
    console = Console(stderr=True)
    done = take_result(result, archive, out)
    _say(console, done)
    if done.network is not None:
        console.print(f"The network is {done.network}.")


def _say(console: Console, done: Taken) -> None:
    console.print(done.words, markup=False)
    for name, scores in done.scores.items():
        numbers = ", ".join(f"{key} {value:.3f}" for key, value in scores.items() if value is not None)
        console.print(f"{name}: {numbers}", markup=False)


def _permitted(folder: Path, grant: str | None) -> tuple[str, str] | None:
    """Id and hash of the grant that the work is done under, or None for a persona that is nobody's face.

    Raises:
        ConsentError: the persona may be a real person's, and no grant lets a network learn it.
    """
    from livefake.clock import wall
    from livefake.swap.persona import Kind, load_persona, read_card
    from livefake.trust.consent import Purpose
    from livefake.trust.grants import GrantBook

    if grant is None:
        if (folder / "persona.toml").exists() and (card := read_card(folder)).kind is Kind.FICTIONAL:
            # Another picture under this card would be another person's.
            load_persona(card)
            return None
        raise ConsentError(
            f"{folder.name} is not known to be fictional, so learning it needs the person's grant; none was given.",
            "Give --grant ID; see: livefake grants list",
        )
    found = GrantBook(settings().data).check(grant, now=wall(), purpose=Purpose.TRAIN, output=None)
    return found.id, hashlib.sha256(found.content).hexdigest()
