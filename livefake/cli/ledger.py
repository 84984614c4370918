"""``livefake ledger``: what this installation has shown, and whether its record is as it was written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from livefake.cli.tools import settings, write_json
from livefake.errors import NotFound

if TYPE_CHECKING:
    from livefake.trust.audit import Findings
    from livefake.trust.ledger import Ledger
    from livefake.trust.records import Segment, SessionRecord

__all__ = ["app"]

app = typer.Typer(help="The ledger: what was shown, when, and under whose grant.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DAMAGED = 3
"""Exit code when the ledger is not as it was written."""


@app.command("verify")
def verify(
    expect: Annotated[
        str, typer.Option(metavar="NUMBER:DIGEST", help="The head that an earlier check told, noted elsewhere.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check that no entry was changed, taken out, moved or cut off; the exit code is 3 when one was."""
    findings = _ledger().verify(expect=expect)
    if as_json:
        write_json(_findings(findings), None)
    else:
        _tell(findings)
    if not findings.ok:
        raise typer.Exit(DAMAGED)


@app.command("list")
def show_all(
    newest: Annotated[int, typer.Option(min=1, metavar="COUNT", help="How many, counted from the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the sessions, the newest last."""
    records = _ledger().sessions()[-newest:]
    if as_json:
        write_json([_summary(record) for record in records], None)
        return
    table = Table("session", "started", "ended", "output", "persona", "frames", "cards", box=None, header_style="bold")
    for record in records:
        table.add_row(
            str(record.number),
            _time(record.started),
            "not" if record.ended is None else _time(record.ended),
            escape(record.output),
            _persona(record),
            str(_total(record, "frames")),
            str(_total(record, "cards")),
        )
    Console().print(table)


@app.command("show")
def show(
    number: Annotated[int, typer.Argument(metavar="SESSION", help="Its number; see: livefake ledger list")],
    as_json: AsJson = False,
) -> None:
    """Show what the ledger says about a session."""
    record = _ledger().session(number)
    if record is None:
        raise NotFound(f"The ledger has no session {number}.", "See: livefake ledger list")
    if as_json:
        write_json({**_summary(record), "segments": [_segment(one) for one in record.segments]}, None)
        return
    console = Console()
    for name, value in (
        ("session", str(record.number)),
        ("started", _time(record.started)),
        ("ended", "not, or cut off" if record.ended is None else _time(record.ended)),
        ("output", record.output),
        ("persona", _persona(record)),
        *(("notice", f"{tick.notice} agreed to {_time(tick.at)} ({tick.source})") for tick in record.ticks),
    ):
        console.print(f"[bold]{name}[/] {escape(value)}", highlight=False)
    table = Table("from", "seconds", "frames", "cards", "grant", "fingerprints", box=None, header_style="bold")
    for one in record.segments:
        seconds = f"{one.end - one.start:.1f}"
        prints = str(len(one.prints))
        table.add_row(_time(one.start), seconds, str(one.frames), str(one.cards), escape(one.grant or ""), prints)
    console.print(table)


def _ledger() -> Ledger:
    from livefake.trust.keys import installation_key
    from livefake.trust.ledger import Ledger

    data = settings().data
    return Ledger(data, installation_key(data))


def _tell(findings: Findings) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for problem in findings.problems:
        console.print(f"[red]{escape(str(problem))}[/]")
    if findings.unfinished:
        console.print("A line at the end was never completed, as when the power fails; the next entry replaces it.")
    if not findings.problems:
        console.print(f"All {findings.entries} entries are as they were written.")
    if findings.head:
        console.print(f"Head: {findings.head}")
        console.print("Note it elsewhere: --expect then tells later whether the whole ledger was put back.")


def _findings(findings: Findings) -> dict[str, Any]:
    problems = [
        {"first": one.first, "last": one.last, "line": one.line, "problem": str(one)} for one in findings.problems
    ]
    return {
        "ok": findings.ok,
        "entries": findings.entries,
        "head": findings.head,
        "unfinished": findings.unfinished,
        "problems": problems,
    }


def _summary(record: SessionRecord) -> dict[str, Any]:
    return {
        "session": record.number,
        "started": record.started,
        "ended": record.ended,
        "output": record.output,
        "persona_kind": record.persona_kind,
        "grants": list(record.grants),
        "frames": _total(record, "frames"),
        "cards": _total(record, "cards"),
        "notices": [{"at": tick.at, "notice": tick.notice, "source": tick.source} for tick in record.ticks],
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start,
        "end": segment.end,
        "frames": segment.frames,
        "cards": segment.cards,
        "grant": segment.grant,
        "prints": [f"{one:016x}" for one in segment.prints],
    }


def _total(record: SessionRecord, name: str) -> int:
    return sum(getattr(segment, name) for segment in record.segments)


def _persona(record: SessionRecord) -> str:
    return f"person, grant {', '.join(record.grants)}" if record.grants else record.persona_kind


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        # A clock that was wrong by thousands of years is shown as it was.
        return f"{at:.0f} seconds since 1970"
