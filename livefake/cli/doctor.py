"""``livefake doctor``: what was found, what will be used, what is missing and how to get it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from livefake import __version__
from livefake.cli.tools import open_weights, settings, write_json

__all__ = ["doctor"]

_MARKS: Final = {"good": "[green]good    [/]", "optional": "[dim]optional[/]", "broken": "[bold red]missing [/]"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Look at this machine. The exit code is 0 when a swap can run, 1 when something it needs is missing."""
    from livefake.health import Verdict, examine
    from livefake.resources import models_folder

    chosen = settings()
    findings = examine(models_folder(), open_weights(chosen), chosen.cache, encoder=chosen.encoder)
    ready = all(finding.verdict is not Verdict.BROKEN for finding in findings)
    if as_json:
        write_json({"version": __version__, "ready": ready, "findings": [asdict(item) for item in findings]}, None)
    else:
        console = Console(highlight=False)
        for item in findings:
            console.print(f"{_MARKS[item.verdict]}  [bold]{item.name}[/]: {escape(item.found)}")
            console.print(
                f"          {escape(item.use)}{'. ' if item.remedy else ''}{escape(item.remedy)}", style="dim"
            )
        console.print("Ready." if ready else "Something that a swap needs is missing.")
    if not ready:
        raise typer.Exit(1)
