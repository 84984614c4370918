"""``livefake personas``: who can be worn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from livefake.cli.tools import open_studio, packs_folder, settings, write_json

__all__ = ["app"]

app = typer.Typer(help="Personas: list them, prepare a pack.", no_args_is_help=True)


@app.command("list")
def show(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of objects.")] = False) -> None:
    """List the personas."""
    from livefake.resources import models_folder
    from livefake.swap.persona import list_personas

    cards = list_personas(models_folder() / "personas", packs_folder(settings()))
    if as_json:
        fields = ("id", "title", "kind", "description", "licence")
        write_json([{name: getattr(card, name) for name in fields} for card in cards], None)
        return
    table = Table("id", "title", "kind", "description", box=None, header_style="bold")
    for card in cards:
        table.add_row(card.id, card.title, card.kind, card.description)
    Console().print(table)


@app.command("prepare")
def prepare(
    folder: Annotated[Path, typer.Argument(help="Pack with persona.toml, face.png and portrait.jpg.", exists=True)],
) -> None:
    """Find the landmarks of a pack's face.png and write the checksums of its files into persona.toml."""
    from livefake.swap.prepare import prepare_pack

    detector, landmarks = open_studio(Console(stderr=True), settings()).networks()
    prepare_pack(folder, detector, landmarks)
    print(f"{folder} is ready.")
