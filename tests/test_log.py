"""Nothing that is a secret or a name comes into the log, at any level, of any package, whatever is asked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from livefake.clock import FakeClock
from livefake.errors import LivefakeError
from livefake.server.enrolnotice import ENROL_NOTICE
from livefake.trust.handles import Handle
from tests.grantkit import enter
from tests.serverkit import OFFER, SDP, TOKEN, House
from tests.wirekit import asking, listening

PUSHED = "rtmp://live.example/app/stream-key-0123456789"
SUBJECT = "Person 77"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, allowed_hosts=("127.0.0.1",))


@pytest.fixture
def base(house: House, caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    caplog.set_level(logging.DEBUG)
    with listening(house) as base:
        yield base


def last(url: str) -> str:
    """The key at the end of a link."""
    return url.rpartition("/")[2]


def rest(house: House) -> None:
    """Let the limits forget what was asked."""
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(3_600_000)


def perform(house: House, client: httpx.Client) -> list[str]:
    """A session with everything that belongs to it; returns its secrets."""
    opened = client.post("/api/sessions", json=house.order()).raise_for_status().json()
    path, key = f"/api/sessions/{opened['id']}", last(opened["view_url"])
    client.patch(path, json={"persona": "edgar", "resume": True}).raise_for_status()
    client.patch(path, json={"persona": TOKEN})
    client.get(f"/view/{key}").raise_for_status()
    viewer = client.post(f"/whep/{key}", content=OFFER, headers=SDP).raise_for_status().headers["location"]
    client.post(f"/whep/{key}", content=b"\xff", headers=SDP)
    client.post(f"/whep/{key}/more", content=OFFER, headers=SDP)
    client.delete(viewer).raise_for_status()
    output = client.post(f"{path}/outputs", json={"kind": "push", "target": PUSHED}).raise_for_status().json()["id"]
    client.post(f"{path}/outputs", json={"kind": "virtual-camera", "target": PUSHED})
    client.post(f"{path}/outputs", json={"kind": "push", "target": PUSHED.replace("rtmp", "gopher")})
    client.delete(f"{path}/outputs/{output}").raise_for_status()
    client.delete(path).raise_for_status()
    for gone in (f"/view/{key}", f"/ts/{key}", f"/ts/{key}/more"):
        client.get(gone)
    return [key, last(viewer), PUSHED, last(PUSHED)]


def publish(house: House, client: httpx.Client) -> list[str]:
    """A stream key that is used and taken back; returns its secrets."""
    consent = {"notice": house.service.notice.id, "accepted": True}
    wanted = {"persona": "mara", "consent": consent, "outputs": [{"kind": "push", "target": PUSHED}]}
    made = client.post("/api/keys", json=wanted).raise_for_status().json()
    bearer = {"Authorization": f"Bearer {made['key']}"}
    for headers in ({**SDP, **bearer}, bearer, {**SDP, "Authorization": f"Bearer {made['key']}x"}):
        client.post("/whip", content=OFFER, headers=headers)
    client.get("/api/keys").raise_for_status()
    client.delete(f"/api/keys/{made['entry']['id']}").raise_for_status()
    return [made["key"]]


def enrol(client: httpx.Client) -> list[str]:
    """An invitation and a check that is begun and ended; returns their secrets."""
    scope = {"purposes": ["wear"], "outputs": ["live"], "days": 3}
    key = last(client.post("/api/invitations", json=scope).raise_for_status().json()["link"]["url"])
    client.get(f"/enrol/{key}").raise_for_status()
    offer = {"sdp": OFFER, "consent": {"notice": ENROL_NOTICE.id, "accepted": True}, "adult": True}
    client.post(f"/api/enrol/{key}", json={**offer, "sdp": "rubbish"})
    check = client.post(f"/api/enrol/{key}", json=offer).raise_for_status().json()["check"]
    client.get(f"/api/enrol/{key}/{check}")
    client.post(f"/api/enrol/{key}/{check}/signature", json={**scope, "subject": SUBJECT, "sign": True})
    client.post(f"/api/enrol/{key}/{check}/signature", json={**scope, "subject": SUBJECT * 40, "sign": True})
    client.delete(f"/api/enrol/{key}/{check}").raise_for_status()
    client.get(f"/api/enrol/{key}/{check}/other")
    return [key, check]


def own(house: House, client: httpx.Client) -> list[str]:
    """A subject who looks at their grant and takes it back; returns the link's secrets."""
    handle = Handle()
    enter(house.service.people.book, 77, handle=handle)
    for path in ("/grant/{}", "/api/grant/{}", "/api/grant/{}/export", "/api/grant/{}/nothing"):
        client.get(path.format(handle.key))
    client.get("/api/grants").raise_for_status()
    client.post(f"/api/grant/{handle.key}/revocation").raise_for_status()
    client.post(f"/api/grant/{handle.key}/revocation")
    return [handle.key, handle.key.partition("-")[2]]


def test_no_secret_and_no_name_is_logged(base: str, house: House, caplog: pytest.LogCaptureFixture) -> None:
    with asking(base) as client:
        client.get(f"/?token={TOKEN}")
        client.get("/api/status", headers={"Authorization": f"Bearer {TOKEN[:-1]}"})
        client.get(f"/api/status?token={TOKEN}", headers={"Host": f"{TOKEN}.example"})
        secrets = [TOKEN, TOKEN[:-1], SUBJECT, *perform(house, client), *publish(house, client), *enrol(client)]
        rest(house)
        secrets += own(house, client)
        # What goes wrong is logged with where it did, and that holds no secret either.
        for failure in (RuntimeError("a bug"), LivefakeError("A disk is full.")):
            house.sessions.fails = failure
            assert client.post("/api/sessions", json=house.order()).status_code == 500
    # The client that asks here writes a log of its own; it is no part of the service.
    service = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    logged = [caplog.handler.format(record) for record in service]
    assert any("POST /api/sessions -> 201" in line for line in logged)
    assert any("ran into a bug" in line and "RuntimeError" in line for line in logged)
    for secret in secrets:
        assert not [line for line in logged if secret in line], secret
