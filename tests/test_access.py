from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.server.access import Asked, Door, address
from livefake.settings import Settings

TOKEN = "token-for-the-tests-0123456789"
HOST = "127.0.0.1:8848"


def over_https(chosen: Settings) -> Settings:
    return replace(chosen, tls_cert=Path("cert.pem"), tls_key=Path("key.pem"))


def settings(
    host: str = "127.0.0.1", port: int = 8848, *, expose: bool = False, allowed_hosts: tuple[str, ...] = ()
) -> Settings:
    return Settings(
        cache=Path("cache"),
        data=Path("data"),
        host=host,
        port=port,
        token=TOKEN,
        expose=expose,
        allowed_hosts=allowed_hosts,
    )


def status(path: str = "/", method: str = "GET", host: str | None = HOST, **headers: str) -> int | None:
    refusal = Door(settings()).refusal(Asked(method, path, "", headers, host))
    return None if refusal is None else refusal.status


def bearer(token: str = TOKEN) -> str:
    return f"Bearer {token}"


def test_the_address_carries_the_token_and_can_be_opened() -> None:
    assert address(settings()) == f"http://127.0.0.1:8848/?token={TOKEN}"
    assert address(settings("::1")) == f"http://[::1]:8848/?token={TOKEN}"
    assert address(settings("0.0.0.0", expose=True)) == f"http://127.0.0.1:8848/?token={TOKEN}"
    assert address(over_https(settings())) == f"https://127.0.0.1:8848/?token={TOKEN}"


def test_over_https_the_cookie_is_kept_to_https_and_the_port_may_be_443() -> None:
    door = Door(over_https(settings(port=443)))
    assert door.set_cookie().endswith("; Secure")
    assert "Secure" not in Door(settings()).set_cookie()
    assert door.knows_host("127.0.0.1")
    assert not door.knows_host("127.0.0.1:80")


@pytest.mark.parametrize("host", ["127.0.0.1:8848", "localhost:8848", "LocalHost:8848", "[::1]:8848"])
def test_own_names_are_known(host: str) -> None:
    assert Door(settings()).knows_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8848",
        "127.0.0.1",
        "127.0.0.1:80",
        "localhost:8849",
        "localhost.:8848",
        "192.168.1.5:8848",
        "",
        ":8848",
        "127.0.0.1:8848@evil.example",
        "127.0.0.1:8848/x",
        "[::1:8848",
        "127.0.0.1:8848:8848",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not Door(settings()).knows_host(host)


@given(st.text(max_size=40))
def test_no_text_breaks_the_host_check(host: str) -> None:
    assert Door(settings()).knows_host(host) == (host.lower() in {"127.0.0.1:8848", "localhost:8848", "[::1]:8848"})


def test_port_80_may_be_left_out() -> None:
    assert Door(settings(port=80)).knows_host("localhost")


def test_configured_names_count_with_any_port_or_with_their_own() -> None:
    door = Door(settings(allowed_hosts=("live.example.org", "studio.local:8443")))
    assert door.knows_host("live.example.org")
    assert door.knows_host("live.example.org:444")
    assert door.knows_host("studio.local:8443")
    assert not door.knows_host("studio.local:8848")


def test_listening_everywhere_knows_addresses_but_no_names() -> None:
    door = Door(settings("0.0.0.0", expose=True))
    assert door.knows_host("192.168.1.5:8848")
    assert door.knows_host("[fd00::1]:8848")
    assert not door.knows_host("rebound.example:8848")


def test_an_unknown_or_missing_host_is_refused_even_with_the_token() -> None:
    assert status(host="evil.example:8848", authorization=bearer()) == 421
    assert status(host=None, authorization=bearer()) == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:8849", "http://localhost:8848", ""]
)
def test_pages_of_others_change_nothing(method: str, origin: str) -> None:
    assert status("/api/sessions", method, authorization=bearer(), origin=origin) == 403


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8848", "https://127.0.0.1:8848"])
def test_the_own_page_may(origin: str) -> None:
    assert status("/api/sessions", "POST", authorization=bearer(), origin=origin) is None


def test_looking_and_whep_do_not_ask_for_the_origin() -> None:
    assert status("/api/status", authorization=bearer(), origin="https://evil.example") is None
    assert status("/whep/key", "POST", origin="https://player.example") is None


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/status",
        "/api/sessions/x",
        "/metrics",
        "/docs",
        "/openapi.json",
        "/demo/performer.mp4",
        "/staticx",
        "/view/",
        "/view/key/more",
        "/whep/",
        "/whep/a/b/c",
        "/whip/",
        "/whip/a/b",
        "/healthz/",
        "/static",
        "/enrol/",
        "/enrol/key/more",
        "/api/enrol/key/check/other",
        "/api/enrol/",
        "/grant/",
        "/api/grant/key/delete",
        "/api/grants",
        "/api/invitations",
        "/HEALTHZ",
        "//healthz",
    ],
)
def test_these_need_the_token(path: str) -> None:
    assert status(path) == 401
    assert status(path, authorization=bearer()) is None


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/static/main.js",
        "/view/key",
        "/whep/key",
        "/whep/key/viewer",
        "/whip",
        "/whip/stream",
        "/enrol/key",
        "/api/enrol/key",
        "/api/enrol/key/check",
        "/api/enrol/key/check/signature",
        "/grant/key",
        "/api/grant/key",
        "/api/grant/key/export",
        "/api/grant/key/revocation",
    ],
)
def test_these_do_not(path: str) -> None:
    assert status(path) is None


def test_the_token_comes_as_bearer_or_cookie() -> None:
    cookie = Door(settings()).set_cookie()
    assert "HttpOnly; SameSite=Strict; Path=/" in cookie
    assert status(cookie=f'theme=dark; {cookie.partition(";")[0]}; broken="') is None
    assert status(authorization=f"bearer {TOKEN}") is None


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer " + TOKEN[:-1]},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer tökén"},
        {"authorization": TOKEN},
        {"cookie": f"livefake-9000={TOKEN}"},
        {"cookie": "livefake-8848="},
    ],
)
def test_a_wrong_token_does_not_fit(headers: dict[str, str]) -> None:
    assert status(**headers) == 401


@given(st.text(max_size=60))
def test_no_other_text_fits(text: str) -> None:
    if text.strip() != TOKEN:
        assert status(authorization=f"Bearer {text}") == 401


def test_only_the_start_page_takes_the_token_from_the_address() -> None:
    door = Door(settings())
    query = f"token={TOKEN}"
    assert door.brings_token(Asked("GET", "/", query, {}, HOST))
    assert not door.brings_token(Asked("GET", "/", "token=wrong", {}, HOST))
    assert not door.brings_token(Asked("GET", "/api/status", query, {}, HOST))
    assert not door.brings_token(Asked("POST", "/", query, {}, HOST))
