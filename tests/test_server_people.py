"""Inviting, checking, signing, seeing and taking back over HTTP; the checks are judged for real, see ``enrolkit``."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from livefake.errors import EngineError, LivefakeError
from livefake.server.enrolments import AT_ONCE
from livefake.server.enrolnotice import ENROL_NOTICE, notice_text
from livefake.trust.consent import Output, Purpose, parse, verify
from livefake.trust.invites import LIFE, Ask, InviteBook
from livefake.trust.liveness import Liveness
from livefake.trust.prompts import Prompt
from tests.actor import Levels
from tests.enrolkit import Cast, until
from tests.grantkit import START, enter, person_pack
from tests.serverkit import OFFER, ORIGIN, TOKEN, House, problem, running

SCOPE: Mapping[str, Any] = {"purposes": ["train", "wear"], "outputs": ["live", "file"], "days": 30}
YES = {"notice": ENROL_NOTICE.id, "accepted": True}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
async def owner(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with running(house) as client:
        yield client


@pytest.fixture
async def guest(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without the token, on another device."""
    async with house.browser(Origin=ORIGIN) as client:
        yield client


def still(time: float, liveness: Liveness) -> Levels:
    del time, liveness
    return {}


async def invited(owner: httpx.AsyncClient, **changes: object) -> str:
    """The key of a fresh invitation."""
    answer = await owner.post("/api/invitations", json={**SCOPE, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["link"]["url"]).rpartition("/")[2]


def offer(**changes: object) -> dict[str, object]:
    return {"sdp": OFFER, "consent": YES, "adult": True, **changes}


async def begun(guest: httpx.AsyncClient, key: str) -> str:
    """The path of a check that has begun."""
    answer = await guest.post(f"/api/enrol/{key}", json=offer())
    assert answer.status_code == 201, answer.text
    return f"/api/enrol/{key}/{answer.json()['check']}"


async def ended(guest: httpx.AsyncClient, house: House, check: str) -> dict[str, Any]:
    """The state of a check that is over."""
    for _ in range(3000):
        state: dict[str, Any] = (await guest.get(check)).json()
        if state["state"] != "watching":
            return state
        await asyncio.sleep(0.01)
        house.clock.advance(300)
    raise TimeoutError


def signature(**changes: object) -> dict[str, object]:
    return {**SCOPE, "subject": "Zoë", "sign": True, **changes}


async def signed(house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient) -> dict[str, Any]:
    """The answer to a signature after everything before it."""
    check = await begun(guest, await invited(owner))
    assert (await ended(guest, house, check))["state"] == "passed"
    answer = await guest.post(f"{check}/signature", json=signature())
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


# Inviting


async def test_an_invitation_is_a_link_with_a_picture_of_it(owner: httpx.AsyncClient) -> None:
    answer = await owner.post("/api/invitations", json=SCOPE, headers={"Origin": "https://127.0.0.1:8848"})
    body = answer.json()
    assert re.fullmatch(r"https://127\.0\.0\.1:8848/enrol/[A-Za-z0-9_-]{22}", body["link"]["url"])
    assert body["until"] == START + LIFE
    assert body["link"]["qr"].startswith("data:image/svg+xml")
    assert "127.0.0.1" not in body["link"]["qr"]


@pytest.mark.parametrize(
    "change",
    [
        {"days": 0},
        {"days": 733},
        {"days": "many"},
        {"purposes": []},
        {"purposes": ["fly"]},
        {"outputs": ["everywhere"]},
        {"name": "Zoë"},
    ],
)
async def test_an_invitation_that_makes_no_sense_is_refused(
    owner: httpx.AsyncClient, change: Mapping[str, Any]
) -> None:
    problem(await owner.post("/api/invitations", json={**SCOPE, **change}), 422)


async def test_a_face_to_be_worn_nowhere_is_refused(owner: httpx.AsyncClient) -> None:
    assert "seen somewhere" in problem(await owner.post("/api/invitations", json={**SCOPE, "outputs": []}), 403)


async def test_only_the_owner_invites_and_sees_the_list(guest: httpx.AsyncClient) -> None:
    problem(await guest.post("/api/invitations", json=SCOPE), 401)
    problem(await guest.get("/api/grants"), 401)


async def test_where_nobody_can_be_told_apart_nobody_is_invited(house: House, owner: httpx.AsyncClient) -> None:
    object.__setattr__(house.service.people, "missing", EngineError("dlib is not installed.", "Install it."))
    assert problem(await owner.post("/api/invitations", json=SCOPE), 500) == "dlib is not installed."


async def test_an_invitation_says_what_is_asked_and_needs_no_token(
    owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    key = await invited(owner)
    assert "enrol" in (await guest.get(f"/enrol/{key}")).text
    text = (await guest.get(f"/api/enrol/{key}")).json()
    assert {name: text[name] for name in SCOPE} == {**SCOPE, "outputs": ["file", "live"]}
    assert (text["tries"], text["until"]) == (3, START + LIFE)
    assert text["notice"]["id"] == ENROL_NOTICE.id


@pytest.mark.parametrize("path", ["/enrol/{}", "/api/enrol/{}", "/grant/{}", "/api/grant/{}", "/api/grant/{}/export"])
async def test_a_guessed_key_opens_nothing(owner: httpx.AsyncClient, guest: httpx.AsyncClient, path: str) -> None:
    for key in ("A" * 22, "0123456789abcdef-" + "A" * 32, "x"):
        problem(await guest.get(path.format(key)), 404)
    assert (await guest.get(path.format("..%2Fissuer"))).status_code in {401, 404}


async def test_a_link_runs_out(house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    key = await invited(owner)
    house.cast.now += LIFE
    for answer in (await guest.get(f"/api/enrol/{key}"), await guest.post(f"/api/enrol/{key}", json=offer())):
        assert "cannot be used" in problem(answer, 404)


# The check


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"adult": False}, "of age"),
        ({"consent": {**YES, "accepted": False}}, "was not given"),
        ({"consent": {**YES, "notice": "another"}}, "another version"),
    ],
)
async def test_nothing_is_looked_at_without_a_yes(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient, change: Mapping[str, Any], words: str
) -> None:
    key = await invited(owner)
    assert words in problem(await guest.post(f"/api/enrol/{key}", json=offer(**change)), 403)
    assert house.cast.subjects == []
    assert (await guest.get(f"/api/enrol/{key}")).json()["tries"] == 3


async def test_an_offer_that_cannot_be_answered_uses_no_try(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    key = await invited(owner)
    problem(await guest.post(f"/api/enrol/{key}", json=offer(sdp="rubbish")), 422)
    assert (await guest.get(f"/api/enrol/{key}")).json()["tries"] == 3
    assert house.cast.subjects[0].closed
    await begun(guest, key)


async def test_the_code_is_told_only_when_it_is_to_be_read(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    check = await begun(guest, await invited(owner))
    seen: set[tuple[str | None, bool]] = set()
    for _ in range(4000):
        state = (await guest.get(check)).json()
        seen.add((state["step"]["prompt"], state["step"]["code"] is not None))
        if state["state"] != "watching":
            break
        house.clock.advance(300)
    assert state["state"] == "passed"
    assert all(told == (prompt == Prompt.READ_CODE) for prompt, told in seen)
    assert (state["step"]["index"], state["step"]["of"]) == (7, 7)


async def test_three_refusals_use_a_link_up(house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    key = await invited(owner)
    for left in (2, 1, 0):
        house.cast.expect(still)
        state = await ended(guest, house, await begun(guest, key))
        assert state["state"] == "refused"
        assert state["problem"].endswith(".")
        assert state["remedy"].startswith("Start again")
        assert state["tries"] == left
    assert "cannot be used" in problem(await guest.post(f"/api/enrol/{key}", json=offer()), 404)
    folder = house.service.people.data / "invites"
    await until(lambda: not list(folder.iterdir()))


async def test_company_is_refused(house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    house.cast.expect().others = 1
    state = await ended(guest, house, await begun(guest, await invited(owner)))
    assert state["problem"] == "There should be one person in the picture, and there are 2."


async def test_one_check_a_link_and_two_at_once(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    keys = [await invited(owner) for _ in range(AT_ONCE + 1)]
    checks = [await begun(guest, key) for key in keys[:AT_ONCE]]
    assert "another window" in problem(await guest.post(f"/api/enrol/{keys[0]}", json=offer()), 503)
    assert "2 people are being checked" in problem(await guest.post(f"/api/enrol/{keys[-1]}", json=offer()), 503)
    assert (await guest.get(f"/api/enrol/{keys[-1]}")).json()["tries"] == 3
    assert (await guest.delete(checks[0])).status_code == 204
    assert (await guest.delete(checks[0])).status_code == 204
    await begun(guest, keys[-1])


async def test_who_only_has_the_link_can_neither_watch_nor_end_nor_sign(
    owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    key = await invited(owner)
    check = await begun(guest, key)
    problem(await guest.get(f"/api/enrol/{key}/guess"), 404)
    assert (await guest.delete(f"/api/enrol/{key}/guess")).status_code == 204
    problem(await guest.post(f"/api/enrol/{key}/guess/signature", json=signature()), 404)
    assert (await guest.get(check)).json()["state"] == "watching"


async def test_a_page_of_another_site_can_do_nothing(owner: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    key = await invited(owner)
    foreign = {"Origin": "https://evil.example"}
    assert "another site" in problem(await guest.post(f"/api/enrol/{key}", json=offer(), headers=foreign), 403)
    rebound = {"Host": "evil.example:8848"}
    problem(await guest.get(f"/api/enrol/{key}", headers=rebound), 421)


# Signing


async def test_a_grant_is_signed_and_its_subject_gets_a_link(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    body = await signed(house, owner, guest)
    book = house.service.people.book
    [id] = book.ids()
    grant = book.check(id, now=START + 60, purpose=Purpose.WEAR, output=Output.FILE)
    assert (grant.subject, grant.adult, grant.valid_until - grant.valid_from) == ("Zoë", True, 30 * 86_400)
    assert grant.notice == hashlib.sha256(notice_text(ENROL_NOTICE).encode()).hexdigest()
    assert grant.notice.startswith(ENROL_NOTICE.id)
    assert grant.evidence["through"] == "one-time link"
    assert book.templates.load(id, grant.template) is not None
    assert body["grant"]["state"] == "holds"
    link = body["link"]["url"]
    assert link.startswith(f"{ORIGIN}/grant/{id}-")
    assert base64.b64encode(link.encode()).decode() not in body["link"]["qr"]
    own = (await guest.get(f"/api/grant/{link.rpartition('/')[2]}")).json()
    assert own == body["grant"]


async def test_an_invitation_is_used_up_by_a_signature(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    key = await invited(owner)
    check = await begun(guest, key)
    await ended(guest, house, check)
    answers = await asyncio.gather(*(guest.post(f"{check}/signature", json=signature()) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers)[0] == 201
    assert [answer.status_code for answer in answers].count(201) == 1
    assert len(house.service.people.book.ids()) == 1
    problem(await guest.get(check), 404)
    problem(await guest.get(f"/api/enrol/{key}"), 404)


async def test_less_than_asked_may_be_allowed_and_more_may_not(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    check = await begun(guest, await invited(owner))
    await ended(guest, house, check)
    for more in ({"days": 31}, {"outputs": ["live", "virtual-camera"]}):
        assert "more than the invitation" in problem(
            await guest.post(f"{check}/signature", json=signature(**more)), 403
        )
    problem(await guest.post(f"{check}/signature", json=signature(subject="  ")), 422)
    problem(await guest.post(f"{check}/signature", json=signature(subject="a\nb")), 403)
    problem(await guest.post(f"{check}/signature", json=signature(sign=False)), 403)
    less = signature(days=7, outputs=["live"], subject=" Zoë ")
    body = (await guest.post(f"{check}/signature", json=less)).json()
    assert body["grant"]["outputs"] == ["live"]
    assert body["grant"]["subject"] == "Zoë"
    assert body["grant"]["until"] - body["grant"]["since"] == 7 * 86_400


async def test_nothing_is_signed_before_the_check_has_passed(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    house.cast.expect(still)
    check = await begun(guest, await invited(owner))
    assert "no passed check" in problem(await guest.post(f"{check}/signature", json=signature()), 403)
    await ended(guest, house, check)
    assert "no passed check" in problem(await guest.post(f"{check}/signature", json=signature()), 403)
    assert house.service.people.book.ids() == ()
    assert not (house.service.people.data / "templates").exists()


async def test_a_passed_check_that_is_not_signed_in_time_is_forgotten(tmp_path: Path) -> None:
    house = House(tmp_path)
    cast = Cast(tmp_path / "data", sign_within=0.05)
    object.__setattr__(house.service, "people", cast.people)
    async with running(house) as owner, house.browser(Origin=ORIGIN) as guest:
        key = await invited(owner)
        attempt, _ = await cast.people.enrolments.begin(key, OFFER)
        assert attempt.task is not None
        async with asyncio.timeout(30):
            await attempt.task
        assert attempt.enrolment.watched is None
        problem(await guest.get(f"/api/enrol/{key}/{attempt.name}"), 404)
        assert (await guest.get(f"/api/enrol/{key}")).json()["tries"] == 2


async def test_a_grant_whose_invitation_stays_open_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stuck(book: InviteBook, key: str) -> None:
        raise LivefakeError("The disk is broken.")

    monkeypatch.setattr(InviteBook, "close", stuck)
    cast = Cast(tmp_path / "data")
    invites, enrolments, book = cast.people.invites, cast.people.enrolments, cast.people.book
    ask = Ask(frozenset(Purpose), frozenset({Output.LIVE}), 1)
    key, _ = invites.make(ask, now=START)
    attempt, _ = await enrolments.begin(key, OFFER)
    await until(lambda: attempt.enrolment.watched is not None)
    with pytest.raises(LivefakeError, match="disk is broken"):
        await enrolments.sign(key, attempt.name, subject="Zoë", ask=ask)
    [id] = book.ids()
    assert book.revoked(id)
    assert list((tmp_path / "data" / "templates").iterdir()) == []
    await enrolments.close(2)


async def test_checks_end_with_the_service(house: House) -> None:
    async with running(house) as owner, house.browser(Origin=ORIGIN) as guest:
        await begun(guest, await invited(owner))
        [subject] = house.cast.subjects
    assert subject.closed
    assert list(house.service.people.enrolments) == []


# The subject's own page


async def test_a_subject_sees_takes_a_copy_and_takes_back(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    body = await signed(house, owner, guest)
    key, id = body["link"]["url"].rpartition("/")[2], body["grant"]["id"]
    assert "grant" in (await guest.get(f"/grant/{key}")).text
    copy = await guest.get(f"/api/grant/{key}/export")
    assert copy.headers["content-disposition"] == f'attachment; filename="livefake-grant-{id}.json"'
    grant = parse(copy.text, "copy")
    verify(grant)
    data = house.service.people.data
    (data / "personas").mkdir()
    person_pack(data / "personas", id)
    assert (await guest.get(f"/api/grant/{key}")).json()["packs"] == ["zoe"]
    house.cast.now += 60
    done = await guest.post(f"/api/grant/{key}/revocation")
    assert (done.status_code, done.json()) == (201, {"at": START + 60, "packs": ["zoe"]})
    own = (await guest.get(f"/api/grant/{key}")).json()
    assert (own["state"], own["revoked_at"], own["packs"]) == ("revoked", START + 60, [])
    assert list((data / "personas").iterdir()) == []
    assert house.service.people.book.templates.load(id, grant.template) is None
    again = await guest.post(f"/api/grant/{key}/revocation")
    assert again.json() == {"at": START + 60, "packs": []}


async def test_the_owner_sees_who_gave_what(house: House, owner: httpx.AsyncClient) -> None:
    book = house.service.people.book
    holds, gone, old = enter(book, 1), enter(book, 2), enter(book, 3)
    book.revoke(gone.id, now=START)
    (house.service.people.data / "grants" / f"{old.id}.json").write_text("{}")
    house.cast.now = START + 60
    rows = {row["id"]: row for row in (await owner.get("/api/grants")).json()}
    assert (rows[holds.id]["subject"], rows[holds.id]["state"]) == ("Person 1", "holds")
    assert rows[holds.id]["until"] == holds.valid_until
    assert rows[gone.id]["state"] == "revoked"
    assert (rows[old.id]["state"], rows[old.id]["subject"], rows[old.id]["until"]) == ("damaged", "", None)
    house.cast.now = holds.valid_until
    rows = {row["id"]: row for row in (await owner.get("/api/grants")).json()}
    assert rows[holds.id]["state"] == "expired"


async def test_a_persona_whose_pack_is_gone_is_no_longer_offered(house: House, owner: httpx.AsyncClient) -> None:
    for path in sorted(house.service.personas[0].folder.rglob("*")):
        path.unlink()
    house.service.personas[0].folder.rmdir()
    assert [row["id"] for row in (await owner.get("/api/personas")).json()] == ["edgar"]
    problem(await owner.post("/api/sessions", json=house.order()), 404)


# Limits and secrets


async def test_guessing_is_slowed_down(house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient) -> None:
    statuses = [(await guest.get(f"/api/grant/{index}")).status_code for index in range(25)]
    assert statuses.count(404) == 20
    assert statuses[-1] == 429
    assert (await owner.get("/api/status")).status_code == 200
    house.clock.advance(1000)
    assert (await guest.get("/api/grant/x")).status_code == 404


async def test_the_log_has_neither_keys_nor_names(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "livefake")
    key = await invited(owner)
    await guest.get(f"/enrol/{key}")
    await guest.get(f"/api/enrol/{key}")
    check = await begun(guest, key)
    await ended(guest, house, check)
    body = (await guest.post(f"{check}/signature", json=signature(subject="Zoë Zebra"))).json()
    own = body["link"]["url"].rpartition("/")[2]
    await guest.get(f"/grant/{own}")
    await guest.get(f"/api/grant/{own}/export")
    await guest.post(f"/api/grant/{own}/revocation")
    await guest.get(f"/api/grant/{own}/nothing")
    await guest.get(f"/enrol/{key}/more")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("livefake")]
    assert any(line.startswith("POST /api/enrol/{key} -> 201") for line in lines)
    assert any(line.startswith("POST /api/grant/{key}/revocation -> 201") for line in lines)
    for secret in (TOKEN, key, check.rpartition("/")[2], own, own.partition("-")[2], "Zebra"):
        assert not any(secret in line for line in lines)


async def test_what_is_kept_on_disk_has_no_key(
    house: House, owner: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    key = await invited(owner)
    body = await signed(house, owner, guest)
    own = body["link"]["url"].rpartition("/")[2]
    kept = [path for path in house.service.people.data.rglob("*") if path.is_file()]
    assert any(path.parent.name == "invites" for path in kept)
    for path in kept:
        content = path.read_bytes() + path.name.encode()
        assert key.encode() not in content
        assert own.partition("-")[2].encode() not in content
    stored = json.loads((house.service.people.data / "grants" / f"{body['grant']['id']}.json").read_text("utf-8"))
    assert stored["revocation"] == hashlib.sha256(own.encode()).hexdigest()[:32]
