"""``livefake train dfm``: one persona as a file for DeepFaceLive."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as ProgressBar

from livefake.cli.tools import packs_folder, settings
from livefake.errors import LivefakeError

if TYPE_CHECKING:
    from livefake.swap.persona import PersonaCard

__all__ = ["dfm"]


def dfm(
    *,
    persona: Annotated[str, typer.Option(help="Id of the persona; see livefake personas list.")],
    out: Annotated[Path, typer.Option(help="The file to write, .dfm.")],
    takes: Annotated[Path | None, typer.Option(help="Folder with takes of the person.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Folder with rendered pairs, whose performers are learnt from.")
    ] = None,
    network: Annotated[
        Path | None, typer.Option(help="Swap network that teaches: checkpoint.pt or .onnx; the pack's own refine.onnx.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="Of distilling, over all sittings.")] = 120,
    batch: Annotated[int, typer.Option(min=1, max=256, help="Examples a step.")] = 8,
    size: Annotated[int, typer.Option(min=64, max=448, help="Side of the crops, pixels, a multiple of 32.")] = 224,
    seed: Annotated[int, typer.Option(min=0, help="Of weights and batches.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the processor; as many as there are cores.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Distil a persona into a .dfm file. A real person's grant must allow files.

    Pictures made with such a file carry neither label nor watermark. Can be stopped and started again with the same
    words: it goes on, at most a minute back.
    """
    from livefake.resources import models_folder
    from livefake.swap.persona import find_persona

    card = find_persona(models_folder() / "personas", persona, packs_folder(settings()))
    _check(card)
    try:
        from livefake.training.personal.dfm import DfmOrder, make_dfm
    except ModuleNotFoundError as error:
        raise LivefakeError(
            f"Distilling needs PyTorch and onnx ({error}).", "Run: pip install 'livefake[export]'"
        ) from error
    from livefake.clock import monotonic

    # A plain kill writes a checkpoint too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    order = DfmOrder(
        pack=card.folder,
        network=network or card.folder / "refine.onnx",
        out=out,
        folder=settings().data / "training" / "dfm" / card.id,
        minutes=minutes,
        consent="Nobody's face: the persona does not exist."
        if card.grant is None
        else f"Made under the grant {card.grant}. Whoever uses this file needs that person's consent too.",
        takes=takes,
        pairs=pairs,
        batch=batch,
        size=size // 32 * 32,
        seed=seed,
        threads=threads or len(os.sched_getaffinity(0)),
        device=device,
    )
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn())
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("distilling", total=minutes)

        def tell(step: int, done: float, loss: float) -> None:
            words = f"step {step}, {done:.1f} of {minutes:g} min, loss {loss:.3f}"
            bar.update(task, completed=done, description=words)
            if not console.is_terminal and step % 100 == 0:
                console.print(words)

        make_dfm(order, check=lambda: _check(card), clock=monotonic, tell=tell)
    console.print(f"{out} has {out.stat().st_size / 1e6:.1f} MB. It carries neither label nor watermark.")


def _check(card: PersonaCard) -> None:
    """Refuse a real person's face unless the grant lets a network learn it and lets it go into a file.

    Raises:
        BadPersona: the pack was changed.
        ConsentError: the grant does not cover it.
        NotFound: there is no such grant.
    """
    from livefake.clock import wall
    from livefake.errors import ConsentError
    from livefake.swap.persona import Kind, load_persona
    from livefake.trust.consent import Output, Purpose
    from livefake.trust.grants import GrantBook
    from livefake.trust.packs import check_pack

    # Another picture under this card would be another person's.
    load_persona(card)
    if card.kind is Kind.FICTIONAL:
        return
    if card.grant is None:
        raise ConsentError(f"The persona {card.id} is a real person's and names no grant.")
    book = GrantBook(settings().data)
    check_pack(card, book.operator)
    now = wall()
    book.check(card.grant, now=now, purpose=Purpose.TRAIN, output=None)
    book.check(card.grant, now=now, purpose=Purpose.WEAR, output=Output.FILE)
