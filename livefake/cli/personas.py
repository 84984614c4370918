"""``livefake personas``: who can be worn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from livefake.cli.tools import open_studio, packs_folder, settings, write_json

__all__ = ["app"]

app = typer.Typer(help="Personas: list them, bring one, remove one, prepare a pack.", no_args_is_help=True)


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


@app.command("add")
def add(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .dfm model, or a persona pack: folder or zip.", exists=True)
    ],
    grant: Annotated[
        str | None, typer.Option(help="Id of the person's grant; the one whose face comes out when left out.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What it is called; the file's name.")] = None,
) -> None:
    """Bring a persona from elsewhere.

    It is tried on fictional performers, and the face that comes out is compared with every grant: without that
    person's grant it is refused, whatever it says of itself. A bare face embedding cannot be brought.
    """
    from rich.markup import escape

    from livefake.bringing import bring
    from livefake.clock import monotonic, wall
    from livefake.trust.grants import GrantBook

    chosen, console = settings(), Console(stderr=True, soft_wrap=True, highlight=False)
    studio, book = open_studio(console, chosen), GrantBook(chosen.data)
    with console.status("Trying it on"):
        found = bring(
            source,
            packs_folder(chosen),
            studio,
            book,
            name=name or source.stem,
            grant=grant,
            now=wall(),
            clock=monotonic,
        )
    away = found.verdict.distances[found.verdict.grant or ""]
    console.print(
        f"{escape(found.card.title)} is worn as {found.card.id}, under grant {found.card.grant}: {found.verdict.faces}"
        f" faces came out, {away:.2f} away from that person's."
    )
    if found.milliseconds is not None:
        console.print(f"A face takes {found.milliseconds:.0f} ms here; 30 pictures a second leave about 20.")


@app.command("remove")
def remove_one(
    id: Annotated[str, typer.Argument(help="Of a persona of this installation's own; see livefake personas list.")],
) -> None:
    """Delete a persona of this installation's own: its pictures and its network. The grant stays."""
    from livefake.bringing import remove

    remove(packs_folder(settings()), id)
    print(f"{id} is deleted.")
