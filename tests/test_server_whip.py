"""WHIP and stream keys over HTTP, and what WHEP shares with them; the other ends are the test's own."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from livefake.errors import ConsentError
from livefake.media.ice import IceServer
from livefake.media.webrtc.fragment import FRAGMENT
from livefake.server.exchange import created
from tests.serverkit import OFFER, ORIGIN, SDP, House, opened, problem, running, view_key

LATE = {"Content-Type": FRAGMENT}
BODY = "a=ice-ufrag:abcd\r\na=end-of-candidates\r\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with running(house) as client:
        yield client


async def made(house: House, client: httpx.AsyncClient, **changes: object) -> dict[str, Any]:
    """A stream key, as the page gets it."""
    order = {key: value for key, value in house.order().items() if key in {"persona", "consent"}}
    answer = await client.post("/api/keys", json=order | changes)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def obs(house: House, key: str) -> httpx.AsyncClient:
    return house.browser(Authorization=f"Bearer {key}")


async def listed(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    body: list[dict[str, Any]] = (await client.get("/api/keys")).json()
    return body


# Keys


async def test_a_key_is_told_once_and_needs_the_token_and_a_yes(house: House, client: httpx.AsyncClient) -> None:
    body = await made(house, client, tone=0.5, others="leave", minutes=5)
    assert body["url"] == f"{ORIGIN}/whip"
    [entry] = await listed(client)
    assert (entry["persona"], entry["tone"], entry["others"], entry["left_s"]) == ("mara", 0.5, "leave", 300)
    assert (entry["session"], entry["view_url"]) == (None, None)
    assert body["key"] not in str(entry)
    async with house.browser() as stranger:
        problem(await stranger.post("/api/keys", json={}), 401)
        problem(await stranger.get("/api/keys"), 401)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"consent": {"notice": "old", "accepted": True}}, 403),
        ({"consent": {"notice": "old", "accepted": False}}, 403),
        ({"persona": "nobody"}, 404),
        ({"minutes": 0}, 422),
        ({"minutes": 1441}, 422),
        ({"tone": 2}, 422),
        ({"outputs": [{"kind": "fax"}]}, 422),
        ({"key": "my-own"}, 422),
    ],
)
async def test_no_key_without_what_it_needs(
    house: House, client: httpx.AsyncClient, changes: dict[str, object], status: int
) -> None:
    order = {key: value for key, value in house.order().items() if key in {"persona", "consent"}}
    problem(await client.post("/api/keys", json=order | changes), status)
    assert await listed(client) == []


async def test_a_key_runs_out_and_takes_its_session_with_it(house: House, client: httpx.AsyncClient) -> None:
    key = (await made(house, client, minutes=1))["key"]
    async with obs(house, key) as program:
        assert (await program.post("/whip", content=OFFER, headers=SDP)).status_code == 201
        house.clock.advance(60_000)
        problem(await program.post("/whip", content=OFFER, headers=SDP), 401)
    assert await listed(client) == []
    for _ in range(40):
        if house.publishers[0].closed:
            break
        await asyncio.sleep(0.05)
    assert house.publishers[0].closed
    assert len(house.sessions) == 0


async def test_revoking_disconnects_the_program_and_those_who_watch(house: House, client: httpx.AsyncClient) -> None:
    body = await made(house, client)
    async with obs(house, body["key"]) as program:
        assert (await program.post("/whip", content=OFFER, headers=SDP)).status_code == 201
        [entry] = await listed(client)
        watch = f"/whep/{view_key(entry)}"
        assert (await client.post(watch, content=OFFER, headers=SDP)).status_code == 201
        assert (await client.delete(f"/api/keys/{entry['id']}")).status_code == 204
        assert house.publishers[0].closed
        assert house.viewers[0].closed
        assert len(house.sessions) == 0
        problem(await client.post(watch, content=OFFER, headers=SDP), 404)
        problem(await program.post("/whip", content=OFFER, headers=SDP), 401)
    assert (await client.delete(f"/api/keys/{entry['id']}")).status_code == 204, "gone is what was wanted"


# WHIP


async def test_a_program_publishes_and_stops(house: House, client: httpx.AsyncClient) -> None:
    key = (await made(house, client))["key"]
    async with obs(house, key) as program:
        answer = await program.post("/whip", content=OFFER, headers=SDP)
        assert answer.status_code == 201
        assert answer.headers["content-type"] == "application/sdp"
        assert re.fullmatch(r'"[0-9a-f]{16}"', answer.headers["etag"])
        place = answer.headers["location"]
        assert re.fullmatch(r"/whip/[\w-]{16}", place)
        [order] = house.sessions.orders
        assert (order.persona, order.source, order.notice) == ("mara", "whip", house.service.notice.id)
        [entry] = await listed(client)
        assert (await client.get(f"/api/sessions/{entry['session']}")).status_code == 200
        assert (await client.get(f"/view/{view_key(entry)}")).status_code == 200
        assert (await program.delete(place)).status_code == 200
        assert house.publishers[0].closed
        assert (await program.delete(place)).status_code == 200, "gone is what was wanted"
    await house.settled()
    [entry] = await listed(client)
    assert entry["session"] is None


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}])
async def test_without_a_key_nothing_is_published(
    house: House, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    body = await made(house, client)
    async with house.browser(**headers) as stranger:
        answer = await stranger.post(f"/whip?key={body['key']}", content=OFFER, headers=SDP)
        problem(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        problem(await stranger.delete("/whip/x"), 401)
        problem(await stranger.patch("/whip/x", content=BODY, headers=LATE), 401)
    assert house.publishers == []


async def test_a_key_ends_only_its_own_session(house: House, client: httpx.AsyncClient) -> None:
    first, second = (await made(house, client))["key"], (await made(house, client))["key"]
    async with obs(house, first) as one, obs(house, second) as other:
        place = (await one.post("/whip", content=OFFER, headers=SDP)).headers["location"]
        assert (await other.delete(place)).status_code == 200
        problem(await other.patch(place, content=BODY, headers=LATE), 404)
    assert len(house.sessions) == 1


async def test_a_program_that_comes_back_takes_its_place(tmp_path: Path) -> None:
    house = House(tmp_path, capacity=1)
    async with running(house) as client:
        async with obs(house, (await made(house, client))["key"]) as program:
            for _ in range(3):
                assert (await program.post("/whip", content=OFFER, headers=SDP)).status_code == 201
        assert [peer.closed for peer in house.publishers] == [True, True, False]
        assert len(house.sessions) == 1
        async with obs(house, (await made(house, client))["key"]) as another:
            problem(await another.post("/whip", content=OFFER, headers=SDP), 503)


async def test_two_at_once_with_one_key_leave_one(house: House, client: httpx.AsyncClient) -> None:
    async with obs(house, (await made(house, client))["key"]) as program:
        answers = await asyncio.gather(*(program.post("/whip", content=OFFER, headers=SDP) for _ in range(2)))
    assert 201 in {answer.status_code for answer in answers} <= {201, 503}
    assert [peer.closed for peer in house.publishers].count(False) == len(house.sessions) == 1


async def test_what_cannot_be_worn_is_not_published(house: House, client: httpx.AsyncClient) -> None:
    house.sessions.fails = ConsentError("The grant has ended.")
    async with obs(house, (await made(house, client))["key"]) as program:
        assert problem(await program.post("/whip", content=OFFER, headers=SDP), 403) == "The grant has ended."
        problem(await program.post("/whip", content="hello", headers=SDP), 422)
        problem(await program.post("/whip", content=b"\xff", headers=SDP), 422)
    assert [peer.closed for peer in house.publishers] == [True, True]


async def test_outputs_begin_with_the_session_and_a_wrong_one_does_not_end_it(
    house: House, client: httpx.AsyncClient
) -> None:
    outputs = [{"kind": "push", "target": "rtmp://127.0.0.1/live"}, {"kind": "push", "target": "nowhere"}]
    async with obs(house, (await made(house, client, outputs=outputs))["key"]) as program:
        assert (await program.post("/whip", content=OFFER, headers=SDP)).status_code == 201
    [entry] = await listed(client)
    assert entry["outputs"] == ["push", "push"]
    [wrong] = entry["problems"]
    assert "rtmp://" in wrong
    [output] = (await client.get(f"/api/sessions/{entry['session']}/outputs")).json()
    assert output["place"] == "rtmp://127.0.0.1/live"


async def test_keys_stay_out_of_the_log(
    house: House, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "livefake")
    body = await made(house, client)
    async with obs(house, body["key"]) as program:
        place = (await program.post("/whip", content=OFFER, headers=SDP)).headers["location"]
        await program.delete(place)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("livefake")]
    assert "POST /whip -> 201 in 0 ms" in lines
    assert not any(body["key"] in line or place in line or body["entry"]["id"] in line for line in lines)


# What both share


async def place_of(kind: str, house: House, client: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
    """Where to POST, and what permits it."""
    if kind == "whip":
        return "/whip", {"Authorization": f"Bearer {(await made(house, client))['key']}"}
    return f"/whep/{view_key(await opened(house, client))}", {}


@pytest.mark.parametrize("kind", ["whip", "whep"])
async def test_late_candidates_have_the_entity_tag(house: House, client: httpx.AsyncClient, kind: str) -> None:
    path, permit = await place_of(kind, house, client)
    async with house.browser(**permit) as other:
        answer = await other.post(path, content=OFFER, headers=SDP)
        place, tag = answer.headers["location"], answer.headers["etag"]
        assert answer.headers["accept-patch"] == FRAGMENT
        refused = await other.patch(place, content=BODY, headers=SDP)
        problem(refused, 415)
        assert refused.headers["accept-patch"] == FRAGMENT
        untagged = await other.patch(place, content=BODY, headers=LATE)
        assert untagged.status_code == (428 if kind == "whip" else 204), "players do not send it"
        problem(await other.patch(place, content=BODY, headers=LATE | {"If-Match": '"other"'}), 412)
        problem(await other.patch(place, content=b"\xff", headers=LATE | {"If-Match": tag}), 422)
        taken = await other.patch(place, content=BODY, headers=LATE | {"If-Match": f'"other", {tag}'})
        assert taken.status_code == 204
        peers = house.publishers if kind == "whip" else house.viewers
        assert peers[0].trickled == [BODY] * (1 if kind == "whip" else 2)
        await other.delete(place)
        problem(await other.patch(place, content=BODY, headers=LATE | {"If-Match": tag}), 404)


@pytest.mark.parametrize("kind", ["whip", "whep"])
@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 201),
        ("application/*;q=0.5", 201),
        ("text/html, application/sdp", 201),
        ("text/html", 406),
        ("application/sdp;q=0, */*", 406),
        ("application/json, application/sdp;q=0.000", 406),
    ],
)
async def test_an_answer_that_is_not_wanted_is_not_made(
    house: House, client: httpx.AsyncClient, kind: str, accept: str, status: int
) -> None:
    path, permit = await place_of(kind, house, client)
    answer = await client.post(path, content=OFFER, headers=SDP | {"Accept": accept} | permit)
    assert answer.status_code == status
    problem(await client.post(path, json={}, headers=permit), 415)
    assert len(house.publishers) + len(house.viewers) == (status == 201)


def test_ice_servers_are_linked_to_with_what_one_signs_in_with() -> None:
    servers = [IceServer("stun:stun.example"), IceServer("turn:turn.example?transport=udp", "ann", 's"\\\n')]
    answer = created("v=0", "/whip/x", servers)
    assert answer.headers.getlist("link") == [
        '<stun:stun.example>; rel="ice-server"',
        '<turn:turn.example?transport=udp>; rel="ice-server"; username="ann"; credential="s\\"\\\\";'
        ' credential-type="password"',
    ]
    assert "link" not in created("v=0", "/whip/x").headers


@pytest.mark.parametrize("path", ["/whip", "/whip/stream", "/whep/key", "/whep/key/viewer"])
async def test_pages_of_other_sites_may_ask(house: House, path: str) -> None:
    async with house.browser(Origin="https://player.example") as page:
        answer = await page.options(path)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["accept-post"] == "application/sdp"
        assert {"POST", "PATCH", "DELETE"} <= set(answer.headers["access-control-allow-methods"].split(", "))
        assert "Authorization" in answer.headers["access-control-allow-headers"]
        for method in ("GET", "PUT"):
            assert (await page.request(method, path)).status_code == 405
