"""``livefake issuers``: whose marks have a name here."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from livefake.cli.tools import settings, write_json

__all__ = ["app"]

app = typer.Typer(help="Issuers: the installations whose marks have a name here.", no_args_is_help=True)

Number = Annotated[str, typer.Argument(metavar="NUMBER", help="Six hexadecimal digits, as their owner tells them.")]


@app.command("list")
def show_all(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of objects.")] = False) -> None:
    """List this installation's own number and those that are known."""
    from livefake.trust.issuer import issuer_number
    from livefake.trust.issuers import IssuerBook

    data = settings().data
    own = issuer_number(data)
    rows = [{"number": f"{own:06x}", "name": "this installation"}]
    rows += [{"number": f"{number:06x}", "name": name} for number, name in IssuerBook(data).names().items()]
    if as_json:
        write_json(rows, None)
        return
    table = Table("number", "name", box=None, header_style="bold")
    for row in rows:
        table.add_row(row["number"], escape(row["name"]))
    Console().print(table)


@app.command("add")
def add(number: Number, name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is.")]) -> None:
    """Note whose number it is, once they have told you by a way that you trust."""
    from livefake.trust.issuers import IssuerBook, read_issuer

    found = read_issuer(number)
    IssuerBook(settings().data).add(found, name)
    print(f"The issuer {found:06x} is {name}.")


@app.command("remove")
def remove(number: Number) -> None:
    """Forget whose number it is."""
    from livefake.trust.issuers import IssuerBook, read_issuer

    found = read_issuer(number)
    IssuerBook(settings().data).remove(found)
    print(f"The issuer {found:06x} has no name here any more.")
