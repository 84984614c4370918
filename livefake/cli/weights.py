"""``livefake weights``: the model files."""

from __future__ import annotations

import typer
from rich.console import Console

from livefake.cli.tools import open_weights, settings

__all__ = ["app"]

app = typer.Typer(help="Model files: what there is, and fetching them.", no_args_is_help=True)


@app.command("fetch")
def fetch() -> None:
    """Fetch the model files that are missing or damaged."""
    count = open_weights(settings()).fetch(Console(stderr=True).print)
    print(f"{count} files fetched." if count else "All files are there and right.")


@app.command("list")
def show() -> None:
    """List the model files, where they come from, and whether they are there."""
    weights = open_weights(settings())
    for entry in weights.entries:
        print(f"{entry.name}: {entry.title}, {entry.licence}, from {entry.origin}")
        print(f"  {weights.state(entry.name)}")
