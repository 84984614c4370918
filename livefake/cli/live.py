"""``livefake live``: perform with a camera of this computer, or a file in real time, without a browser."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from livefake.cli.serve import build_service, listen, server_config
from livefake.compose.treatment import Others
from livefake.errors import BadMedia, BadRequest, ConsentError, LivefakeError
from livefake.settings import read_settings

if TYPE_CHECKING:
    import socket

    from rich.status import Status

    from livefake.media.local import Opened
    from livefake.media.recorder import Recording
    from livefake.server.notice import Notice
    from livefake.server.room import Room
    from livefake.server.service import Service
    from livefake.sessions import Order

__all__ = ["agree", "live"]

_GLANCE: Final = 0.5
"""Seconds between two looks at the session for the progress line."""
_YES: Final = "yes"


def live(
    *,
    persona: Annotated[str, typer.Option(help="Who to become; see: livefake personas list")],
    camera: Annotated[int | None, typer.Option(help="Number of the camera, 0 for the first.")] = None,
    file: Annotated[Path | None, typer.Option(help="Play this video in place of a camera, with its sound.")] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin the file anew at its end, until Ctrl-C.")] = False,
    others: Annotated[Others, typer.Option(help="What happens to other people's faces.")] = Others.BLUR,
    tone: Annotated[float, typer.Option(min=0, max=1, help="Skin tone: 0 yours, 1 the persona's.")] = 0.0,
    record: Annotated[Path | None, typer.Option(help="Record what goes out to this MP4 file, signed.")] = None,
    push: Annotated[str | None, typer.Option(help="Send it to this address.")] = None,
    virtual_camera: Annotated[
        bool, typer.Option("--virtual-camera", help="Show it as a camera of this computer.")
    ] = False,
    serve: Annotated[bool, typer.Option("--serve", help="Serve it on 127.0.0.1 and print the addresses.")] = False,
    port: Annotated[int | None, typer.Option(help="TCP port for --serve; 0 takes a free one.")] = None,
    i_agree: Annotated[
        bool, typer.Option("--i-agree", help="Agree to the notice, which is printed, without being asked.")
    ] = False,
) -> None:
    """Swap your face live from a camera or a file; every picture that goes out is labelled and marked.

    The swap ends with the file or with Ctrl-C.
    """
    from livefake.server.notice import NOTICE
    from livefake.sessions import Order

    console = Console(stderr=True)
    _check(camera, file, loop, record)
    wanted = read_settings(os.environ, host="127.0.0.1", port=port, capacity=1)
    agree(NOTICE, console, told=i_agree)
    order = Order(persona, others, tone, notice=NOTICE.id, source="camera" if file is None else "file")
    film: list[Recording] = []
    with ExitStack() as close:
        listener = close.enter_context(listen(wanted)) if serve else None
        settings = wanted if listener is None else dataclasses.replace(wanted, port=listener.getsockname()[1])
        service = build_service(settings, console)
        service.persona(persona)
        opened = _camera(camera or 0) if file is None else _file(file, again=loop)
        wishes = _Wishes(record, push, virtual_camera)
        with suppress(KeyboardInterrupt):
            asyncio.run(_perform(service, opened, order, wishes, listener=listener, console=console, film=film))
    if record is not None and film:
        _keep(film[0], record, console)


@dataclasses.dataclass(frozen=True, slots=True)
class _Wishes:
    """Where the pictures are to go."""

    record: Path | None
    push: str | None
    virtual_camera: bool


def _check(camera: int | None, file: Path | None, loop: bool, record: Path | None) -> None:
    """Tell what does not fit before anything is loaded."""
    if (camera is None) == (file is None):
        raise BadRequest("A picture should come from a camera or a file, one of them.", "Give --camera 0 or --file F.")
    if loop and file is None:
        raise BadRequest("Only a file can be played again and again.", "Give --file F, or leave --loop out.")
    if file is not None and not file.is_file():
        raise BadMedia(f"{file} should be a video file, and there is no such file.")
    if record is not None and (record.suffix.lower() != ".mp4" or not record.absolute().parent.is_dir()):
        raise BadRequest(f"{record} should be an .mp4 file in a folder that exists.", "Choose another place.")


def agree(notice: Notice, console: Console, *, told: bool) -> None:
    """Show the notice and ask for a yes.

    Args:
        notice: what is agreed to.
        console: where it is shown.
        told: whether the command line said yes already.

    Raises:
        ConsentError: there was no yes.
    """
    console.print(f"[bold]{escape(notice.title)}[/]")
    for paragraph in notice.paragraphs:
        console.print(Padding(escape(paragraph), (0, 0, 1, 2)))
    console.print(escape(notice.tick))
    answer = _YES if told else ""
    if not told and sys.stdin.isatty():
        answer = console.input(f'Type "{_YES}" to agree: ').strip().lower()
    if answer != _YES:
        raise ConsentError(
            "A session needs your agreement to this notice, and it was not given.",
            f'Type "{_YES}" when you are asked, or give --i-agree.',
        )


def _camera(number: int) -> Callable[[], Opened]:
    from livefake.clock import monotonic
    from livefake.media.camera import Camera, find_device

    device = find_device(number, sys.platform)
    return lambda: Camera(device, clock=monotonic)


def _file(path: Path, *, again: bool) -> Callable[[], Opened]:
    from livefake.clock import monotonic
    from livefake.media.player import play

    return lambda: closing(play(path, again=again, clock=monotonic, sleep=time.sleep))


async def _perform(
    service: Service,
    opened: Callable[[], Opened],
    order: Order,
    wishes: _Wishes,
    *,
    listener: socket.socket | None,
    console: Console,
    film: list[Recording],
) -> None:
    """Run one session until its source ends or somebody presses Ctrl-C; ``film`` gets what was recorded."""
    from livefake.media.local import LocalPerformer

    performer = LocalPerformer(opened)
    async with _service(service, listener):
        room, _ = await service.rooms.host(lambda: performer, "", order)
        try:
            await _begin(room, wishes)
            if listener is not None:
                _tell_addresses(service, room)
            with console.status("Starting") as line:
                await _until_over(room, line)
        finally:
            await service.rooms.end(room)
            report = room.entry.session.report()
            if report.recording is not None:
                film.append(report.recording)
            counts = report.frames
            console.print(
                f"{counts['swapped']} of {counts['arrived']} pictures swapped, {counts['carded']} times the card."
            )
    if performer.problem is not None:
        raise performer.problem


@asynccontextmanager
async def _service(service: Service, listener: socket.socket | None) -> AsyncIterator[None]:
    """The service between its start and its end, over HTTP where there is a socket for that."""
    import uvicorn

    from livefake.server.app import build_app

    if listener is None:
        app = build_app(service)
        async with app.router.lifespan_context(app):
            yield
        return

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # Ctrl-C ends the session first, and that ends the server.
            yield

    server = Server(server_config(service))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def _begin(room: Room, wishes: _Wishes) -> None:
    """Start what was wished for.

    Raises:
        LivefakeError: one of them cannot be had, or the persona's consent does not cover it.
    """
    from livefake.outputs import OutputKind

    if wishes.record is not None:
        await asyncio.to_thread(room.entry.session.start_recording)
    if wishes.push is not None:
        room.entry.outputs.add(OutputKind.PUSH, wishes.push)
    if wishes.virtual_camera:
        room.entry.outputs.add(OutputKind.VIRTUAL_CAMERA)


def _tell_addresses(service: Service, room: Room) -> None:
    base, key = f"http://127.0.0.1:{service.settings.port}", room.entry.view_key
    typer.echo(f"OBS, VLC: {base}/ts/{key}")
    typer.echo(f"WHEP:     {base}/whep/{key}")
    typer.echo(f"Browser:  {base}/view/{key}")


async def _until_over(room: Room, line: Status) -> None:
    while True:
        line.update(_progress(room))
        with suppress(TimeoutError):
            async with asyncio.timeout(_GLANCE):
                await room.empty.wait()
            return


def _progress(room: Room) -> str:
    """One line: state, frames a second, delay, outputs."""
    report = room.entry.session.report()
    parts = [f"{report.state}{f' ({report.reason})' if report.reason else ''}"]
    parts.append(f"{report.shown_fps:.0f} of {report.source_fps:.0f} fps")
    parts.append(f"{report.server_ms:.0f} ms")
    if report.recording is not None:
        parts.append(f"recording {report.recording.phase} {report.recording.seconds:.0f} s")
    parts += [f"{each.kind} {each.state}" for each in room.entry.outputs.reports()]
    return escape(", ".join(parts))


def _keep(recording: Recording, target: Path, console: Console) -> None:
    """Move a film to where it was wished for.

    Raises:
        LivefakeError: it was not completed, or cannot be moved.
    """
    film = Path(recording.file)
    if not film.is_file():
        raise LivefakeError(
            f"The recording was not completed. {recording.problem}".strip(),
            f"The next start of livefake completes what is there: {film.parent}",
        )
    try:
        shutil.move(film, target)
    except OSError as error:
        raise LivefakeError(f"{target} cannot be written: {error.strerror}.", f"The film is here: {film}") from error
    console.print(f"Recorded: {target}")
