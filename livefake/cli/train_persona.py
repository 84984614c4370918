"""``livefake train persona``: a consented person's footage becomes a persona."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar

from livefake.cli.tools import open_weights, packs_folder, settings
from livefake.errors import ConsentError, LivefakeError

if TYPE_CHECKING:
    from livefake.training.footage.extract import Eyes
    from livefake.training.footage.gather import Gathered, Told
    from livefake.training.footage.guides import Guides
    from livefake.trust.consent import Grant
    from livefake.trust.grants import GrantBook

__all__ = ["check_training", "look_at_footage", "persona", "personal_network"]

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
    minutes: Annotated[float, typer.Option(min=0, help="Of fine-tuning the swap network on this face.")] = 0,
) -> None:
    """Make a persona of a person who gave a grant for it.

    Every frame with a face is compared with the face of the grant; footage that shows anybody else is refused. Can be
    stopped with Ctrl-C and started again with the same words: files that were read are not read again.
    """
    from livefake.clock import wall
    from livefake.training.footage.pack import Title, check_place, draft_pack, finish_pack, identifier
    from livefake.trust.consent import Purpose
    from livefake.trust.grants import GrantBook
    from livefake.trust.packs import sign_pack

    check_training(minutes)
    # A plain kill cleans up too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    chosen = settings()
    book = GrantBook(chosen.data)
    # Before anything is read.
    allowed = book.check(grant, now=wall(), purpose=Purpose.TRAIN, output=None)
    word = identifier(name)
    target = out.resolve() if out else packs_folder(chosen) / word
    check_place(target)
    title = Title(target.name, name, allowed.id)
    folder = work or chosen.data / "training" / "personas" / title.id
    try:
        gathered = _gather(footage, folder, book, allowed, console)
        _tell_coverage(gathered, folder / _CHART, console)
        draft = folder / "draft"
        with console.status("Making the pictures"):
            draft_pack(draft, _guides(gathered))
        network = personal_network(gathered.folder, draft, folder / "network", minutes)
        # It may have taken hours: the grant has to hold still.
        book.check(grant, now=wall(), purpose=Purpose.TRAIN, output=None)
        made_with = f"livefake train persona, {len(gathered.measures)} of {gathered.seen} frames"
        finish_pack(
            draft,
            target,
            title,
            made_with=made_with,
            sign=lambda pack: sign_pack(pack, book.key),
            extra=network,
        )
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


def check_training(minutes: float) -> None:
    """Make sure that fine-tuning can be had, before hours of work.

    Raises:
        LivefakeError: it cannot.
    """
    if minutes > 0:
        raise LivefakeError(
            f"This version makes a persona's pictures only; {minutes:g} minutes of fine-tuning were asked for.",
            "Leave --minutes out.",
        )


def personal_network(takes: Path, draft: Path, folder: Path, minutes: float) -> Mapping[str, Path]:
    """Fine-tune the swap network on a person's takes.

    Args:
        takes: folder of the chosen takes.
        draft: folder with the guide pictures and their landmarks.
        folder: for checkpoints; what it holds of an earlier run is gone on with.
        minutes: of training; 0 for none, and the persona is worn by its pictures alone.

    Returns:
        Files for the pack, by name; none where nothing was trained.

    Raises:
        LivefakeError: see ``check_training``.
    """
    check_training(minutes)
    return {}


def _gather(footage: list[Path], folder: Path, book: GrantBook, grant: Grant, console: Console) -> Gathered:
    from livefake.clock import monotonic
    from livefake.training.footage.gather import gather

    template = book.templates.load(grant.id, grant.template)
    if template is None:
        raise ConsentError(
            f"The face of {grant.subject}'s grant {grant.id} is not kept here, so nobody can be compared with it.",
            "Ask for a new grant: livefake grants sign",
        )
    eyes = look_at_footage(console.print)
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
    from livefake.resources import models_folder
    from livefake.swap.mesh import read_triangles
    from livefake.training.footage.guides import make_guides
    from livefake.training.footage.takes import Takes

    triangles = read_triangles(models_folder() / "mesh" / "triangles.npy")
    return make_guides(Takes(gathered.folder), gathered.measures, triangles)
