from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from livefake.errors import EngineError
from livefake.server import room as room_module
from livefake.server.notice import NOTICE
from livefake.server.room import VIEWERS
from livefake.session import Others
from tests.serverkit import FRAMES, OFFER, ORIGIN, SDP, House, opened, problem, running, view_key


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with running(house) as client:
        yield client


# Opening a session


async def test_a_session_opens_changes_and_ends(house: House, client: httpx.AsyncClient) -> None:
    session = await opened(house, client, others="swap")
    assert session["sdp"].startswith("v=0")
    key = view_key(session)
    assert session["view_url"] == f"{ORIGIN}/view/{key}"
    assert session["whep_url"] == f"{ORIGIN}/whep/{key}"
    assert session["feed_url"] == f"{ORIGIN}/ts/{key}"
    assert list(session["outputs"]) == ["push"]
    path = f"/api/sessions/{session['id']}"
    state = (await client.get(path)).json()
    assert state["id"] == session["id"]
    assert (state["state"], state["persona"], state["others"], state["needs_resume"]) == ("live", "mara", "swap", True)
    assert state["frames"] == {**FRAMES, "late": 0, "failed": 0}
    assert state["frame"] == {"p50_ms": 20.0, "p95_ms": 30.0, "cpu_ms": 18.0}
    assert state["stages"]["detect"]["cpu_ms"] == 1.5

    changed = (
        await client.patch(path, json={"persona": "edgar", "others": "leave", "tone": 0.25, "resume": True})
    ).json()
    assert (changed["persona"], changed["others"], changed["needs_resume"]) == ("edgar", "leave", False)
    assert changed["tone"] == 0.25
    assert "no persona with this id" in problem(await client.patch(path, json={"persona": "nobody"}), 404)
    assert (await client.patch(path, json={})).json() == changed

    quiet = {"present": False, "muted": False, "offset_ms": 0, "level": 0, "video_delay_ms": 0}
    assert changed["sound"] == quiet
    muted = (await client.patch(path, json={"sound": {"muted": True, "offset_ms": -40}})).json()
    assert muted["sound"] == {**quiet, "muted": True, "offset_ms": -40}
    assert (await client.patch(path, json={"sound": {"muted": False}})).json()["sound"]["offset_ms"] == -40
    problem(await client.patch(path, json={"sound": {"offset_ms": 501}}), 422)

    assert (await client.delete(path)).status_code == 204
    await house.settled()
    assert house.performers[0].closed
    problem(await client.get(path), 404)
    assert (await client.delete(path)).status_code == 204, "what has ended already is what was wanted"


async def test_a_microphone_in_the_offer_is_told(house: House, client: httpx.AsyncClient) -> None:
    session = await opened(house, client, sdp="v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n")
    assert (await client.get(f"/api/sessions/{session['id']}")).json()["sound"]["present"] is True


async def test_the_ledger_is_told_what_the_performer_agreed_to(house: House, client: httpx.AsyncClient) -> None:
    await opened(house, client, source="clip")
    assert [(order.notice, order.source) for order in house.sessions.orders] == [(NOTICE.id, "clip")]


async def test_other_faces_are_blurred_unless_chosen(house: House, client: httpx.AsyncClient) -> None:
    await opened(house, client)
    assert [entry.session.others for entry in house.sessions] == [Others.BLUR]


async def test_the_viewer_link_follows_the_page_that_asked(tmp_path: Path) -> None:
    house = House(tmp_path, allowed_hosts=("live.example.org",))
    proxied = {"Host": "live.example.org", "Origin": "https://live.example.org"}
    async with running(house) as client:
        answer = await client.post("/api/sessions", json=house.order(), headers=proxied)
    assert answer.json()["view_url"].startswith("https://live.example.org/view/")


@pytest.mark.parametrize(
    ("consent", "says"),
    [
        ({"notice": NOTICE.id, "accepted": False}, "needs your agreement"),
        ({"notice": "0" * 16, "accepted": True}, "another version of the notice"),
    ],
)
async def test_without_consent_no_connection_is_made(
    house: House, client: httpx.AsyncClient, consent: dict[str, object], says: str
) -> None:
    answer = await client.post("/api/sessions", json=house.order(consent=consent))
    assert says in problem(answer, 403)
    assert house.performers == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"consent": {"notice": NOTICE.id, "accepted": "yes"}}, "consent.accepted: input should be a valid boolean"),
        ({"consent": None}, "consent: "),
        ({"tone": 1.5}, "tone: input should be less than or equal to 1"),
        ({"others": "pixelate"}, "others: input should be 'blur', 'leave' or 'swap'"),
        ({"source": "screen"}, "source: input should be 'camera' or 'clip'"),
        ({"sdp": ""}, "sdp: "),
        ({"colour": "red"}, "colour: extra inputs are not permitted"),
        ({"sdp": "hello"}, "The offer should be SDP"),
    ],
)
async def test_what_does_not_fit_is_told_in_a_sentence(
    house: House, client: httpx.AsyncClient, changes: dict[str, object], says: str
) -> None:
    assert says in problem(await client.post("/api/sessions", json=house.order(**changes)), 422)
    assert len(house.sessions) == 0


async def test_a_body_that_is_not_json_is_told_so(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/sessions", content=b"{", headers={"Content-Type": "application/json"})
    assert problem(answer, 400) == "The body should be JSON, and cannot be read as such."
    assert "does not answer PUT" in problem(await client.put("/api/sessions"), 405)


async def test_when_all_places_are_taken_nothing_is_negotiated(house: House, client: httpx.AsyncClient) -> None:
    # At once: an offer that is still being answered counts as a taken place.
    answers = await asyncio.gather(*(client.post("/api/sessions", json=house.order()) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 503]
    assert len(house.performers) == 2
    refused = await client.post("/api/sessions", json=house.order())
    assert problem(refused, 503) == "All 2 places for performers are taken."
    assert refused.headers["retry-after"] == "5"


async def test_a_failure_half_way_leaves_nothing_open(house: House, client: httpx.AsyncClient) -> None:
    house.sessions.fails = EngineError("The model cannot be run.", "Look at the log.")
    assert problem(await client.post("/api/sessions", json=house.order()), 500) == "The model cannot be run."
    assert [peer.closed for peer in house.performers] == [True]
    house.sessions.fails = None
    await opened(house, client)
    await opened(house, client)


async def test_a_bug_is_told_to_the_terminal_and_not_to_the_client(
    house: House, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    house.sessions.fails = ZeroDivisionError("a secret of the inside")
    answer = await client.post("/api/sessions", json=house.order())
    assert problem(answer, 500) == "Something went wrong inside livefake."
    assert "content-security-policy" in answer.headers
    assert "a secret of the inside" in caplog.text
    assert [peer.closed for peer in house.performers] == [True]


# Ends


async def test_when_the_performer_goes_everything_of_the_session_is_closed(
    house: House, client: httpx.AsyncClient
) -> None:
    key = view_key(await opened(house, client))
    assert (await client.post(f"/whep/{key}", content=OFFER, headers=SDP)).status_code == 201
    house.performers[0].leave()
    await house.settled()
    assert len(house.sessions) == 0
    assert house.performers[0].closed
    assert house.viewers[0].closed
    problem(await client.get(f"/view/{key}"), 404)


async def test_when_the_session_ends_by_itself_the_connections_are_closed(
    house: House, client: httpx.AsyncClient
) -> None:
    session = await opened(house, client)
    await house.sessions.close(session["id"])
    await house.settled()
    assert house.performers[0].closed
    assert list(house.service.rooms) == []


async def test_stopping_the_service_closes_everything(house: House) -> None:
    async with running(house) as client:
        key = view_key(await opened(house, client))
        await client.post(f"/whep/{key}", content=OFFER, headers=SDP)
    assert house.performers[0].closed
    assert house.viewers[0].closed
    assert len(house.sessions) == 0
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    async with house.program() as client:
        assert (await client.get("/api/status")).json()["ready"] is False
        problem(await client.post("/api/sessions", json=house.order()), 503)


# A connection that is lost


async def lost(house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, **times: float) -> str:
    """Open a session and lose its performer's connection; returns the session's address."""
    for name, seconds in times.items():
        monkeypatch.setattr(room_module, name, seconds)
    session = await opened(house, client)
    house.performers[-1].drop()
    await house.settled()
    return f"/api/sessions/{session['id']}"


async def test_a_performer_comes_back_to_the_same_session_without_another_consent(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await lost(house, client, monkeypatch)
    (entry,) = house.sessions
    viewer = await client.post(f"/whep/{entry.view_key}", content=OFFER, headers=SDP)
    assert viewer.status_code == 201, "viewers find the session meanwhile"
    answer = await client.put(f"{path}/connection", json={"sdp": OFFER})
    assert (answer.status_code, answer.json()) == (200, {"sdp": "v=0\r\ns=answer\r\n"})
    await house.settled()
    first, second = house.performers
    assert (first.closed, second.closed) == (True, False)
    assert entry.session.sinks == [second.sink]
    assert second.listener == entry.sound.put
    assert len(house.sessions.orders) == 1, "the same consent, the same number"
    assert not house.viewers[0].closed
    second.leave()
    await house.settled()
    assert len(house.sessions) == 0


async def test_a_performer_may_be_faster_than_the_service_in_noticing(house: House, client: httpx.AsyncClient) -> None:
    session = await opened(house, client)
    for _ in range(3):
        answer = await client.put(f"/api/sessions/{session['id']}/connection", json={"sdp": OFFER})
        assert answer.status_code == 200
    await house.settled()
    assert [peer.closed for peer in house.performers] == [True, True, True, False]
    assert len(house.sessions) == 1
    assert (await client.delete(f"/api/sessions/{session['id']}")).status_code == 204
    await house.settled()
    assert house.performers[-1].closed


async def test_offers_at_once_leave_one_connection(house: House, client: httpx.AsyncClient) -> None:
    path = f"/api/sessions/{(await opened(house, client))['id']}/connection"
    answers = await asyncio.gather(*(client.put(path, json={"sdp": OFFER}) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    await house.settled()
    assert [peer.closed for peer in house.performers].count(False) == 1
    assert len(next(iter(house.sessions)).session.sinks) == 1


async def test_a_performer_who_does_not_come_back_ends_the_session(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await lost(house, client, monkeypatch, YIELDS=0.01, KEPT=0.02)
    for entry in list(house.sessions):
        await asyncio.wait_for(entry.closed.wait(), 5)
    await house.settled()
    problem(await client.put(f"{path}/connection", json={"sdp": OFFER}), 404)
    assert all(peer.closed for peer in house.performers)
    assert list(house.service.rooms) == []


async def test_a_lost_session_gives_its_place_to_whoever_finds_none(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(house, client)
    path = await lost(house, client, monkeypatch, YIELDS=0.01)
    for _ in range(500):
        if (await client.post("/api/sessions", json=house.order())).status_code == 201:
            break
        await asyncio.sleep(0.005)
    problem(await client.get(path), 404)
    assert len(house.sessions) == 2
    problem(await client.post("/api/sessions", json=house.order()), 503)


async def test_a_lost_session_keeps_its_place_at_first(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(house, client)
    path = await lost(house, client, monkeypatch)
    problem(await client.post("/api/sessions", json=house.order()), 503)
    assert (await client.get(path)).status_code == 200


async def test_an_offer_that_does_not_fit_leaves_the_connection_there_is(
    house: House, client: httpx.AsyncClient
) -> None:
    path = f"/api/sessions/{(await opened(house, client))['id']}/connection"
    problem(await client.put(path, json={"sdp": "hello"}), 422)
    problem(await client.put(path, json={"sdp": OFFER, "consent": True}), 422)
    assert [peer.closed for peer in house.performers] == [False, True]
    problem(await client.put("/api/sessions/unknown/connection", json={"sdp": OFFER}), 404)


async def test_only_the_performer_connects_again(house: House, client: httpx.AsyncClient) -> None:
    session = await opened(house, client)
    async with house.browser() as stranger:
        path = f"/api/sessions/{session['id']}/connection"
        problem(await stranger.put(path, json={"sdp": OFFER}), 401)
        problem(await client.put(path, json={"sdp": OFFER}, headers={"Origin": "https://evil.example"}), 403)
    problem(await client.put(f"/api/sessions/{view_key(session)}/connection", json={"sdp": OFFER}), 404)
    assert [peer.closed for peer in house.performers] == [False]


async def test_a_session_that_ends_while_the_performer_connects_leaves_nothing_open(
    house: House, client: httpx.AsyncClient
) -> None:
    path = f"/api/sessions/{(await opened(house, client))['id']}"
    answer, _ = await asyncio.gather(client.put(f"{path}/connection", json={"sdp": OFFER}), client.delete(path))
    await house.settled()
    assert answer.status_code in (200, 404)
    assert all(peer.closed for peer in house.performers)


async def test_candidates_that_come_later_are_handed_to_the_connection_in_use(
    house: House, client: httpx.AsyncClient
) -> None:
    path = f"/api/sessions/{(await opened(house, client))['id']}/connection"
    more = "a=ice-ufrag:abcd\r\nm=video 9 X 0\r\na=mid:0\r\na=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\n"
    kind = {"Content-Type": "application/trickle-ice-sdpfrag"}
    assert (await client.patch(path, content=more, headers=kind)).status_code == 204
    assert house.performers[0].trickled == [more]
    problem(await client.patch(path, content=more), 415)
    problem(await client.patch("/api/sessions/unknown/connection", content=more, headers=kind), 404)
    async with house.browser() as stranger:
        problem(await stranger.patch(path, content=more, headers=kind), 401)


# Viewers


async def test_whep_connects_and_disconnects_a_viewer(house: House, client: httpx.AsyncClient) -> None:
    key = view_key(await opened(house, client))
    async with house.browser(Origin="https://player.example") as player:
        answer = await player.post(f"/whep/{key}", content=OFFER, headers=SDP)
        assert answer.status_code == 201
        assert answer.headers["content-type"] == "application/sdp"
        assert answer.text.startswith("v=0")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "Location, ETag, Accept-Patch, Link"
        place = answer.headers["location"]
        assert re.fullmatch(rf"/whep/{key}/[\w-]{{16}}", place)
        assert (await player.delete(place)).status_code == 204
        assert house.viewers[0].closed
        assert (await player.delete(place)).status_code == 204, "what has left already is what was wanted"


async def test_a_browser_may_ask_whether_other_pages_can_use_whep(house: House) -> None:
    async with house.browser(Origin="https://player.example") as player:
        answer = await player.options("/whep/key")
        assert answer.status_code == 204
        assert "POST" in answer.headers["access-control-allow-methods"]
        assert answer.headers["access-control-allow-headers"] == "Content-Type, Authorization, If-Match"
        assert (await player.options("/api/sessions")).status_code == 401


async def test_viewers_are_bounded_and_one_that_leaves_makes_room(house: House, client: httpx.AsyncClient) -> None:
    path = f"/whep/{view_key(await opened(house, client))}"
    answers = await asyncio.gather(*(client.post(path, content=OFFER, headers=SDP) for _ in range(VIEWERS + 1)))
    assert sorted(answer.status_code for answer in answers) == [201] * VIEWERS + [503]
    assert len(house.viewers) == VIEWERS
    house.viewers[0].leave()
    await house.settled()
    assert (await client.post(path, content=OFFER, headers=SDP)).status_code == 201


async def test_an_offer_that_does_not_fit_takes_no_place(house: House, client: httpx.AsyncClient) -> None:
    path = f"/whep/{view_key(await opened(house, client))}"
    for _ in range(3):
        problem(await client.post(path, content="hello", headers=SDP), 422)
    problem(await client.post(path, content=b"\xff", headers=SDP), 422)
    problem(await client.post(path, json={}), 415)
    assert all(viewer.closed for viewer in house.viewers)
    assert (await client.post(path, content=OFFER, headers=SDP)).status_code == 201


@pytest.mark.parametrize("key", ["wrong", "%00", "%F0%9F%98%80", "%FF"])
async def test_an_unknown_key_opens_nothing(client: httpx.AsyncClient, key: str) -> None:
    problem(await client.post(f"/whep/{key}", content=OFFER, headers=SDP), 404)
    assert (await client.delete(f"/whep/{key}/viewer")).status_code == 204, "tells nothing about keys"
