"""``livefake train persona``: a consented person's footage becomes a persona."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from livefake.cli.persona_network import Tuning, bring_in, fine_tune, need_torch, show_plan, threads_for
from livefake.cli.tools import open_weights, packs_folder, settings
from livefake.errors import ConsentError, LivefakeError

if TYPE_CHECKING:
    from livefake.frame import Floats
    from livefake.training.footage.extract import Eyes
    from livefake.training.footage.gather import Gathered, Told
    from livefake.training.footage.guides import Guides
    from livefake.trust.consent import Grant
    from livefake.trust.grants import GrantBook

__all__ = ["look_at_footage", "persona"]

_CHART = "coverage.png"


def persona(
    *,
    footage: Annotated[list[Path], typer.Option(help="Video, picture or folder of them; may be given several times.")],
    grant: Annotated[str, typer.Option(help="Id of the person's grant: see livefake grants list.")],
    name: Annotated[str, typer.Option(help="What the persona is called.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the pack; the data folder's personas/ID.")] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder for work in progress, which then stays; else it is deleted at the end.")
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0, help="Of fine-tuning the swap network on this face, at most; 0 for none.")
    ] = 15,
    steps: Annotated[int, typer.Option(min=1, help="Of fine-tuning, at most.")] = 400,
    batch: Annotated[int, typer.Option(min=4, max=256, help="Examples a step, a multiple of 4.")] = 8,
    start: Annotated[
        Path | None, typer.Option(help="The general network: checkpoint.pt or refine.onnx; the one of livefake.")
    ] = None,
    pairs: Annotated[Path | None, typer.Option(help="Folder of rendered pairs of other people to mix in.")] = None,
    network: Annotated[
        Path | None, typer.Option(help="A network that livefake train job take brought back; no other is trained.")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the processor; as many as train fastest here.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    plan: Annotated[bool, typer.Option("--plan", help="Show what it will cost, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
) -> None:
    """Make a persona of a person who gave a grant for it.

    Every frame with a face is compared with the face of the grant; footage that shows anybody else is refused. Can be
    stopped with Ctrl-C, or killed, and started again with the same words: it goes on where it was, at most a minute
    back. The swap network is fine-tuned on the footage, and kept where it is better than the general one.
    """
    from livefake.clock import wall
    from livefake.training.footage.pack import Title, check_place, draft_pack, finish_pack, identifier
    from livefake.trust.consent import Purpose
    from livefake.trust.grants import GrantBook
    from livefake.trust.packs import sign_pack

    # A plain kill cleans up too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    chosen = settings()
    book = GrantBook(chosen.data)
    # Before anything is read.
    allowed = book.check(grant, now=wall(), purpose=Purpose.TRAIN, output=None)
    target = out.resolve() if out else packs_folder(chosen) / identifier(name)
    check_place(target)
    title = Title(target.name, name, allowed.id)
    folder = work or chosen.data / "training" / "personas" / title.id
    template = _template(book, allowed)
    eyes = look_at_footage(console.print)
    tuning: Tuning | None = None
    if network is not None or minutes or plan:
        need_torch()
    if network is None and (minutes or plan):
        general = start or open_weights(chosen).path("refine")
        quick = threads or threads_for(general, console=console)
        tuning = Tuning(general, minutes, steps, batch // 4 * 4, quick, device, pairs)
    if tuning is not None and (plan or not yes):
        # Asked only where somebody can answer.
        show_plan(footage, eyes, tuning, console=console, ask=not plan and sys.stdin.isatty())
    if plan:
        return
    try:
        gathered = _gather(footage, folder, template, eyes, console)
        _tell_coverage(gathered, folder / _CHART, console)
        draft = folder / "draft"
        # Of an earlier run, perhaps with a network.
        shutil.rmtree(draft, ignore_errors=True)
        with console.status("Making the pictures"):
            draft_pack(draft, _guides(gathered))
        if tuning is not None:
            fine_tune(gathered.folder, draft, folder / "network", eyes, tuning, console=console)
        elif network is not None:
            bring_in(network, gathered.folder, draft, console=console)
        # It may have taken hours: the grant has to hold still.
        book.check(grant, now=wall(), purpose=Purpose.TRAIN, output=None)
        made_with = f"livefake train persona, {len(gathered.measures)} of {gathered.seen} frames"
        finish_pack(draft, target, title, made_with=made_with, sign=lambda pack: sign_pack(pack, book.key), extra={})
    except KeyboardInterrupt:
        console.print("Stopped. Start again with the same words to go on.")
        raise
    except OSError as error:
        raise LivefakeError(
            f"The folder {folder} cannot be written: {error.strerror or error}.", "Name another one with --work."
        ) from error
    if work is None:
        # Pictures of a real person and what tells them from others: nothing of it is needed any more.
        for part in ("files", "chosen", "draft", "network"):
            shutil.rmtree(folder / part, ignore_errors=True)
    console.print(f"The persona {title.id} is in {escape(str(target))}, the chart in {escape(str(folder / _CHART))}.")


def _template(book: GrantBook, grant: Grant) -> Floats:
    """The face of the grant.

    Raises:
        ConsentError: it is not kept here.
    """
    template = book.templates.load(grant.id, grant.template)
    if template is None:
        raise ConsentError(
            f"The face of {grant.subject}'s grant {grant.id} is not kept here, so nobody can be compared with it.",
            "Ask for a new grant: livefake grants sign",
        )
    return template


def _gather(footage: list[Path], folder: Path, template: Floats, eyes: Eyes, console: Console) -> Gathered:
    from livefake.clock import monotonic
    from livefake.training.footage.gather import gather

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ProgressBar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("Reading", total=None)
        told = ""

        def tell(now: Told) -> None:
            nonlocal told
            words = f"{now.file} ({now.number} of {now.files})"
            if told != words and not console.is_terminal:
                console.print(f"Reading {escape(words)}.")
            told = words
            bar.update(task, description=escape(words), completed=now.frames, total=now.total or None)

        return gather(footage, folder, eyes, template, clock=monotonic, tell=tell)


def look_at_footage(tell: Callable[[str], None]) -> Eyes:
    """The networks that look at footage, fetched first where they are not there.

    Args:
        tell: takes one line of progress at a time.

    Raises:
        EngineError: dlib is not installed, or a network cannot be loaded.
        WeightsError: a network cannot be fetched.
    """
    from livefake.engine.factory import engines
    from livefake.faces.detect import Detector
    from livefake.faces.identity import IdentityNet, chip
    from livefake.faces.landmarks import LandmarkNet
    from livefake.training.footage.extract import Eyes

    # First: whoever lacks the extra hears of it before networks are fetched.
    net = IdentityNet()
    chosen = settings()
    weights = open_weights(chosen)
    if weights.missing():
        weights.fetch(tell)
    detector = engines(chosen.cache, exact=False).load(weights.path("face-detector"))
    landmarks = engines(chosen.cache, exact=True).load(weights.path("face-mesh"))
    return Eyes(
        Detector(detector),
        LandmarkNet(landmarks),
        lambda faces: net.embed_many([chip(picture, points) for picture, points in faces]),
    )


def _tell_coverage(gathered: Gathered, path: Path, console: Console) -> None:
    import cv2

    from livefake.training.footage.chart import draw_chart
    from livefake.training.footage.coverage import count, missing

    coverage = count(gathered.measures)
    words = missing(coverage)
    done, coded = cv2.imencode(".png", draw_chart(coverage, words))
    if done:
        path.write_bytes(coded.tobytes())
    console.print(
        f"{gathered.looked_at} frames, {gathered.seen} with a face, all compared with the grant: median distance"
        f" {gathered.median:.2f}. {coverage.takes} are used."
    )
    for sentence in (*gathered.problems, *words):
        console.print(f"- {escape(sentence)}")


def _guides(gathered: Gathered) -> Guides:
    from livefake.swap.mesh import face_triangles
    from livefake.training.footage.guides import make_guides
    from livefake.training.footage.takes import Takes

    triangles = face_triangles()
    return make_guides(Takes(gathered.folder), gathered.measures, triangles)
