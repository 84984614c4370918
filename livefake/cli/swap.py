"""``livefake swap``: a file instead of a camera."""

from __future__ import annotations

import secrets
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from livefake.cli.tools import open_provenancer, open_studio, packs_folder, settings, write_json
from livefake.compose.treatment import Others
from livefake.errors import BadMedia, LivefakeError

if TYPE_CHECKING:
    from livefake.flow.timing import Timings
    from livefake.offline import FileReport

__all__ = ["swap"]

NOTHING_SWAPPED = 3
"""Exit code when the file was written but no frame in it could be swapped."""


def swap(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Video or picture to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="MP4 file to write; for a picture .jpg or .png.")],
    persona: Annotated[str, typer.Option(help="Who to become; see: livefake personas list")],
    others: Annotated[Others, typer.Option(help="What happens to other people's faces.")] = Others.BLUR,
    report: Annotated[Path | None, typer.Option(help="Write counts and timings to this JSON file.")] = None,
) -> None:
    """Swap the largest face of a video or picture; every frame is labelled and marked, the file signed, the sound kept.

    Frames without that face show the last swapped picture or a card, never the original. The exit code is 0,
    3 when no frame could be swapped, 1 for any other problem.
    """
    from livefake.clock import monotonic, wall
    from livefake.flow.timing import Timings
    from livefake.media.holdcard import CardPainter
    from livefake.media.witness import Witness
    from livefake.offline import patient_budget, swap_file
    from livefake.resources import models_folder
    from livefake.swap.persona import find_persona
    from livefake.trust.consent import Output
    from livefake.trust.grants import GrantBook
    from livefake.trust.keys import installation_key
    from livefake.trust.ledger import Ledger
    from livefake.trust.scribe import Scribe

    # A wrong name is told before anything is loaded.
    if not source.is_file():
        raise BadMedia(f"{source} should be a video file, and there is no such file.")
    chosen = settings()
    find_persona(models_folder() / "personas", persona, packs_folder(chosen))
    console = Console(stderr=True)
    provenancer = open_provenancer(chosen)
    # So is a certificate that cannot sign.
    provenancer.chain()
    studio, timings, number = open_studio(console, chosen), Timings(size=100_000), secrets.randbits(36)
    scribe = Scribe(Ledger(chosen.data, installation_key(chosen.data)))
    witness = Witness(scribe, number, output=Output.FILE, clock=monotonic, time_of_day=wall)
    with ExitStack() as close:
        close.callback(scribe.close)
        rig = studio.rig(
            persona,
            session=number,
            others=others,
            budget=patient_budget(),
            clock=monotonic,
            # Decoder and encoder work on threads of their own meanwhile; the stages are charged for theirs only.
            cpu_clock=time.thread_time_ns,
            observers=(timings,),
            look=chosen.look,
            output=Output.FILE,
            record=witness.problem,
        )
        grant = None if rig.gate is None else GrantBook(chosen.data).find(rig.gate.grant)
        witness.begin(rig.grant)
        close.callback(witness.end)
        columns = (TextColumn("Swapping"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        bar = close.enter_context(Progress(*columns, console=console, transient=True))
        task = bar.add_task("swap", total=None)
        done = swap_file(
            source,
            target,
            rig,
            CardPainter(),
            sign=lambda half, whole: provenancer.sign(
                half,
                whole,
                session=rig.payload.session,
                payload=rig.payload,
                grant=grant,
                title="Made by livefake swap",
            ),
            clock=monotonic,
            progress=lambda count, total: bar.update(task, completed=count, total=total or None),
            witness=witness,
        )
    if rig.grant is not None and scribe.lost + scribe.waiting:
        target.unlink(missing_ok=True)
        raise LivefakeError(
            f"{target} was taken back: it shows a real person, and the ledger could not be written.",
            "Make room on the disk and swap again.",
        )
    if report is not None:
        write_json(_report(done, timings), report)
    console.print(
        f"{target}: {done.swapped} of {done.frames} frames swapped, {done.held} held, {done.carded} on the card,"
        f" in {done.seconds:.1f} s."
    )
    if not done.swapped:
        console.print("No face could be swapped in this file.")
        raise typer.Exit(NOTHING_SWAPPED)


def _report(done: FileReport, timings: Timings) -> dict[str, object]:
    from livefake.flow.timing import FRAME

    stages = {name: asdict(timing) for name, timing in timings.report().items()}
    frame = stages.pop(FRAME, None)
    return {**asdict(done), "stages": stages, "frame": frame}
