"""``livefake virtualcam``: what the virtual camera on Linux desktops needs."""

from __future__ import annotations

from typing import Final

import typer

from livefake.cli.tools import settings

__all__ = ["app"]

app: Final = typer.Typer(help="The virtual camera on Linux desktops.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The virtual camera on Linux desktops."""


@app.command("build")
def build() -> None:
    """Compile the program that shows a session as a PipeWire camera; else that is done at first use."""
    from livefake.media.virtualcam.build import build_helper

    typer.echo(build_helper(settings().cache))
