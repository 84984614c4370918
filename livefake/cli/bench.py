"""``livefake bench``: how fast this machine is, and whether a change made it faster.

Timing the stages works everywhere; the other measurements stand in ``benchmarks/`` and need a checkout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from livefake.cli.tools import open_studio, settings, write_json
from livefake.errors import LivefakeError
from livefake.resources import PACKAGE

__all__ = ["app"]

app = typer.Typer(help="Benchmarks that anyone can repeat.", no_args_is_help=True)

_Out = Annotated[Path, typer.Option(help="Folder for the result.")]
_LAB = Path("out") / "lab"
_REEL = 240


@app.callback()
def _family() -> None:
    """Benchmarks that anyone can repeat."""


@app.command("stages")
def stages(
    *,
    file: Annotated[Path | None, typer.Option("--file", help="Video to take the frames from; the demo clip.")] = None,
    frames: Annotated[int, typer.Option(min=10, help="How many frames.")] = 240,
    persona: Annotated[str | None, typer.Option(help="Who to become; the first one listed.")] = None,
    lines: Annotated[int, typer.Option(help="Height of the picture: 360, 720 or 1080; the clip's own if 0.")] = 0,
    face: Annotated[int, typer.Option(help="Height of the face in it, pixels.")] = 0,
    faces: Annotated[int, typer.Option(help="How many faces, 1 or 2.")] = 1,
    network: Annotated[
        int, typer.Option(help="Side of the network's crop: 256, 192, 128; 0 for the mesh alone.")
    ] = 256,
    grid: Annotated[
        bool, typer.Option("--grid", help="Every size of picture, face and network; some minutes.")
    ] = False,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file; '-' prints it.")] = None,
    out: _Out = _LAB,
) -> None:
    """Time each stage of the pipeline: wall time, and processor time of the whole process."""
    if grid:
        with _laboratory("stages"):
            from benchmarks.stages import grid as layouts
            from benchmarks.stages import run
        from livefake.stagebench import NETWORKS

        run(layouts(), NETWORKS, frames=frames, clip=file, persona=persona, out=out)
        return
    from livefake.flow.timing import FRAME
    from livefake.machine import describe_machine, machine_facts
    from livefake.resources import models_folder
    from livefake.stagebench import WARM, Cost, StageBench, costs
    from livefake.stagereel import Layout, find_faces, lay_out, read_clip

    layout = Layout(lines, face, faces)
    console = Console(stderr=True)
    studio = open_studio(console, settings())
    clip = file or models_folder() / "demo" / "performer.mp4"
    with console.status(f"Timing {frames} frames"):
        pictures = read_clip(clip, min(frames, _REEL))
        boxes = find_faces(pictures, studio.networks()) if layout.lines else []
        wearer = persona or studio.personas[0].id
        bench = StageBench(studio, wearer, lay_out(pictures, boxes, layout), network=network, layout=layout)
        bench.run(WARM)
        measured = costs([bench.run(frames)])
    whole = measured.pop(FRAME, Cost())
    if json is not None:
        document = {
            "machine": machine_facts(),
            "setting": bench.describe(),
            "stages": {name: asdict(cost) for name, cost in measured.items()},
            "frame": asdict(whole),
        }
        write_json(document, json)
        return
    table = Table("stage", "p50 ms", "p95 ms", "p99 ms", "cpu ms", box=None, header_style="bold")
    for name, cost in [*measured.items(), (FRAME, whole)]:
        table.add_row(name, *(f"{value:.2f}" for value in (cost.p50_ms, cost.p95_ms, cost.p99_ms, cost.cpu_ms)))
    Console().print(table)
    print(describe_machine())


@app.command("compare")
def compare(
    first: Annotated[str, typer.Argument(help="What the other is measured against: COMMIT, or . for the files here.")],
    second: Annotated[str, typer.Argument(help="The same; settings after an @, such as .@network=128,lines=720.")],
    pairs: Annotated[int, typer.Option(min=2, help="Turns of each side.")] = 20,
    frames: Annotated[int, typer.Option(min=8, help="Frames a turn.")] = 32,
    out: _Out = _LAB,
) -> None:
    """Let two commits or two settings take turns, and tell how many times as long the second takes."""
    with _laboratory("compare"):
        from benchmarks.compare import run
    run(first, second, pairs=pairs, frames=frames, out=out)


@app.command("live")
def live(
    *,
    size: Annotated[str, typer.Option(help="Of the picture: 360p or 720p.")] = "720p",
    seconds: Annotated[float, typer.Option(min=2, help="Of each part.")] = 30,
    rounds: Annotated[int, typer.Option(min=1, help="How often with and without the swap.")] = 1,
    persona: Annotated[str | None, typer.Option(help="Who to become; the first one listed.")] = None,
    via: Annotated[
        str, typer.Option(help="browser; clip: no browser on these cores; whip: FFmpeg in, a WHEP player out.")
    ] = "browser",
    echo: Annotated[bool, typer.Option(help="Measure the way without the swap too.")] = True,
    out: _Out = _LAB,
) -> None:
    """Measure the live path, with a browser or without: delay, pacing, drops by cause, processor time by thread."""
    with _laboratory("live"):
        from benchmarks.live import run
    run(size, seconds=seconds, rounds=rounds, persona=persona, via=via, echo=echo, out=out)


@app.command("load")
def load(
    *,
    kind: Annotated[
        list[str] | None, typer.Option(help="Of session: 360p15, 360p30, 720p30; all, one after the other.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=63, help="Sessions at once.")] = 8,
    seconds: Annotated[float, typer.Option(min=2, help="Of every step.")] = 10,
    out: _Out = _LAB,
) -> None:
    """Open one session more at a time, until pictures no longer come back in time."""
    with _laboratory("load"):
        from benchmarks.load import KINDS, run
    run(kind or tuple(KINDS), most=most, seconds=seconds, out=out)


@app.command("soak")
def soak(
    *,
    minutes: Annotated[int, typer.Option(min=1, help="How long.")] = 30,
    kind: Annotated[str, typer.Option(help="Of session: 360p15, 360p30, 720p30.")] = "360p30",
    count: Annotated[int, typer.Option(min=1, max=64, help="Sessions at once.")] = 1,
    out: _Out = _LAB,
) -> None:
    """Run sessions for long; exit with 1 where memory, delay, threads or files creep up."""
    with _laboratory("soak"):
        from benchmarks.soak import run
    if not run(minutes, kind=kind, count=count, out=out):
        raise typer.Exit(1)


@app.command("report")
def report(
    folder: Annotated[Path, typer.Argument(help="With results.")] = _LAB,
    html: Annotated[Path | None, typer.Option(help="Where the page goes; report.html in the folder.")] = None,
) -> None:
    """Put the results of a folder on one page."""
    with _laboratory("report"):
        import matplotlib as _  # noqa: F401 - asked for later, and missing it should be told like this

        from benchmarks.report import run
    print(run(folder, html))


@contextmanager
def _laboratory(name: str) -> Iterator[None]:
    """Around the import of a measurement.

    Raises:
        LivefakeError: this is no checkout, or the measurement needs a package that is not installed.
    """
    # Another project's folder of that name may be importable too.
    if not (PACKAGE.parent / "benchmarks" / f"{name}.py").is_file():
        raise LivefakeError(
            f"Measuring {name} needs a checkout of livefake, and this is an installed package.",
            "Clone the repository, run make test there once, and measure in its folder.",
        )
    try:
        yield
    except ModuleNotFoundError as error:
        raise LivefakeError(
            f"Measuring {name} needs the package {error.name}, which is not installed.",
            "Install what the laboratory needs: pip install -e '.[bench]'",
        ) from error
