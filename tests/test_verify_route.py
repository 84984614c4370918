"""POST /api/verify: a file in, separate answers out, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import httpx
import pytest

from livefake.clock import FakeClock
from livefake.errors import BadMedia, BadRequest, Busy, LivefakeError, TooLarge
from livefake.server.desk import UPLOAD_LIMIT, Desk
from livefake.server.middleware import BODY_LIMIT
from livefake.server.problems import problem_of
from livefake.trust.issuer import issuer_number
from livefake.trust.verifier import NOT_REAL, Report
from livefake.trust.watermark.code import Payload
from tests.clipkit import note_session, pictures
from tests.grantkit import DURING
from tests.serverkit import House, problem, running

NUMBER = 4711
QUESTIONS = ["mark", "issuer", "session", "fingerprint", "grant", "c2pa"]
NOTHING = Report("Nothing.", (), {})


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    (tmp_path / "uploads").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "uploads"))
    return House(tmp_path)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with running(house) as client:
        yield client


def found(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def left(tmp_path: Path) -> list[Path]:
    return found(tmp_path / "uploads")


def jpeg(payload: Payload | None = None, size: tuple[int, int] = (1280, 720)) -> bytes:
    [luma] = pictures(1, payload)
    return cv2.imencode(".jpg", cv2.resize(luma, size))[1].tobytes()


async def pieces(*content: bytes) -> AsyncIterator[bytes]:
    for piece in content:
        yield piece


async def test_a_marked_picture_is_recognised_and_not_kept(
    client: httpx.AsyncClient, house: House, tmp_path: Path
) -> None:
    data = house.service.settings.data
    payload = Payload(1, issuer_number(data), NUMBER)
    note_session(data, NUMBER, pictures(1, payload), at=DURING)
    answer = await client.post("/api/verify", content=jpeg(payload), headers={"Content-Type": "image/jpeg"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"summary", "answers", "mark", "session", "fingerprint", "grant", "c2pa"}
    assert [one["question"] for one in body["answers"]] == QUESTIONS
    assert [one["verdict"] for one in body["answers"]] == ["yes", "yes", "yes", "yes", "yes", "no"]
    assert body["mark"]["payload"] == payload.pack().hex()
    assert body["session"]["number"] == NUMBER
    assert answer.headers["Cache-Control"] == "no-store"
    assert left(tmp_path) == []


async def test_an_unmarked_picture_is_never_called_real(client: httpx.AsyncClient, tmp_path: Path) -> None:
    answer = await client.post("/api/verify", content=jpeg(size=(320, 180)))
    body = answer.json()
    assert body["summary"] == NOT_REAL
    assert body["mark"]["present"] is False
    assert body["session"] is body["fingerprint"] is body["grant"] is None
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"", 422, "is empty"),
        (b"Dear reader", 422, "The file should be JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), 422, "The file, which begins like PNG, has no picture"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff" + bytes(50), 422, "65535 x 65535 pixels"),
    ],
)
async def test_bad_files_are_told_in_one_sentence(
    client: httpx.AsyncClient, tmp_path: Path, content: bytes, status: int, sentence: str
) -> None:
    told = problem(await client.post("/api/verify", content=content), status)
    assert sentence in told
    assert "uploads" not in told, "nobody learns where files lie"
    assert left(tmp_path) == []


async def test_a_form_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/verify", files={"file": ("a.jpg", b"x")})
    assert "is a form" in problem(answer, 415)


async def test_it_needs_the_token_and_our_own_page(house: House) -> None:
    async with house.app.router.lifespan_context(house.app):
        async with house.browser() as stranger:
            problem(await stranger.post("/api/verify", content=b"x"), 401)
        async with house.program(Origin="http://elsewhere.example") as page:
            problem(await page.post("/api/verify", content=b"x"), 403)


async def test_this_route_alone_takes_long_bodies(
    client: httpx.AsyncClient, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    async def count(content: AsyncIterator[bytes]) -> Report:
        seen.append(sum([len(piece) async for piece in content]))
        raise BadMedia("That was it.")

    monkeypatch.setattr(house.service.desk, "examine", count)
    long = b"x" * (BODY_LIMIT + 1)
    problem(await client.post("/api/verify", content=long), 422)
    assert seen == [len(long)]
    for path in ("/api/sessions", "/api/verify/", "/api/verify/x", "/whep/key"):
        assert (await client.post(path, content=long)).status_code == 413
    assert (await client.put("/api/verify", content=long)).status_code == 413


async def test_a_file_that_is_announced_too_long_is_not_read(client: httpx.AsyncClient) -> None:
    headers = {"Content-Length": str(UPLOAD_LIMIT + 1)}
    told = problem(await client.post("/api/verify", content=pieces(b"x"), headers=headers), 413)
    assert "256 MiB" in told


async def test_a_file_that_turns_out_too_long_is_stopped(client: httpx.AsyncClient, tmp_path: Path) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 16 << 20
            yield bytes(16 << 20)

    problem(await client.post("/api/verify", content=endless()), 413)
    assert sent <= UPLOAD_LIMIT + (32 << 20)
    assert left(tmp_path) == []


async def test_whoever_asks_too_often_is_told_when_to_come_again(client: httpx.AsyncClient, house: House) -> None:
    clock = house.service.clock
    assert isinstance(clock, FakeClock)
    for _ in range(6):
        problem(await client.post("/api/verify", content=b""), 422)
    answer = await client.post("/api/verify", content=b"")
    assert "come too fast" in problem(answer, 429)
    assert answer.headers["Retry-After"] == "5"
    clock.advance(5000)
    problem(await client.post("/api/verify", content=b""), 422)


async def test_the_page_needs_the_token(house: House) -> None:
    async with house.program() as client, house.browser() as stranger:
        assert "verifier" in (await client.get("/verify")).text
        problem(await stranger.get("/verify"), 401)


async def test_the_description_of_the_interface_knows_the_answer(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/api/verify"]["post"]
    assert "application/octet-stream" in operation["requestBody"]["content"]
    assert set(operation["responses"]) >= {"200", "413", "415", "422", "429", "503"}
    assert set(document["components"]["schemas"]["Examined"]["properties"]) >= {"mark", "c2pa", "answers"}


# The desk


async def test_places_at_the_desk_are_few_and_come_free_again() -> None:
    go = threading.Event()

    def slow(path: Path) -> Report:
        assert path.read_bytes() == b"abc"
        go.wait(10)
        return NOTHING

    desk = Desk(slow)
    waiting = [asyncio.create_task(desk.examine(pieces(b"a", b"bc"))) for index in range(3)]
    await asyncio.sleep(0.05)
    with pytest.raises(Busy, match="Other files"):
        await desk.examine(pieces(b"abc"))
    go.set()
    assert await asyncio.gather(*waiting) == [NOTHING] * 3
    assert await desk.examine(pieces(b"abc")) is NOTHING
    desk.close()


async def test_a_service_that_ends_meanwhile_says_so_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    go, begun = threading.Event(), threading.Event()

    def slow(path: Path) -> Report:
        assert path.exists()
        begun.set()
        go.wait(10)
        return NOTHING

    desk = Desk(slow)
    # One after the other: which of two gets to the worker first is chance, and only the first may be looked at.
    first = asyncio.create_task(desk.examine(pieces(b"x")))
    assert await asyncio.to_thread(begun.wait, 10)
    second = asyncio.create_task(desk.examine(pieces(b"y")))
    # Until it waits behind the first one.
    await asyncio.sleep(0.3)
    first.cancel()
    desk.close()
    for task in (first, second):
        with pytest.raises(Busy, match="is being stopped"):
            await task
    assert found(tmp_path) == []
    go.set()


async def test_an_upload_that_stalls_is_given_up(tmp_path: Path) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(30)

    desk = Desk(lambda path: NOTHING, patience=0.05)
    with pytest.raises(BadRequest, match="should come within 0 seconds"):
        await desk.examine(stalling())
    desk.close()


async def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(lambda path: NOTHING)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(LivefakeError, match="No such file or directory"):
        await desk.examine(pieces(b"x"))
    full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115, ASYNC230 - the desk closes it
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda **_: full)
    with pytest.raises(LivefakeError, match="No space left"):
        await desk.examine(pieces(b"x"))
    assert full.closed
    desk.close()


async def test_the_work_steps_back_for_live_sessions() -> None:
    found: list[int] = []

    def note(path: Path) -> Report:
        found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return NOTHING

    desk = Desk(note)
    await desk.examine(pieces(b"x"))
    desk.close()
    assert found[0] >= 5
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < found[0]


async def test_errors_of_the_desk_are_told_by_their_status() -> None:
    assert problem_of(TooLarge("x")).status == 413
    assert problem_of(BadMedia("x")).status == 422
