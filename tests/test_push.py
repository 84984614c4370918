"""Pushing a session to another machine: real servers on this one take the stream."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from livefake.clock import monotonic
from livefake.errors import BadRequest, LivefakeError
from livefake.media.push.address import parse_address
from livefake.media.push.amf import Value, decode, encode
from livefake.media.push.link import RtmpLink
from livefake.media.push.rtmp import Publisher, Refused
from livefake.media.push.srt import load_srt
from livefake.outputs import OutputKind, OutputReport, Outputs, OutputState
from livefake.ways.push import Push, push_to
from tests.streamkit import Show, Taker, free_port, playing, take

KEY = "a-secret-key"


@asynccontextmanager
async def pushing(show: Show, url: str) -> AsyncIterator[Outputs]:
    async def soon(_: float) -> None:
        await asyncio.sleep(0.2)

    async with playing(show):
        outputs = Outputs(show.taps, {OutputKind.PUSH: push_to(monotonic)}, clock=monotonic, sleep=soon)
        outputs.add(OutputKind.PUSH, url)
        try:
            yield outputs
        finally:
            await outputs.close()


async def reaches(outputs: Outputs, state: OutputState) -> OutputReport:
    async with asyncio.timeout(30):
        while (report := outputs.reports()[0]).state is not state:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)
    return report


@pytest.fixture
async def takers() -> AsyncIterator[list[Taker]]:
    made: list[Taker] = []
    yield made
    for taker in made:
        await taker.kill()


async def test_a_server_gets_picture_and_sound_and_again_after_it_was_killed(
    takers: list[Taker], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    url = f"rtmp://127.0.0.1:{free_port()}/live/{KEY}"
    takers.append(await take(url))
    show = Show()
    async with pushing(show, url) as outputs:
        said = await takers[0].sees(200)
        assert said["size"] == [320, 240]
        assert said["right"] < 30
        report = await reaches(outputs, OutputState.RUNNING)
        assert report.frames > 0
        assert report.place == url.replace(f"live/{KEY}", "…")
        await takers[0].kill()
        report = await reaches(outputs, OutputState.WAITING)
        assert report.problem
        show.level = 100
        takers.append(await take(url))
        await takers[1].sees(100)
        report = await reaches(outputs, OutputState.RUNNING)
        assert report.restarts >= 1
        assert KEY not in caplog.text + str(report)
        await outputs.remove(report.id)
        # Told that the stream ends, the server's program ends by itself.
        await asyncio.wait_for(takers[1].process.communicate(), 10)
    assert show.broadcast.hubs == ()


@pytest.fixture
def srt() -> None:
    try:
        load_srt()
    except LivefakeError as error:
        pytest.skip(error.problem)


@pytest.mark.programs
@pytest.mark.usefixtures("srt")
async def test_an_srt_listener_gets_it_encrypted_and_silence_where_there_is_no_sound(takers: list[Taker]) -> None:
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    passphrase = "correct horse battery"
    takers.append(await take(url, passphrase))
    async with pushing(Show(), f"{url}?passphrase={passphrase.replace(' ', '%20')}&latency=120000") as outputs:
        await takers[0].sees(200)
        report = await reaches(outputs, OutputState.RUNNING)
        assert (report.place, report.bitrate >= 0) == (f"{url}/…", True)
        await takers[0].kill()
        await reaches(outputs, OutputState.WAITING)


@pytest.mark.programs
@pytest.mark.usefixtures("srt")
async def test_a_wrong_passphrase_is_one_sentence(takers: list[Taker]) -> None:
    url = f"srt://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    takers.append(await take(url, "correct horse battery"))
    async with pushing(Show(), f"{url}?passphrase=wrong-wrong-wrong") as outputs:
        report = await reaches(outputs, OutputState.WAITING)
    assert "refuses the connection" in report.problem
    assert "wrong-wrong-wrong" not in report.problem


async def test_without_a_microphone_there_is_silence_and_another_size_begins_anew(takers: list[Taker]) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/{KEY}"
    takers.append(await take(url))
    show = Show(sound=False)
    async with pushing(show, url) as outputs:
        assert (await takers[0].line())["size"] == [320, 240]
        show.size = (640, 360)
        await asyncio.wait_for(takers[0].process.communicate(), 15)
        takers.append(await take(url))
        assert (await takers[1].line())["size"] == [640, 360]
        assert (await reaches(outputs, OutputState.RUNNING)).problem == ""


@pytest.mark.parametrize(
    "target",
    [
        "",
        "x",
        "http://a.example/live/key-1",
        "rtmp://a.example/live",
        "rtmp://a.example:99999/live/key-1",
        "rtmp:///live/key-1",
        "rtmp://user:key-1@a.example/live/key-1",
        "srt://a.example?streamid=key-1",
        "rtmp://a.example/live/key-1 key-1",
        "rtmp://a.example/live/" + "key-1" * 1000,
    ],
)
def test_what_is_no_address_is_told_without_repeating_it(target: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_address(target)
    assert "key-1" not in str(raised.value)


def test_an_address_is_taken_apart() -> None:
    address = parse_address("RTMPS://Live.example.org/app/a/key?x=1")
    assert (address.scheme, address.host, address.port) == ("rtmps", "live.example.org", 443)
    assert (address.app, address.key, address.server) == ("app", "a/key?x=1", "rtmps://live.example.org:443")
    assert "key" not in repr(address) + str(address)
    assert parse_address("rtmp://[::1]/a/b").place == "rtmp://[::1]:1935/…"


@pytest.mark.usefixtures("srt")
@pytest.mark.parametrize(
    "query", ["mode=listener", "latency=soon", "passphrase=short", "unknown=1", "passphrase=0123456789&pbkeylen=99"]
)
async def test_a_wrong_option_is_told_at_once(query: str) -> None:
    async with playing(Show()) as show:
        outputs = Outputs(show.taps, {OutputKind.PUSH: push_to(monotonic)}, clock=monotonic)
        with pytest.raises(BadRequest, match="SRT address"):
            outputs.add(OutputKind.PUSH, f"srt://127.0.0.1:9000?{query}")


async def test_nobody_there_is_one_sentence() -> None:
    async with pushing(Show(), f"rtmp://127.0.0.1:{free_port()}/live/{KEY}") as outputs:
        report = await reaches(outputs, OutputState.WAITING)
    assert "cannot be reached" in report.problem
    assert KEY not in report.problem


def test_a_server_that_is_silent_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = RtmpLink(parse_address(f"rtmp://127.0.0.1:{server.getsockname()[1]}/live/{KEY}"), patience=0.2)
        with pytest.raises(LivefakeError, match="does not answer"):
            link.open()
        link.cut()


def test_a_server_without_tls_gets_no_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = RtmpLink(parse_address(f"rtmps://127.0.0.1:{server.getsockname()[1]}/live/{KEY}"), patience=0.2)
        with pytest.raises(LivefakeError):
            link.open()
        link.cut()
        with server.accept()[0] as came:
            assert KEY.encode() not in came.recv(65_536)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate and key for 127.0.0.1, that nobody but the test trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")]), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "identity.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return path


@asynccontextmanager
async def tls_in_front_of(port: int, identity: Path) -> AsyncIterator[int]:
    """The port of a relay that speaks TLS on its outer side."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(identity)
    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_with_tls_a_trusted_server_gets_the_stream_and_a_stranger_nothing(
    takers: list[Taker], identity: Path
) -> None:
    port = free_port()
    takers.append(await take(f"rtmp://127.0.0.1:{port}/live/{KEY}"))
    trust = ssl.create_default_context(cafile=identity)
    async with tls_in_front_of(port, identity) as outer, playing(Show()) as show:
        address = parse_address(f"rtmps://127.0.0.1:{outer}/live/{KEY}")
        stranger = Push(show.taps, address, clock=monotonic)
        with pytest.raises(LivefakeError, match="cannot be trusted: self-signed certificate"):
            await stranger.run()
        known = Push(show.taps, address, clock=monotonic, links=lambda to: RtmpLink(to, patience=10, trust=trust))
        running = asyncio.create_task(known.run())
        await takers[0].sees(200)
        await known.close()
        await running
        assert known.read().frames > 0


async def test_a_push_that_waits_for_a_dead_server_can_be_removed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        async with pushing(Show(), f"rtmp://127.0.0.1:{server.getsockname()[1]}/live/{KEY}") as outputs:
            await asyncio.sleep(0.2)
            await asyncio.wait_for(outputs.remove(outputs.reports()[0].id), 6)


plain = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20)
values = plain | st.dictionaries(st.text(min_size=1, max_size=5), plain, max_size=3)


@settings(max_examples=50)
@given(st.lists(values, max_size=4))
def test_amf_comes_back(some: list[Value]) -> None:
    assert decode(encode(*some)) == some


@given(st.lists(st.binary(max_size=2000), max_size=5))
def test_whatever_a_server_says_is_heard_or_refused(pieces: list[bytes]) -> None:
    publisher = Publisher("app", KEY, "rtmp://there:1935")
    assert len(publisher.begin()) == 1537
    with suppress(Refused):
        publisher.receive(b"\x03" + bytes(1536 * 2))
        for piece in pieces:
            publisher.receive(piece)
    assert not publisher.ready
