"""Real sessions and the ledger: what is shown is on record, and what cannot be on record is not shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from livefake.cli.main import app
from livefake.clock import monotonic, wall
from livefake.errors import LivefakeError
from livefake.frame import Frame
from livefake.media.encode.hub import Broadcast
from livefake.media.holdcard import CardPainter
from livefake.media.picture import to_frame
from livefake.media.reel import Reel, Screen
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.witness import Witness
from livefake.sessions import Order, Sessions
from livefake.studio import Studio
from livefake.trust.consent import Output, Purpose
from livefake.trust.enrol import draw_up
from livefake.trust.fingerprint import LIKELY, apart, fingerprint
from livefake.trust.grants import GrantBook
from livefake.trust.ledger import Ledger
from livefake.trust.packs import sign_pack
from livefake.trust.scribe import Scribe
from livefake.trust.watch import Watched
from tests.footage import CLIP, cut, footage
from tests.grantkit import DURING, enter, person_pack, persona_face

pytestmark = pytest.mark.models


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path / "data")


@pytest.fixture
def ledger(tmp_path: Path, book: GrantBook) -> Ledger:
    return Ledger(tmp_path / "data", book.key)


@pytest.fixture
def scribe(ledger: Ledger) -> Iterator[Scribe]:
    with closing(Scribe(ledger, patience=0.02)) as scribe:
        yield scribe


@pytest.fixture
def people(studio: Studio, book: GrantBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The studio with the packs and grants of this test; its networks are loaded already."""
    packs = tmp_path / "data" / "personas"
    for name, value in (("_more", (packs,)), ("_grants", book), ("_time_of_day", lambda: DURING), ("_swappers", {})):
        monkeypatch.setattr(studio, name, value)
    return studio


def zoe(book: GrantBook, tmp_path: Path) -> str:
    """A real person's pack; returns the id of the grant."""
    grant = enter(book, face=persona_face()).id
    sign_pack(person_pack(tmp_path / "data" / "personas", grant), book.key)
    return grant


def stamped(frames: Iterable[Frame]) -> Iterable[Frame]:
    for index, frame in enumerate(frames):
        yield Frame(frame.i420.copy(), pts=index * 3000, arrived=monotonic())


def sessions(studio: Studio, scribe: Scribe | None) -> Sessions:
    return Sessions(
        studio,
        capacity=1,
        latency=10**12,
        painter=CardPainter(),
        clock=monotonic,
        broadcast=lambda: Broadcast(bitrate=Bitrate(), clock=monotonic),
        scribe=scribe,
    )


def endless() -> Reel:
    """The clip over and over, until the session is closed."""
    return Reel(stamped(cycle(footage(60))), gap=0.1)


async def until(condition: Callable[[], object]) -> None:
    """Return when it has come about, however slow the machine is."""
    for _ in range(1200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about")


def faces(screen: Screen, grant: str | None) -> int:
    """How many swapped pictures were shown under a grant."""
    return sum(not picture.card and picture.grant == grant for picture in screen.pictures)


def break_disk(ledger: Ledger) -> None:
    folder = ledger.path.parent
    folder.rename(folder.with_name("away"))
    folder.write_text("in the way")


async def test_a_session_is_on_record_from_beginning_to_end(studio: Studio, ledger: Ledger, scribe: Scribe) -> None:
    screen = Screen()
    order = Order("inger", notice="ab" * 8, source="clip")
    entry = await sessions(studio, scribe).open(order, Reel(stamped(footage(24)), gap=0.1))
    entry.session.add(screen)
    await entry.closed.wait()
    await asyncio.to_thread(scribe.close)
    record = ledger.session(entry.session.number)
    assert record is not None
    assert (record.persona_kind, record.grant, record.output) == ("fictional", None, "live")
    assert [(tick.notice, tick.source) for tick in record.ticks] == [("ab" * 8, "clip")]
    assert record.ended is not None
    prints = [print for segment in record.segments for print in segment.prints]
    assert sum(segment.frames for segment in record.segments) == len(screen.pictures)
    assert sum(segment.cards for segment in record.segments) == sum(picture.card for picture in screen.pictures)
    for picture in screen.pictures:
        if not picture.card:
            assert min(apart(fingerprint(picture.frame.y), one) for one in prints) <= LIKELY
    assert ledger.verify().ok


async def test_a_persons_session_names_the_grant(
    people: Studio, book: GrantBook, ledger: Ledger, scribe: Scribe, tmp_path: Path
) -> None:
    grant, screen, all_sessions = zoe(book, tmp_path), Screen(), sessions(people, scribe)
    entry = await all_sessions.open(Order("inger"), endless())
    entry.session.add(screen)
    await until(lambda: faces(screen, None))
    await asyncio.to_thread(entry.session.wear, "zoe")
    await until(lambda: faces(screen, grant))
    await all_sessions.close_all()
    await asyncio.to_thread(scribe.close)
    record = ledger.session(entry.session.number)
    assert record is not None
    assert (record.persona_kind, record.grants) == ("person", (grant,))
    assert [segment.grant for segment in record.segments if segment.frames > segment.cards][-2:] == [None, grant]


async def test_no_real_person_is_shown_where_no_ledger_is_kept(people: Studio, book: GrantBook, tmp_path: Path) -> None:
    zoe(book, tmp_path)
    screen = Screen()
    entry = await sessions(people, None).open(Order("zoe"), Reel(stamped(footage(8)), gap=0.1))
    entry.session.add(screen)
    await entry.closed.wait()
    assert screen.pictures
    assert all(picture.card for picture in screen.pictures)
    assert entry.session.report().frames["swapped"] == 0


async def test_a_full_disk_holds_a_person_and_not_a_fictional_face(
    people: Studio, book: GrantBook, ledger: Ledger, scribe: Scribe, tmp_path: Path
) -> None:
    grant, screen, all_sessions = zoe(book, tmp_path), Screen(), sessions(people, scribe)
    entry = await all_sessions.open(Order("zoe"), endless())
    entry.session.add(screen)
    await until(lambda: faces(screen, grant))
    break_disk(ledger)
    with pytest.raises(LivefakeError, match="cannot be written"):
        scribe.write("grant", {"grant": "ab" * 8})
    # One picture may have been finished at that moment; the hold then lasts for a while, and the card comes.
    await until(lambda: entry.session.report().reason == "The ledger cannot be written")
    seen = faces(screen, grant)
    cards = sum(picture.card for picture in screen.pictures)
    await until(lambda: sum(picture.card for picture in screen.pictures) >= cards + 2)
    assert faces(screen, grant) <= seen + 1
    with pytest.raises(LivefakeError, match="cannot be written"):
        await asyncio.to_thread(entry.session.wear, "zoe")
    await asyncio.to_thread(entry.session.wear, "inger")
    await until(lambda: faces(screen, None))
    await all_sessions.close_all()
    with pytest.raises(LivefakeError, match="cannot be written"):
        await all_sessions.open(Order("zoe"), Reel([]))
    assert len(all_sessions) == 0


def test_a_swapped_file_is_on_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, studio: Studio) -> None:
    monkeypatch.setenv("LIVEFAKE_DATA", str(tmp_path / "data"))
    clip, out = cut(CLIP, tmp_path / "in.mp4", 1.3), tmp_path / "out.mp4"
    assert CliRunner().invoke(app, ["swap", str(clip), str(out), "--persona", "mara"]).exit_code == 0
    [row] = json.loads(CliRunner().invoke(app, ["ledger", "list", "--json"]).stdout)
    shown = json.loads(CliRunner().invoke(app, ["ledger", "show", str(row["session"]), "--json"]).stdout)
    [segment] = shown["segments"]
    assert (shown["output"], row["ended"] is not None) == ("file", True)
    prints = [int(one, 16) for one in segment["prints"]]
    assert len(prints) == 2
    with av.open(str(out)) as container:
        pictures = [to_frame(one, 0) for one in container.decode(video=0)]
    assert segment["frames"] == len(pictures)
    for picture in pictures:
        assert min(apart(fingerprint(picture.y), one) for one in prints) <= LIKELY
    assert CliRunner().invoke(app, ["ledger", "verify"]).exit_code == 0


def test_a_swapped_file_of_a_person_is_taken_back_when_it_cannot_be_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: GrantBook, ledger: Ledger, studio: Studio
) -> None:
    monkeypatch.setenv("LIVEFAKE_DATA", str(tmp_path / "data"))
    grant = draw_up(
        book,
        Watched(persona_face(), {"method": "test"}),
        subject="Zoë",
        purposes=frozenset(Purpose),
        outputs=frozenset(Output),
        now=wall() - 60,
        days=1,
        notice="notice",
        adult=True,
    )
    sign_pack(person_pack(tmp_path / "data" / "personas", grant.id), book.key)
    clip, out = cut(CLIP, tmp_path / "in.mp4", 0.3), tmp_path / "out.mp4"
    command = ["swap", str(clip), str(out), "--persona", "zoe"]
    assert CliRunner().invoke(app, command).exit_code == 0
    [record] = ledger.sessions()
    assert (record.grant, record.output) == (grant.id, "file")
    out.unlink()
    end = Witness.end

    def end_on_a_full_disk(witness: Witness) -> None:
        break_disk(ledger)
        end(witness)

    monkeypatch.setattr(Witness, "end", end_on_a_full_disk)
    failed = CliRunner().invoke(app, command)
    assert isinstance(failed.exception, LivefakeError)
    assert "was taken back" in failed.exception.problem
    assert not out.exists()
