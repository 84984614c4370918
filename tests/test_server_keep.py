from __future__ import annotations

from pathlib import Path

import pytest

from livefake.errors import Busy, ConsentError
from livefake.media.recorder import Phase
from livefake.trust.provenance import State, read_provenance
from tests.keepkit import MARK, recordings
from tests.serverkit import ORIGIN, House, opened, problem, running
from tests.test_recorder import cut_short, ended, feed


async def test_a_recording_is_started_watched_and_stopped(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with running(house) as client:
        session = await opened(house, client)
        address = f"/api/sessions/{session['id']}"
        assert (await client.get(address)).json()["recording"] is None
        answer = await client.post(f"{address}/recording")
        assert answer.status_code == 201
        expected = {
            "phase": "recording",
            "seconds": 1.5,
            "bytes": 4096,
            "dropped": 0,
            "problem": "",
            "file": "film.mp4",
        }
        assert answer.json()["recording"] == expected
        assert (await client.get(address)).json()["recording"] == expected
        answer = await client.delete(f"{address}/recording")
        assert answer.status_code == 200
        assert answer.json()["recording"]["phase"] == "finishing"


async def test_a_snapshot_is_a_jpeg_to_keep(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with running(house) as client:
        session = await opened(house, client)
        answer = await client.post(f"/api/sessions/{session['id']}/snapshot")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["content-disposition"].startswith('attachment; filename="livefake_')
        assert answer.content.startswith(b"\xff\xd8")


@pytest.mark.parametrize("what", ["recording", "snapshot"])
async def test_what_may_not_be_kept_is_refused_in_a_sentence(what: str, tmp_path: Path) -> None:
    house = House(tmp_path)
    async with running(house) as client:
        session = await opened(house, client)
        for error, status in ((ConsentError("Zoë's grant covers live, not recording."), 403), (Busy("No room."), 503)):
            house.sessions.find(session["id"]).session.refuses = error
            answer = await client.post(f"/api/sessions/{session['id']}/{what}")
            assert problem(answer, status) == error.problem


@pytest.mark.parametrize(("method", "what"), [("POST", "recording"), ("DELETE", "recording"), ("POST", "snapshot")])
async def test_a_session_that_is_over_keeps_nothing(method: str, what: str, tmp_path: Path) -> None:
    house = House(tmp_path)
    async with running(house) as client:
        assert problem(await client.request(method, f"/api/sessions/nothing/{what}"), 404)
        async with house.browser(Origin=ORIGIN) as stranger:
            answer = await stranger.request(method, f"/api/sessions/nothing/{what}")
            assert problem(answer, 401)


async def test_the_service_signs_what_a_crash_left_and_what_runs_when_it_stops(tmp_path: Path) -> None:
    part = cut_short(tmp_path)
    folder = recordings(tmp_path)
    house = House(tmp_path, recordings=folder)
    async with running(house):
        recorder = folder.start(MARK)
        feed(recorder, 5)
    assert recorder.report().phase is Phase.SAVED
    assert not part.exists()
    films = sorted((tmp_path / "recordings").iterdir())
    assert len(films) == 2
    trusted = (tmp_path / "data" / "provenance" / "root.pem").read_text()
    assert {read_provenance(film, trusted=trusted).state for film in films} == {State.VALID}
    ended(recorder)
