"""``livefake grants``: real people's signed consent."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from livefake.cli.tools import open_revoker, open_studio, settings, write_json
from livefake.errors import BadRequest, ConsentError

if TYPE_CHECKING:
    from livefake.trust.consent import Output
    from livefake.trust.grantindex import Row
    from livefake.trust.grants import GrantBook
    from livefake.trust.watch import Watched

__all__ = ["app"]

app = typer.Typer(help="Grants: a real person's signed consent to the use of their face.", no_args_is_help=True)

_LONGEST_DAYS: Final = 732
_ADDRESS: Final = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")

K = TypeVar("K", bound=StrEnum)

Id = Annotated[str, typer.Argument(metavar="ID", help="The grant's id; see: livefake grants list")]


@app.command("list")
def show_all(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of objects.")] = False) -> None:
    """List the grants and whether they hold."""
    from livefake.clock import wall

    book, now = _book(), wall()
    rows = [_row(row, book.operator, now) for row in book.rows()]
    if as_json:
        write_json(rows, None)
        return
    table = Table("id", "subject", "until", "state", box=None, header_style="bold")
    for row in rows:
        table.add_row(*(escape(row[name]) for name in ("id", "subject", "until", "state")))
    Console().print(table)


@app.command("show")
def show(id: Id) -> None:
    """Print a grant, as it was signed."""
    from livefake.trust.consent import render

    print(render(_book().find(id)), end="")


@app.command("revoke")
def revoke(id: Id) -> None:
    """Take a grant back for good: template and personas of the face are deleted, and what uses it stops."""
    from livefake.clock import wall

    done = open_revoker(settings(), _book())(id, now=wall())
    also = f" So are the personas made under it: {', '.join(done.packs)}." if done.packs else ""
    print(f"The grant {id} is revoked, and its face template is deleted.{also}")


@app.command("invite")
def invite(
    purpose: Annotated[list[str] | None, typer.Option(help="What for: train, wear. Both, if left out.")] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(help="Where pictures may go: live, recording, virtual-camera, file. Live, if left out."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=_LONGEST_DAYS, help="For how many days.")] = 30,
    address: Annotated[
        str | None,
        typer.Option(help="Where the running service is reached, as its page's address begins: https://name:port"),
    ] = None,
    qr: Annotated[bool, typer.Option(help="Print the link as a QR code too.")] = True,
) -> None:
    """Invite somebody to give a grant on their own device: prints a link for the running service that works once."""
    from livefake.clock import wall
    from livefake.trust.consent import Output, Purpose
    from livefake.trust.invites import LIFE, Ask, InviteBook

    chosen = settings()
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    base = address.rstrip("/") if address else f"http://{host}:{chosen.port}"
    if not _ADDRESS.fullmatch(base):
        raise BadRequest(
            f"The address should be http:// or https://, a name and perhaps a port, and is {base!r}.",
            "Write it as the browser shows it, such as https://studio.local:8848.",
        )
    ask = Ask(_some(Purpose, purpose or [*Purpose]), _some(Output, output or [Output.LIVE]), days)
    key, _ = InviteBook(chosen.data).make(ask, now=wall())
    url = f"{base}/enrol/{key}"
    if qr and sys.stderr.isatty():
        import segno

        segno.make(url, error="m", micro=False).terminal(sys.stderr, border=2, compact=True)
    Console(stderr=True).print(f"Good for {LIFE // 60} minutes, for one person; livefake must be running:")
    # The one line on standard output, so that a script can read it.
    print(url)


@app.command("export")
def export(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="The grant's id; see: livefake grants list")] = None,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="File to write.")] = None,
    everything: Annotated[
        Path | None, typer.Option("--all", metavar="FILE", help="Write all grants and revocations to this one file.")
    ] = None,
) -> None:
    """Write a grant to a file, for the person who gave it; or with --all everything in the book, to keep elsewhere.

    Face templates are never written: a grant that comes back without its template holds, but its person is not
    recognised.
    """
    if everything is not None:
        if id is not None:
            raise typer.BadParameter("--all takes no ID: it writes every grant.")
        from livefake.trust.transfer import export_all

        bundle = export_all(_book(), everything)
        print(f"{everything} holds {len(bundle.grants)} grants and {len(bundle.revocations)} revocations.")
        return
    if id is None or file is None:
        raise typer.BadParameter("Give an ID and a FILE, or --all FILE.")
    _book().export(id, file)
    print(f"{file} holds the grant {id}.")


@app.command("import")
def take(file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that export wrote.")]) -> None:
    """Put grants of this installation back into its book, one or all; what was revoked stays revoked."""
    from livefake.trust.transfer import take_all

    bundle = take_all(_book(), file)
    for grant in bundle.grants:
        print(f"The grant {grant.id} of {grant.subject} is in the book.")
    if bundle.revocations:
        print(f"{len(bundle.revocations)} of them are revoked.")


@app.command("sign")
def sign(
    camera: Annotated[int, typer.Option(min=0, help="Which camera; 0 is the first.")] = 0,
) -> None:
    """Give consent to the use of your own face, live in front of a camera."""
    from livefake.clock import wall
    from livefake.trust.consent import Purpose
    from livefake.trust.enrol import NOTICE, draw_up

    print(NOTICE + "\n")
    subject = typer.prompt("Your name, as you want to be called").strip()
    _insist("Type YES if you are of age", "A grant needs the declaration to be of age.")
    _insist("Type YES if you have read this and agree", "Without agreement there is no grant.")
    book = _book()
    watched = _watch(camera)
    days: int = typer.prompt("For how many days", default=30, type=int)
    if not 1 <= days <= _LONGEST_DAYS:
        raise ConsentError(f"A grant should hold for 1 to {_LONGEST_DAYS} days, got {days}.", "Start again.")
    outputs = _ask_outputs()
    places = ", ".join(sorted(outputs)) or "nowhere"
    print(f"{subject} allows this installation to learn and to wear their face for {days} days: {places}.")
    _insist("Type YES to sign", "The grant was not signed, and nothing was kept.")
    grant = draw_up(
        book,
        watched,
        subject=subject,
        purposes=frozenset(Purpose),
        outputs=outputs,
        now=wall(),
        days=days,
        notice=NOTICE,
        adult=True,
    )
    print(f"Signed: grant {grant.id}. To take it back: livefake grants revoke {grant.id}")


def _some(kind: type[K], names: Sequence[str]) -> frozenset[K]:
    try:
        return frozenset(kind(name) for name in names)
    except ValueError as error:
        known = ", ".join(kind)
        raise BadRequest(f"There are {known}; got {', '.join(map(repr, names))}.", "Choose among those.") from error


def _book() -> GrantBook:
    from livefake.trust.grants import GrantBook

    return GrantBook(settings().data)


def _row(row: Row, operator: str, now: float) -> dict[str, str]:
    if row.problem:
        return {"id": row.id, "subject": "", "until": "", "state": f"damaged: {row.problem}"}
    until = datetime.fromtimestamp(row.valid_until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return {"id": row.id, "subject": row.subject, "until": until, "state": _state(row, operator, now)}


def _state(row: Row, operator: str, now: float) -> str:
    """Whether a grant holds; what it holds for is decided where it is used."""
    if row.revoked:
        return "was revoked"
    if row.operator != operator:
        return "was given to another installation"
    if now < row.valid_from:
        return "does not hold yet"
    return "holds" if now < row.valid_until else "has expired"


def _watch(number: int) -> Watched:
    from livefake.clock import monotonic
    from livefake.faces.identity import IdentityNet
    from livefake.media.camera import Camera, find_device
    from livefake.trust.enrol import COMPANY, Looker, enrol
    from livefake.trust.liveness import Liveness, draw

    device, identity = find_device(number, sys.platform), IdentityNet()
    console = Console(stderr=True)
    studio = open_studio(console, settings())
    look = Looker(*studio.networks(COMPANY), studio.eyes(), identity)
    # The terminal has no microphone to listen to, and the grant says so.
    liveness = Liveness(draw(secrets.SystemRandom(), sound=False))
    with Camera(device, clock=monotonic) as camera:
        return enrol(camera, look, liveness, tell=console.print)


def _ask_outputs() -> frozenset[Output]:
    from livefake.trust.consent import Output

    chosen = {
        output: typer.confirm(f"May pictures with your face go to: {_WORDS[output]}", default=output is Output.LIVE)
        for output in Output
    }
    return frozenset(output for output, allowed in chosen.items() if allowed)


_WORDS: Final = {
    "live": "viewers, while it happens",
    "recording": "a recording of that",
    "virtual-camera": "other programs on this computer, as a camera",
    "file": "video files that are swapped afterwards",
}


def _insist(question: str, otherwise: str) -> None:
    """Go on only with a typed YES: a key pressed by habit is no agreement."""
    if typer.prompt(question, default="no", show_default=False).strip().upper() != "YES":
        raise ConsentError(otherwise, "Start again if you change your mind: livefake grants sign")
