"""``livefake``: the program's front door. Each command imports what it needs when it is called."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from livefake import __version__
from livefake.cli import (
    bench,
    doctor,
    export,
    grants,
    issuers,
    ledger,
    personas,
    swap,
    train,
    verify,
    virtualcam,
    warm,
    weights,
)
from livefake.cli.live import live
from livefake.cli.serve import serve
from livefake.errors import LivefakeError

__all__ = ["app", "main"]

app = typer.Typer(
    name="livefake",
    help="Real-time face swap on your own machine: consented, labelled and marked.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve)
app.command("live")(live)
app.command("swap")(swap.swap)
app.command("verify")(verify.verify)
app.command("warm")(warm.warm)
app.command("doctor")(doctor.doctor)
app.command("export")(export.export)
app.add_typer(personas.app, name="personas")
app.add_typer(grants.app, name="grants")
app.add_typer(ledger.app, name="ledger")
app.add_typer(issuers.app, name="issuers")
app.add_typer(bench.app, name="bench")
app.add_typer(weights.app, name="weights")
app.add_typer(train.app, name="train")
app.add_typer(virtualcam.app, name="virtualcam")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"livefake {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Real-time face swap on your own machine: consented, labelled and marked."""


def main() -> None:
    """Run the command line; the exit code is 0, 1 for a problem that was told, 2 for wrong usage, 130 for Ctrl-C."""
    # Read when numpy is loaded. Small products on two threads take longer than on one, and take both cores.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except LivefakeError as error:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"[bold red]livefake:[/] {escape(error.problem)}")
        if error.remedy:
            console.print(escape(error.remedy))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
