from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from livefake.errors import LivefakeError
from livefake.server.access import address
from livefake.server.app import build_app
from livefake.server.middleware import BODY_LIMIT
from livefake.server.notice import NOTICE, Notice
from livefake.trust.ledger import Ledger
from livefake.trust.scribe import Scribe
from tests.grantkit import SERVICE
from tests.serverkit import FRAMES, OFFER, SDP, TOKEN, House, opened, problem, running, view_key


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with running(house) as client:
        yield client


# Getting in


async def test_the_printed_address_sets_a_cookie_and_leads_to_the_page(house: House) -> None:
    async with house.browser(Accept="text/html") as browser:
        first = await browser.get(address(house.service.settings))
        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert first.headers["set-cookie"] == f"livefake-8848={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
        second = await browser.get("/")
        assert "performer" in second.text
        assert (await browser.get("/api/status")).status_code == 200


async def test_without_the_token_a_person_gets_a_page_and_a_program_gets_json(house: House) -> None:
    async with house.browser() as browser:
        page = await browser.get("/", headers={"Accept": "text/html,*/*"})
        assert page.status_code == 401
        assert "Open the address that livefake printed in the terminal." in page.text
        assert "<script" not in page.text
        assert "opens only with the token" in problem(await browser.get("/api/status"), 401)
        assert "opens only with the token" in problem(await browser.get("/?token=wrong"), 401)
        assert "set-cookie" not in page.headers


async def test_a_rebound_name_and_a_foreign_page_are_refused(house: House, client: httpx.AsyncClient) -> None:
    rebound = await client.get("/api/status", headers={"Host": "evil.example:8848"})
    assert "does not belong to livefake" in problem(rebound, 421)
    foreign = await client.post("/api/sessions", json=house.order(), headers={"Origin": "https://evil.example"})
    assert "page of another site" in problem(foreign, 403)
    assert len(house.sessions) == 0


@pytest.mark.parametrize("path", ["/", "/api/status", "/nowhere", "/static/main.js", "/healthz", "/view/wrong"])
async def test_every_answer_carries_the_security_headers(house: House, path: str) -> None:
    async with house.browser() as browser:
        headers = (await browser.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "camera=(self)" in headers["permissions-policy"]
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")
    assert "access-control-allow-origin" not in headers


# What is asked and answered


async def test_status_counts_the_places(house: House, client: httpx.AsyncClient) -> None:
    await opened(house, client)
    status = (await client.get("/api/status")).json()
    assert status == {"version": house.app.version, "ready": True, "capacity": 2, "open": 1, "engine": "none"}


async def test_the_notice_says_what_happens_and_its_id_follows_the_text(client: httpx.AsyncClient) -> None:
    notice = (await client.get("/api/notice")).json()
    assert notice["id"] == NOTICE.id
    assert re.fullmatch("[0-9a-f]{16}", notice["id"])
    assert notice["tick"].startswith("This is my own face")
    text = " ".join(notice["paragraphs"])
    assert all(word in text for word in ("label", "invisible mark", "viewer link", "identity check", "stored"))
    assert Notice("a", ("b",), "c").id != Notice("a", ("b.",), "c").id


async def test_personas_are_listed_with_a_portrait_that_can_be_fetched(client: httpx.AsyncClient) -> None:
    mara, edgar = (await client.get("/api/personas")).json()
    assert (mara["id"], edgar["title"], edgar["kind"]) == ("mara", "Edgar", "fictional")
    picture = await client.get(mara["portrait"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content == b"\xff\xd8mara"


@pytest.mark.parametrize(
    "path",
    [
        "/api/personas/..%2Fpersonas%2Fmara/portrait.jpg",
        "/api/personas/%2e%2e/portrait.jpg",
        "/static/..%2Fpersonas/mara/portrait.jpg",
        "/static/%2e%2e/personas/mara/portrait.jpg",
        "/static//etc/passwd",
        "/demo/..%2Fweb%2Findex.html",
        "/demo/nothing.mp4",
        "/nowhere",
    ],
)
async def test_no_path_leads_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code in {404, 422}
    problem(answer, answer.status_code)


async def test_the_pages_and_the_clip_are_served(house: House, client: httpx.AsyncClient) -> None:
    key = view_key(await opened(house, client))
    assert "viewer" in (await client.get(f"/view/{key}")).text
    assert (await client.get("/static/main.js")).text == "export {};"
    part = await client.get("/demo/performer.mp4", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert "still.jpg is missing" in problem(await client.get("/demo/still.jpg"), 404)


async def test_the_api_description_holds_together(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    assert {"/api/status", "/api/sessions/{id}", "/whep/{key}", "/metrics"} <= set(document["paths"])
    for reference in references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    page = await client.get("/docs")
    assert "<code>/api/sessions/{id}</code>" in page.text
    assert not re.search(r"<script|<style|https?:|//", page.text)


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for part in node:
            yield from references(part)


async def test_the_metrics_can_be_read_and_never_go_back(house: House, client: httpx.AsyncClient) -> None:
    session = await opened(house, client)
    running_now = await scraped(client)
    assert running_now["livefake_sessions_open", ()] == 1
    assert running_now["livefake_sessions_capacity", ()] == 2
    assert running_now["livefake_queue_depth", ()] == 1
    assert running_now["livefake_quality_steps_down", ()] == 2
    assert running_now["livefake_frames_total", ("swapped",)] == FRAMES["swapped"]
    assert running_now["livefake_stage_milliseconds", ("0.95", "detect")] == 3.0
    assert running_now["livefake_frame_milliseconds", ("0.5",)] == 20.0
    await client.delete(f"/api/sessions/{session['id']}")
    await house.settled()
    afterwards = await scraped(client)
    assert afterwards["livefake_sessions_open", ()] == 0
    assert afterwards["livefake_frames_total", ("swapped",)] == FRAMES["swapped"]
    assert ("livefake_frame_milliseconds", ("0.5",)) not in afterwards
    text = (await client.get("/metrics")).text
    assert session["id"] not in text
    assert "mara" not in text


async def test_the_ledger_is_in_the_metrics_and_closed_with_the_service(house: House, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, SERVICE)
    service = replace(house.service, scribe=Scribe(ledger))
    house.app = build_app(service)
    assert service.scribe is not None
    async with running(house) as client:
        service.scribe.write("grant", {"grant": "ab" * 8})
        numbers = await scraped(client)
        assert numbers["livefake_ledger_entries_total", ("written",)] == 1
        assert numbers["livefake_ledger_entries_total", ("lost",)] == 0
        assert numbers["livefake_ledger_failing", ()] == numbers["livefake_ledger_waiting", ()] == 0
        (tmp_path / "ledger").rename(tmp_path / "away")
        (tmp_path / "ledger").touch()
        with pytest.raises(LivefakeError, match="cannot be written"):
            service.scribe.write("grant", {"grant": "ab" * 8})
        assert (await scraped(client))["livefake_ledger_failing", ()] == 1
        (tmp_path / "ledger").unlink()
        (tmp_path / "away").rename(tmp_path / "ledger")
        service.scribe.leave("grant", {"grant": "cd" * 8})
    assert ledger.verify().entries == 2, "what waited was written at the end"
    assert not service.scribe.leave("grant", {"grant": "ef" * 8})


async def scraped(client: httpx.AsyncClient) -> dict[tuple[str, tuple[str, ...]], float]:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (line.name, tuple(line.labels[label] for label in sorted(line.labels))): line.value
        for family in text_string_to_metric_families(answer.text)
        for line in family.samples
    }


# Bodies


async def test_a_body_that_announces_too_much_is_not_read(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/sessions", content=b"x" * (BODY_LIMIT + 1))
    assert f"may have {BODY_LIMIT} bytes" in problem(answer, 413)


async def test_a_body_that_streams_too_much_is_stopped(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1024
            yield b"x" * 1024

    problem(await client.post("/whep/key", content=endless(), headers=SDP), 413)
    assert sent <= BODY_LIMIT + 2 * 1024


async def test_a_body_at_the_limit_is_read(house: House, client: httpx.AsyncClient) -> None:
    body = json.dumps(house.order()).encode()
    padded = body + b" " * (BODY_LIMIT - len(body))
    answer = await client.post("/api/sessions", content=padded, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201


# Secrets


async def test_the_log_has_neither_token_nor_keys(
    house: House, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "livefake")
    async with house.browser() as browser:
        await browser.get(address(house.service.settings))
    session = await opened(house, client)
    key = view_key(session)
    viewer = (await client.post(f"/whep/{key}", content=OFFER, headers=SDP)).headers["location"]
    await client.get(f"/view/{key}")
    await client.get(f"/nowhere/{key}?token={TOKEN}")
    await client.delete(viewer)
    await client.delete(f"/api/sessions/{session['id']}")
    await house.settled()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("livefake")]
    assert "POST /whep/{key} -> 201 in 0 ms" in lines
    assert "GET (unmatched) -> 404 in 0 ms" in lines
    for secret in (TOKEN, key, session["id"], viewer):
        assert not any(secret in line for line in lines)
