"""``livefake verify``: what can be said about pictures and clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from livefake.cli.tools import settings, write_json
from livefake.errors import BadMedia, LivefakeError

if TYPE_CHECKING:
    from livefake.examiner import Examiner
    from livefake.trust.verifier import Report

__all__ = ["UNMARKED", "verify"]

UNMARKED: Final = 3
"""Exit code when every file was examined and at least one of them carries no mark."""

_SIGNS: Final = {"yes": "[green]yes[/]", "no": "no", "unknown": "[dim]?[/]", "alarm": "[bold red]no![/]"}
_WORDS: Final = {
    "mark": "Mark present",
    "issuer": "Issuer known",
    "session": "Session in this ledger",
    "fingerprint": "Picture fits the ledger",
    "grant": "Grant valid then",
    "c2pa": "Signed statement (C2PA)",
}


def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE|DIR...", help="Pictures, clips, or folders of them.")],
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object for one file, a list of them for several or a folder."),
    ] = False,
    places: Annotated[
        int | None, typer.Option(min=1, max=120, help="In how many places of a clip to look; 3 if not said.")
    ] = None,
) -> None:
    """Look for livefake's mark, and say what this installation knows about it.

    Nothing found does not mean that a picture is real. The exit code is 0 when every file carries a mark, 3 when one
    does not, 1 when one cannot be examined.
    """
    from livefake.clock import monotonic
    from livefake.examiner import LOOKS, Examiner

    found = list(_all_files(files))
    if not found:
        raise BadMedia("There is no file in what was named.", "Name pictures or clips.")
    examiner = Examiner(settings().data, clock=monotonic)
    console, errors = Console(soft_wrap=True, highlight=False), Console(stderr=True)
    documents: list[dict[str, object]] = []
    code = 0
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        for number, path in enumerate(found, 1):
            title = f"{path.name} ({number} of {len(found)})" if len(found) > 1 else path.name
            try:
                report = _examine(examiner, path, bar, title, LOOKS if places is None else places)
            except LivefakeError as error:
                code = 1
                documents.append({"file": str(path), "error": {"problem": error.problem, "remedy": error.remedy}})
                if not as_json:
                    console.print(f"[bold]{escape(str(path))}[/]\n  {escape(str(error))}")
                continue
            code = code or (0 if report.marked else UNMARKED)
            documents.append({"file": str(path), **report.document()})
            if not as_json:
                _show(console, path, report)
    if as_json:
        single = len(files) == 1 and not files[0].is_dir()
        write_json(documents[0] if single else documents, None)
    if code:
        raise typer.Exit(code)


def _examine(examiner: Examiner, path: Path, bar: Progress, title: str, places: int) -> Report:
    task = bar.add_task(escape(title), total=1.0)
    try:
        return examiner.examine(
            path,
            looks=places,
            progress=lambda what, share: bar.update(task, description=escape(f"{title}: {what}"), completed=share),
        )
    finally:
        bar.remove_task(task)


def _all_files(named: list[Path]) -> Iterator[Path]:
    """Every file that was named, and those in folders in the order of their names; hidden ones only when named."""
    for path in named:
        if path.is_dir():
            inside = sorted(path.rglob("*"))
            yield from (
                one
                for one in inside
                if one.is_file() and not any(part.startswith(".") for part in one.relative_to(path).parts)
            )
        else:
            yield path


def _show(console: Console, path: Path, report: Report) -> None:
    console.print(f"[bold]{escape(str(path))}[/]\n  {escape(report.summary)}")
    for answer in report.answers:
        sign, words = _SIGNS[answer.verdict], _WORDS[answer.question]
        console.print(f"  {words + ':':<26}{sign}  {escape(answer.sentence)}")
