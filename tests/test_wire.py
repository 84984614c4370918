"""What somebody outside tries on a service that really listens: other names, other sites, other paths, floods."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from livefake.clock import FakeClock
from tests.serverkit import OFFER, SDP, TOKEN, House, problem
from tests.wirekit import asking, listening

SECRET = "what stands beside the folders"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("house")
    (folder / "secret.txt").write_text(SECRET)
    return House(folder, allowed_hosts=("127.0.0.1",))


@pytest.fixture(scope="module")
def base(house: House) -> Iterator[str]:
    with listening(house) as base:
        yield base


@pytest.fixture(autouse=True)
def rested(house: House) -> None:
    """What earlier tests asked is forgiven."""
    clock = house.clock
    assert isinstance(clock, FakeClock)
    clock.advance(3_600_000)


def raw(base: str, request: bytes) -> bytes:
    """The whole answer to bytes that a client would not send."""
    parts = urlsplit(base)
    with socket.create_connection((parts.hostname, parts.port or 0), timeout=30) as line:
        line.sendall(request)
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    return answer


# DNS rebinding, and pages of other sites


@pytest.mark.parametrize("path", ["/", f"/?token={TOKEN}", "/api/status", "/healthz", "/static/main.js", "/whep/key"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost."])
def test_a_name_that_was_pointed_here_gets_nothing(base: str, path: str, host: str) -> None:
    name = host.format(port=urlsplit(base).port)
    with asking(base, Host=name) as client:
        answer = client.get(path)
    assert answer.status_code == 421
    assert "set-cookie" not in answer.headers
    assert "persona" not in answer.text


@pytest.mark.parametrize("hosts", [b"", b"Host: 127.0.0.1:1\r\nHost: evil.example\r\n", b"Host: \r\n"])
def test_no_host_and_two_hosts_are_refused(base: str, hosts: bytes) -> None:
    answer = raw(base, b"GET /api/status HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
    assert answer.split(b" ")[1] in (b"400", b"421")


def test_an_absolute_address_in_the_request_line_changes_no_host(base: str) -> None:
    port = urlsplit(base).port
    line = f"GET http://127.0.0.1:{port}/healthz HTTP/1.1\r\nHost: evil.example:{port}\r\nConnection: close\r\n\r\n"
    assert raw(base, line.encode()).split(b" ")[1] in (b"400", b"401", b"421")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://"])
def test_a_page_of_another_site_changes_nothing(base: str, house: House, origin: str) -> None:
    with asking(base, Origin=origin) as client:
        refused = [
            client.post("/api/sessions", json=house.order()),
            client.post("/api/invitations", json={}),
            client.post("/api/verify", content=b"x"),
            client.patch("/api/sessions/x", json={}),
            client.post("/api/keys", json={}),
            client.delete("/api/keys/x"),
            client.delete("/api/sessions/x"),
            client.post("/api/grant/key/revocation"),
        ]
    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert len(house.sessions) == 0


def test_a_preflight_of_another_site_is_answered_for_whep_alone(base: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    with asking(base) as client:
        for path in ("/api/sessions", "/api/status", "/api/verify", "/ts/key", "/view/key", "/enrol/key"):
            assert not [name for name in client.options(path, headers=asked).headers if name.startswith("access-")]
        assert client.options("/whep/key", headers=asked).headers["access-control-allow-origin"] == "*"


# Leaving the folders

UPWARD = ["..", "%2e%2e", "..%2f", "%2e%2e%2f", "..%5c", "..%252f", ".%00./", "%c0%ae%c0%ae/", "....//"]
PLACES = [
    "/static/{}",
    "/demo/{}",
    "/api/personas/{}/portrait.jpg",
    "/api/sessions/{}",
    "/api/sessions/{}/outputs",
    "/view/{}",
    "/ts/{}",
    "/whep/{}",
    "/whip/{}",
    "/api/keys/{}",
    "/enrol/{}",
    "/api/enrol/{}",
    "/api/enrol/{}/check",
    "/grant/{}",
    "/api/grant/{}",
    "/api/grant/{}/export",
]


@pytest.mark.parametrize("place", PLACES)
def test_no_path_leads_out_of_its_folder(base: str, place: str) -> None:
    port = urlsplit(base).port
    tails = [f"{up}{'' if up.endswith(('/', 'f', 'c')) else '/'}secret.txt" for up in UPWARD]
    tails += [
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "secret.txt%00.js",
        "%00",
        "x" * 6000,
        "%f0%9f%98%80",
        "%ff%fe",
        "%0d%0aX:%20y",
    ]
    for tail in tails:
        request = f"GET {place.format(tail)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
        answer = raw(base, f"{request}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        head = answer.split(b"\r\n\r\n")[0]
        assert answer.split(b" ")[1] in (b"400", b"401", b"404", b"405", b"422"), (place, tail, head)
        assert SECRET.encode() not in answer
        assert b"root:" not in answer
        assert b"\r\nX: y" not in head


# Bodies that lie about themselves


@pytest.mark.parametrize("length", [b"-1", b"1e9", b"9" * 5000, b"0x10", b"\xb2", b"99999999999999999999"])
def test_a_length_that_is_none_is_refused(base: str, length: bytes) -> None:
    port = str(urlsplit(base).port).encode()
    head = b"POST /api/sessions HTTP/1.1\r\nHost: 127.0.0.1:" + port + b"\r\nAuthorization: Bearer " + TOKEN.encode()
    answer = raw(base, head + b"\r\nContent-Length: " + length + b"\r\nConnection: close\r\n\r\n{}")
    assert answer.split(b" ")[1] in (b"400", b"413", b"422")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 40_000, b"1" * 200_000, b'"\\ud800"', b"\xff", b"NaN", b""]
)
def test_json_that_is_a_trap_is_refused(base: str, body: bytes) -> None:
    kind = {"Content-Type": "application/json"}
    with asking(base, **kind) as client:
        for path in ("/api/sessions", "/api/invitations", "/api/enrol/key", "/api/enrol/key/check/signature"):
            assert client.post(path, content=body).status_code in (400, 422)
        assert client.patch("/api/sessions/x", content=body).status_code in (400, 422)


# Floods


def refused_after(client: httpx.Client, method: str, path: str, most: int, **body: object) -> int:
    """How many requests of one address pass before the first is refused for coming too fast."""
    for count in range(most):
        answer = client.request(method, path, **body)  # type: ignore[arg-type]
        if answer.status_code == 429:
            assert "too fast" in problem(answer, 429)
            assert int(answer.headers["retry-after"]) >= 1
            return count
    raise AssertionError("nothing was refused")


@pytest.mark.parametrize(
    ("method", "path", "burst"),
    [
        ("POST", "/api/sessions", 10),
        ("POST", "/api/invitations", 10),
        ("POST", "/api/verify", 6),
        ("POST", "/whep/guess", 64),
        ("POST", "/whip", 20),
        ("GET", "/ts/guess", 64),
        ("GET", "/view/guess", 64),
        ("POST", "/api/enrol/guess", 8),
        ("GET", "/api/grant/guess", 20),
    ],
)
def test_what_costs_or_can_be_guessed_is_slowed_down(base: str, method: str, path: str, burst: int) -> None:
    with asking(base) as client:
        assert refused_after(client, method, path, burst + 1, headers={"Content-Type": "text/plain"}) == burst
        assert client.get("/api/status").status_code == 200


def test_a_flood_of_offers_opens_no_more_than_there_are_places(base: str, house: House) -> None:
    with asking(base) as client:
        statuses = [client.post("/api/sessions", json=house.order()).status_code for _ in range(12)]
        assert statuses == [201] * house.sessions.capacity + [503] * 8 + [429] * 2
        for entry in tuple(house.sessions):
            assert client.post(f"/whep/{entry.view_key}", content=OFFER, headers=SDP).status_code == 201
            client.delete(f"/api/sessions/{entry.id}")


def test_every_refusal_carries_the_headers_that_keep_pages_to_themselves(base: str) -> None:
    with httpx.Client(base_url=base) as client:
        for answer in (client.get("/"), client.get("/", headers={"Host": "evil.example"}), client.get("/none")):
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
