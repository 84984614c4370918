"""``livefake bench``: how fast this machine is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from livefake.cli.tools import open_studio, settings, write_json

__all__ = ["app"]

app = typer.Typer(help="Benchmarks that anyone can repeat.", no_args_is_help=True)


@app.callback()
def _family() -> None:
    """Benchmarks that anyone can repeat."""


@app.command("stages")
def stages(
    file: Annotated[Path | None, typer.Option("--file", help="Video to take the frames from; the demo clip.")] = None,
    frames: Annotated[int, typer.Option(min=10, help="How many frames.")] = 240,
    persona: Annotated[str | None, typer.Option(help="Who to become; the first one listed.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write the result to this file; '-' prints it.")] = None,
) -> None:
    """Time each stage of the pipeline: wall time, and processor time of the whole process."""
    from livefake.resources import models_folder
    from livefake.stagebench import bench_stages

    console = Console(stderr=True)
    studio = open_studio(console, settings())
    clip = file or models_folder() / "demo" / "performer.mp4"
    with console.status(f"Timing {frames} frames"):
        result = bench_stages(studio, clip, persona or studio.personas[0].id, frames=frames)
    if json is not None:
        write_json(result.document(), json)
        return
    table = Table("stage", "p50 ms", "p95 ms", "cpu ms", box=None, header_style="bold")
    for name, timing in [*result.stages.items(), ("frame", result.frame)]:
        table.add_row(name, f"{timing.p50_ms:.2f}", f"{timing.p95_ms:.2f}", f"{timing.cpu_ms:.2f}")
    Console().print(table)
    print(result.machine)
