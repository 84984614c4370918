"""``livefake serve``: load the models, print one address, serve until Ctrl-C.

The command raises ``LivefakeError`` where a setting does not fit, the port is taken or a model cannot be loaded; the
program around it shows that to the person.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import gc
import logging
import os
import socket
import ssl
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from livefake.cli.tools import open_networks, open_recordings, open_studio, packs_folder
from livefake.errors import BadRequest, Busy, LivefakeError
from livefake.media.ice import read_ice_servers
from livefake.settings import Settings, read_settings

if TYPE_CHECKING:
    import uvicorn

    from livefake.server.service import Service

__all__ = ["build_service", "listen", "read_certificate", "serve", "server_config"]


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Name or address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one.")] = None,
    capacity: Annotated[int | None, typer.Option(help="Performers at once.")] = None,
    latency_ms: Annotated[
        float | None, typer.Option("--latency", help="How old a picture may be when it is shown, in milliseconds.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for fetched and compiled models.")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A further name for this service, as a reverse proxy shows it.")
    ] = None,
    expose: Annotated[
        bool,
        typer.Option(
            "--expose",
            help="Allow --host to be something other than this computer alone, without HTTPS. Whoever gets the printed "
            "address can then use the service over the network, and everybody on the way can read along; browsers give "
            "a page the camera only over HTTPS, so give --tls-cert and --tls-key, or put a reverse proxy in front.",
        ),
    ] = False,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate chain for HTTPS, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    ice_server: Annotated[
        list[str] | None,
        typer.Option(
            help="A STUN or TURN server, such as stun:HOST or turn:USER:SECRET@HOST:PORT?transport=tcp. Other programs "
            "can read a command line: write secrets into LIVEFAKE_ICE_SERVERS or LIVEFAKE_TURN_SECRET."
        ),
    ] = None,
    relay_only: Annotated[
        bool,
        typer.Option("--relay-only", help="Connect over a TURN server only; neither side sees the other's address."),
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the address in a browser.")] = False,
) -> None:
    """Start the service and print the address to open."""
    wanted = read_settings(
        os.environ,
        host=host,
        port=port,
        capacity=capacity,
        latency_ms=latency_ms,
        cache=cache,
        allowed_hosts=tuple(name.lower() for name in allow_host) if allow_host else None,
        expose=expose,
        tls_cert=tls_cert,
        tls_key=tls_key,
        ice_servers=read_ice_servers(",".join(ice_server)) if ice_server else None,
        relay_only=relay_only or None,
    )
    certificate = read_certificate(wanted)
    console = Console(stderr=True)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("livefake").setLevel(logging.INFO)
    # uvicorn and asyncio.run hand Ctrl-C on once everything is closed: the way a person ends the service, no error.
    with suppress(KeyboardInterrupt), listen(wanted) as listener:
        settings = dataclasses.replace(wanted, port=listener.getsockname()[1])
        service = _built(settings, console)
        _run(service, listener, console, certificate, open_browser=open_browser)


def _built(settings: Settings, console: Console) -> Service:
    """The service, with all that was loaded for it kept out of Python's search for garbage.

    Nothing of it ever becomes garbage: looking through it costs a tenth of the start, and tens of milliseconds now and
    then for as long as the service runs, in which no picture moves.
    """
    gc.disable()
    try:
        return build_service(settings, console)
    finally:
        gc.freeze()
        gc.enable()


def listen(settings: Settings) -> socket.socket:
    """Take the port before the models are loaded, so that a taken one is told at once.

    Returns:
        A listening socket; connections wait in its queue until the service runs.

    Raises:
        Busy: another program has the port.
        BadRequest: this computer has no such address, or the port needs rights that we lack.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port that an ended run used a moment ago counts as free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen()
    except OSError as error:
        listener.close()
        where = f"port {settings.port} on {settings.host}"
        if error.errno == errno.EADDRINUSE:
            raise Busy(f"Another program uses {where}.", "Stop it, or choose another port with --port.") from error
        raise BadRequest(
            f"livefake cannot listen on {where}: {error.strerror}.", "Choose another --host or --port."
        ) from error
    return listener


def build_service(settings: Settings, console: Console) -> Service:
    """Load the models, fetching them first where they are missing, and put the parts of the service together.

    Raises:
        LivefakeError: a model, a persona or a folder is missing or damaged.
    """
    networks = open_networks(settings)
    from livefake.cli.people import open_people
    from livefake.clock import monotonic, nanos, wall
    from livefake.dresser import Dresser
    from livefake.examiner import Examiner
    from livefake.faces.describer import IdentityProcess
    from livefake.health import ENCODER_TRIALS
    from livefake.media.encode.choose import Trials, choose_encoder, coders_of
    from livefake.media.encode.hub import Broadcast
    from livefake.media.holdcard import CardPainter
    from livefake.media.sandbox import Limits
    from livefake.media.webrtc.bitrate import Bitrate
    from livefake.media.webrtc.peer import PerformerPeer, ViewerPeer
    from livefake.media.webrtc.publisher import PublisherPeer
    from livefake.outputs import OutputKind
    from livefake.resources import models_folder, web_folder
    from livefake.server.desk import UPLOAD_LIMIT
    from livefake.server.service import Service
    from livefake.sessions import Sessions
    from livefake.trust.grants import GrantBook
    from livefake.trust.scribe import Scribe
    from livefake.ways.camera import camera_in
    from livefake.ways.push import push_to

    encoder = choose_encoder(settings.encoder, Trials(settings.cache / ENCODER_TRIALS))
    coders = coders_of(encoder)
    studio, recordings = open_studio(console, settings, IdentityProcess, networks), open_recordings(settings)
    book = GrantBook(settings.data)
    try:
        book.settle(now=wall())
    except LivefakeError as error:
        # Real people's faces wait until it can be written; everything else works.
        console.print(escape(str(error)))
    scribe = Scribe(book.ledger)
    bitrate = Bitrate(at_360p=round(settings.bitrate * 0.4), at_720p=settings.bitrate)
    return Service(
        settings=settings,
        sessions=Sessions(
            studio,
            capacity=settings.capacity,
            latency=nanos(settings.latency_ms),
            painter=CardPainter(),
            clock=monotonic,
            broadcast=lambda: Broadcast(bitrate=bitrate, clock=monotonic, coders=coders),
            makers={
                OutputKind.VIRTUAL_CAMERA: camera_in(settings.cache, monotonic),
                OutputKind.PUSH: push_to(monotonic),
            },
            scribe=scribe,
            recordings=recordings,
            look=settings.look,
            refine=settings.refine,
        ),
        scribe=scribe,
        personas=studio.personas,
        performer=lambda: PerformerPeer(clock=monotonic, bitrate=bitrate, ice=settings.ice),
        publisher=lambda: PublisherPeer(clock=monotonic, bitrate=bitrate, ice=settings.ice),
        viewer=lambda broadcast, sound: ViewerPeer(
            broadcast, sound, clock=monotonic, bitrate=bitrate, ice=settings.ice
        ),
        clock=monotonic,
        engine=studio.engine,
        web=web_folder(),
        demo=models_folder() / "demo",
        recordings=recordings,
        dresser=Dresser(studio.prepare, (packs_folder(settings), settings.data / "grants")),
        people=open_people(settings, studio, bitrate),
        examine=Examiner(settings.data, clock=monotonic, limits=Limits(size=UPLOAD_LIMIT)).examine_upload,
    )


def read_certificate(settings: Settings) -> ssl.SSLContext | None:
    """Read certificate and key for HTTPS before anything is loaded, so that a wrong one is told at once.

    Returns:
        A context for TLS 1.2 and later; None where the settings name no certificate.

    Raises:
        BadRequest: a file cannot be read, or certificate and key do not belong together.
    """
    if settings.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        # An empty password: a key that needs one is refused, where OpenSSL would ask on the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or error.__class__.__name__
        raise BadRequest(
            f"{settings.tls_cert} and {settings.tls_key} should be a certificate and its key in PEM: {reason}.",
            "Give the files that your certificate authority made, the key without a password.",
        ) from error
    return context


def _run(
    service: Service,
    listener: socket.socket,
    console: Console,
    certificate: ssl.SSLContext | None,
    *,
    open_browser: bool,
) -> None:
    import uvicorn

    from livefake.server.access import address

    url = address(service.settings)

    class Server(uvicorn.Server):
        async def main_loop(self) -> None:
            # Told once Ctrl-C ends the service in good order, because a script may send it right after the address.
            console.print("livefake runs. Open this address; Ctrl-C ends it.")
            # The one line on standard output, so that a script can read it.
            typer.echo(url)
            if open_browser:
                webbrowser.open(url)
            await super().main_loop()

    asyncio.run(Server(server_config(service, certificate)).serve(sockets=[listener]))


def server_config(service: Service, certificate: ssl.SSLContext | None = None) -> uvicorn.Config:
    """How uvicorn serves a service, over HTTPS with a certificate."""
    import uvicorn

    from livefake.server.app import build_app

    return uvicorn.Config(
        build_app(service),
        # Its access log would write view keys and the token; livefake.server.middleware writes its own lines.
        access_log=False,
        log_config=None,
        log_level="error",
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="on",
        # Requests that are being answered get this second, sessions then get ``livefake.server.app.GRACE``.
        timeout_graceful_shutdown=1,
        ssl_context_factory=None if certificate is None else lambda _config, _default: certificate,
    )
