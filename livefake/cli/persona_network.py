"""The part of ``livefake train persona`` that needs PyTorch: the plan before it starts, and a network of one's own."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as ProgressBar

from livefake.errors import EngineError, LivefakeError

if TYPE_CHECKING:
    from livefake.training.footage.extract import Eyes

__all__ = ["Tuning", "bring_in", "fine_tune", "need_torch", "show_plan", "threads_for"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the swap network is fine-tuned on a face.

    Attributes:
        start: the general network, a checkpoint or an ONNX file.
        minutes: of training, at most.
        steps: likewise.
        batch: examples a step, a multiple of 4.
        threads: of the processor.
        device: "cpu" or "cuda".
        pairs: rendered pairs of other people that are mixed in; None where there are none.
    """

    start: Path
    minutes: float
    steps: int
    batch: int
    threads: int
    device: str
    pairs: Path | None


def need_torch() -> None:
    """Say what is missing before anything starts.

    Raises:
        LivefakeError: a package that fine-tuning needs is not installed.
    """
    missing = [name for name in ("torch", "onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise LivefakeError(
            f"A network of one's own needs {', '.join(missing)}, not installed here.",
            "Run: pip install 'livefake[train,export]', or make the pictures alone with --minutes 0",
        )


def threads_for(start: Path, *, console: Console) -> int:
    """As many threads as train fastest here, measured for a few seconds."""
    from livefake.clock import monotonic
    from livefake.training.personal.outlook import quickest

    with console.status("Measuring this machine"):
        return quickest(start, len(os.sched_getaffinity(0)), clock=monotonic)


def show_plan(footage: Sequence[Path], eyes: Eyes, tuning: Tuning, *, console: Console, ask: bool) -> None:
    """Measure this machine for a few seconds and show what the work will cost here and elsewhere.

    Args:
        footage: files and folders.
        eyes: what they are looked at with.
        tuning: what is planned.
        console: for what is said on the way; the table goes to standard output.
        ask: whether to ask before going on.

    Raises:
        BadInput: there is no footage, or the general network cannot be used.
        typer.Abort: the answer was no.
    """
    from livefake.clock import monotonic
    from livefake.training.personal.outlook import footage_seconds, look_ahead
    from livefake.training.personal.plan import plan_table

    with console.status("Measuring this machine"):
        plans = look_ahead(
            footage,
            tuning.start,
            eyes,
            batch=tuning.batch,
            steps=tuning.steps,
            threads=tuning.threads,
            clock=monotonic,
        )
    Console().print(plan_table(plans))
    console.print(
        f"For {footage_seconds(footage, clock=monotonic):.0f} s of footage and {tuning.steps} steps; training ends "
        f"after {tuning.minutes:g} minutes in any case. GPU times are estimates."
    )
    here = plans[0]
    if not here.fits:
        console.print("[bold]It does not fit into this machine's memory.[/]")
    if ask and not typer.confirm("Start?", default=here.fits, err=True):
        raise typer.Abort


def fine_tune(takes: Path, draft: Path, folder: Path, eyes: Eyes, tuning: Tuning, *, console: Console) -> None:
    """Fine-tune the general network on a person's takes and put it into the draft, where it is the better one.

    Args:
        takes: folder of the chosen takes.
        draft: folder with the guide pictures and their landmarks.
        folder: for checkpoints and previews; what it holds of an earlier run on the same takes is gone on with.
        eyes: tell whose face a picture shows.
        tuning: how.
        console: told how it goes.

    Raises:
        BadInput: something cannot be used.
        LivefakeError: a package is missing, or the loss is not finite.
    """
    from livefake.clock import monotonic
    from livefake.training.personal.finetune import SHEET, Job, Progress, finetune

    job = Job(
        takes=takes,
        pack=draft,
        start=tuning.start,
        folder=folder / _key(takes / "takes.npz", draft / "face.png", tuning.start),
        minutes=tuning.minutes,
        steps=tuning.steps,
        batch=tuning.batch,
        threads=tuning.threads,
        device=tuning.device,
        pairs=tuning.pairs,
    )
    columns = (TextColumn("{task.description}"), BarColumn())
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("Fine-tuning", total=1.0)

        def tell(now: Progress) -> None:
            words = f"Fine-tuning: step {now.step}, {now.minutes:.1f} min, loss {now.loss:.3f}"
            bar.update(task, completed=now.share, description=words)
            if not console.is_terminal and now.step % 50 == 0:
                console.print(words)

        result = finetune(job, clock=monotonic, tell=tell, embed=eyes.embed)
    for name, scores in result.scores.items():
        identity = "" if scores.identity is None else f", {scores.identity:.2f} away from the person"
        console.print(f"- {name}: error {scores.error:.2f} levels, SSIM {scores.ssim:.3f}{identity}")
    console.print(escape(result.words))
    console.print(f"Before and after: {escape(str(job.folder / SHEET))}.")
    if result.network is not None:
        _round(draft, takes, result.network, console)


def bring_in(network: Path, takes: Path, draft: Path, *, console: Console) -> None:
    """Put a network that was fine-tuned elsewhere into the draft, and make its int8 form.

    Args:
        network: as ``livefake train job take`` writes it.
        takes: folder of the takes it was fine-tuned on.
        draft: folder with the guide pictures and their landmarks.
        console: told how it goes.

    Raises:
        BadInput: it is no swap network.
        LivefakeError: it cannot be copied, or a package is missing.
    """
    from livefake.training.personal.finetune import NETWORK
    from livefake.training.personal.weights import read_network

    # Read it whole before it becomes part of anything.
    read_network(network)
    shutil.copyfile(network, draft / NETWORK)
    _round(draft, takes, draft / NETWORK, console)


def _round(draft: Path, takes: Path, network: Path, console: Console) -> None:
    from livefake.training.personal.rounded import write_rounded

    try:
        with console.status("Rounding the network to int8"):
            near = write_rounded(draft, takes, network)
        console.print(f"In int8 its picture agrees to {near:.1f} dB.")
    except EngineError as error:
        console.print(f"{escape(error.problem)} Processors run it in float16, which is slower.")


def _key(*files: Path) -> str:
    """A name for a fine-tuning: other takes, another picture or another network begin anew."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
