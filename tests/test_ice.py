from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import BadRequest
from livefake.media.ice import LIFETIME, Ice, IceServer, read_ice_servers
from livefake.settings import read_settings
from tests.serverkit import House, opened, problem, running, view_key

SECRET = "hunter2-hunter2"


def test_a_list_and_json_say_the_same() -> None:
    words = read_ice_servers(f"stun:stun.example.org,turn:ann:{SECRET}@turn.example.org:3478?transport=tcp")
    listed = [
        {"urls": "stun:stun.example.org"},
        {"urls": ["turn:turn.example.org:3478?transport=tcp"], "username": "ann", "credential": SECRET},
    ]
    assert words == read_ice_servers(json.dumps(listed))
    assert [server.relays for server in words] == [False, True]
    assert SECRET not in repr(words)


def test_a_secret_may_hold_anything_when_it_is_percent_encoded() -> None:
    (server,) = read_ice_servers("turn:a%3Ab:c%2Cd%40e@10.0.0.1")
    assert (server.url, server.username, server.credential) == ("turn:10.0.0.1", "a:b", "c,d@e")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"turn:ann:{SECRET}@:3478", "address of an ICE server cannot be read"),
        (f"http:ann:{SECRET}@host", "address of an ICE server cannot be read"),
        (f"turn:ann:{SECRET}@host:0", "address of an ICE server cannot be read"),
        (f"turn:ann:{SECRET}@host:65536", "address of an ICE server cannot be read"),
        (f"turn:ann:{SECRET}@host?transport=quic", "address of an ICE server cannot be read"),
        (f"turns:ann:{SECRET}@host?transport=udp", "cannot have transport=udp"),
        ("stun:host?transport=udp", "cannot have transport=udp"),
        (f"stun:ann:{SECRET}@host", "takes no user name"),
        (f"turn:{SECRET}@host", "got only one of them"),
        (f'["{SECRET}"]', "in JSON has urls"),
        (f'[{{"urls": "turn:h", "password": "{SECRET}"}}]', "in JSON has urls"),
        (f'[{{"urls": 3, "credential": "{SECRET}"}}]', "should be text"),
        (f'[{{"urls": "turn:h", "username": 1, "credential": "{SECRET}"}}]', "should be text"),
        (f'[{{"urls": "{SECRET}', "should be JSON"),
    ],
)
def test_what_does_not_fit_is_told_without_the_secret(text: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says) as caught:
        read_settings({"LIVEFAKE_ICE_SERVERS": text})
    assert SECRET not in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        servers = read_ice_servers(text)
    except BadRequest:
        return
    assert all(server.url for server in servers)


def test_settings_hold_them_and_hide_the_secrets() -> None:
    environment = {
        "LIVEFAKE_ICE_SERVERS": "turn:turn.example.org",
        "LIVEFAKE_TURN_SECRET": SECRET,
        "LIVEFAKE_RELAY_ONLY": "yes",
    }
    read = read_settings(environment)
    assert read.ice == Ice(servers=(IceServer("turn:turn.example.org"),), relay_only=True, secret=SECRET)
    assert SECRET not in repr(read)
    assert SECRET not in repr(read.ice)
    for wrong in ({"LIVEFAKE_TURN_SECRET": ""}, {"LIVEFAKE_ICE_SERVERS": "stun:host"}, {"LIVEFAKE_RELAY_ONLY": "si"}):
        with pytest.raises(BadRequest):
            read_settings({**environment, **wrong})
    with pytest.raises(BadRequest, match="at most 8"):
        read_settings({"LIVEFAKE_ICE_SERVERS": ",".join(["stun:host"] * 9)})


def test_a_shared_secret_makes_a_sign_in_that_ends() -> None:
    known, shared = IceServer("turn:a", "ann", SECRET), IceServer("turns:b")
    ice = Ice(servers=(IceServer("stun:c"), known, shared), secret=SECRET)
    stun, same, made = ice.admitted(1_000_000.7)
    assert (stun.username, same) == ("", known)
    assert made.username == f"{1_000_000 + LIFETIME}:livefake"
    code = hmac.new(SECRET.encode(), made.username.encode(), hashlib.sha1).digest()
    assert made.credential == base64.b64encode(code).decode()


async def test_browsers_are_told_and_nobody_else(tmp_path: Path) -> None:
    house = House(tmp_path, ice_servers=read_ice_servers("stun:a,turn:b"), turn_secret=SECRET)
    async with running(house) as client, house.browser() as stranger:
        told = (await client.get("/api/ice")).json()
        assert [entry["urls"] for entry in told["ice_servers"]] == ["stun:a", "turn:b"]
        assert told["ice_servers"][0] == {"urls": "stun:a", "username": "", "credential": ""}
        assert told["ice_servers"][1]["credential"]
        assert told["relay_only"] is False
        assert SECRET not in json.dumps(told)
        problem(await stranger.get("/api/ice"), 401)
        problem(await stranger.get("/whep/unknown/ice"), 404)
        problem(await stranger.get("/api/enrol/unknown/ice"), 404)
        key = view_key(await opened(house, client))
        assert (await stranger.get(f"/whep/{key}/ice")).json() == told
