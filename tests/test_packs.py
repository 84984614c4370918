"""Packs of real people's personas, and wearing them: only under a grant, and only as long as it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from livefake.clock import FakeClock, monotonic
from livefake.compose.others import Others
from livefake.errors import BadPersona, ConsentError, SealError
from livefake.flow.budget import Budget
from livefake.frame import Drop, Frame
from livefake.rig import Rig
from livefake.session import Tally
from livefake.studio import Studio
from livefake.swap.persona import read_card
from livefake.trust.consent import Grant, Output
from livefake.trust.gate import ENDED, ConsentGate, never_shown
from livefake.trust.grants import GrantBook
from livefake.trust.keys import public_hex
from livefake.trust.packs import check_pack, sign_pack
from livefake.trust.seal import REQUIRED, Seal
from tests.album import a_face, grey_frame
from tests.footage import footage
from tests.grantkit import DURING, END, SERVICE, START, STRANGER, enter, person_pack, persona_face

HERE = public_hex(SERVICE)


class Wall:
    """A time of day that is set by hand."""

    def __init__(self, now: float = DURING) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path / "data", SERVICE)


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "personas"
    folder.mkdir(parents=True)
    return folder


def test_a_pack_that_was_signed_here_passes(packs: Path) -> None:
    pack = person_pack(packs, "0" * 16)
    before = read_card(pack)
    card = sign_pack(pack, SERVICE)
    check_pack(card, HERE)
    assert (card.grant, card.files, card.title) == ("0" * 16, before.files, "Zoë")
    again = sign_pack(pack, SERVICE)
    assert again == card, "signing twice replaces the signature"


def test_a_pack_without_a_signature_is_refused(packs: Path) -> None:
    with pytest.raises(ConsentError, match="is not signed by this installation"):
        check_pack(read_card(person_pack(packs, "0" * 16)), HERE)


def test_another_installations_pack_is_refused(packs: Path) -> None:
    with pytest.raises(ConsentError, match="signed by another installation"):
        check_pack(sign_pack(person_pack(packs, "0" * 16), STRANGER), HERE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('grant = "0000000000000000"', 'grant = "1111111111111111"'),
        ('title = "Zoë"', 'title = "Somebody"'),
        ('"face.png" = "', '"face.png" = "0'),
        (f'signature = "{HERE}.', f'signature = "{HERE}.00'),
        (f'signature = "{HERE}.', f'signature = "{HERE}x'),
    ],
)
def test_a_pack_that_was_changed_after_signing_is_refused(packs: Path, old: str, new: str) -> None:
    pack = person_pack(packs, "0" * 16)
    sign_pack(pack, SERVICE)
    path = pack / "persona.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(ConsentError, match=r"was changed after it was signed|signed by another installation"):
        check_pack(read_card(pack), HERE)


def test_a_signature_moved_from_another_pack_is_refused(packs: Path) -> None:
    first = sign_pack(person_pack(packs, "0" * 16), SERVICE)
    second = person_pack(packs, "0" * 16, "other")
    path = second / "persona.toml"
    path.write_text(f'signature = "{first.signature}"\n' + path.read_text("utf-8"), "utf-8")
    with pytest.raises(ConsentError, match="was changed"):
        check_pack(read_card(second), HERE)


def test_only_real_peoples_packs_are_signed(packs: Path) -> None:
    pack = person_pack(packs, "0" * 16)
    path = pack / "persona.toml"
    fictional = path.read_text("utf-8").replace('kind = "person"\ngrant = "0000000000000000"', 'kind = "fictional"')
    path.write_text(fictional, "utf-8")
    with pytest.raises(BadPersona, match="is fictional"):
        sign_pack(pack, SERVICE)
    check_pack(read_card(pack), HERE)
    assert path.read_text("utf-8") == fictional


def test_the_gate_decides_once_a_second_of_the_frames_time(book: GrantBook) -> None:
    asked: list[float] = []

    def wall() -> float:
        asked.append(DURING)
        return DURING

    gate = ConsentGate(book, enter(book).id, output=Output.LIVE, wall=wall)
    for index in range(91):
        frame = grey_frame(arrived=index * 33_400_000)
        assert "consent" in gate(frame).done
    assert len(asked) == 4, "at 0, 1, 2 and 3 seconds"


def _revoke(book: GrantBook, grant: Grant, wall: Wall, folder: Path) -> None:
    book.revoke(grant.id, now=wall())


def _expire(book: GrantBook, grant: Grant, wall: Wall, folder: Path) -> None:
    wall.now = END


def _damage(book: GrantBook, grant: Grant, wall: Wall, folder: Path) -> None:
    (folder / f"{grant.id}.json").write_text("{}")


def _lose(book: GrantBook, grant: Grant, wall: Wall, folder: Path) -> None:
    (folder / f"{grant.id}.json").unlink()


@pytest.mark.parametrize(
    ("end", "reason"),
    [(_revoke, "was revoked"), (_expire, "expired on"), (_damage, "schema 1"), (_lose, "There is no grant")],
)
def test_what_ends_a_grant_ends_the_pictures_for_good(
    book: GrantBook, tmp_path: Path, end: Callable[[GrantBook, Grant, Wall, Path], None], reason: str
) -> None:
    grant, wall = enter(book), Wall()
    gate = ConsentGate(book, grant.id, output=Output.LIVE, wall=wall)
    gate(grey_frame(arrived=0))
    end(book, grant, wall, tmp_path / "data" / "grants")
    gate(grey_frame(arrived=900_000_000))
    frame = grey_frame(arrived=1_000_000_000)
    with pytest.raises(Drop, match=f"^{ENDED}: .*{reason}"):
        gate(frame)
    assert "consent" not in frame.done
    wall.now = START
    with pytest.raises(Drop, match=ENDED):
        gate(grey_frame(arrived=9_000_000_000))


def test_the_seal_of_a_real_persons_pipeline_asks_for_the_gate() -> None:
    for consented in (False, True):
        frame = grey_frame()
        frame.faces = (a_face(),)
        frame.done |= REQUIRED | ({"consent"} if consented else set())
        seal = Seal(1, also=frozenset({ConsentGate.name}))
        if consented:
            assert seal(frame).frame is frame
        else:
            with pytest.raises(SealError, match="lacks consent"):
                seal(frame)


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def people(studio: Studio, book: GrantBook, packs: Path, wall: Wall, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The studio with the packs and grants of this test; its networks are loaded already."""
    for name, value in (("_more", (packs,)), ("_grants", book), ("_time_of_day", wall), ("_swappers", {})):
        monkeypatch.setattr(studio, name, value)
    return studio


def rig(studio: Studio, persona: str, tally: Tally, output: Output = Output.LIVE) -> Rig:
    return studio.rig(
        persona,
        session=5,
        others=Others.BLUR,
        budget=Budget(patience=1e6, ceiling=10**15, learning=False),
        clock=FakeClock(),
        cpu_clock=FakeClock(),
        observers=(tally,),
        output=output,
        record=never_shown,
    )


def seconds_apart(count: int) -> Iterator[Frame]:
    for index, frame in enumerate(footage(count)):
        yield Frame(frame.i420.copy(), frame.pts, arrived=index * 500_000_000)


pytestmark = pytest.mark.models


def test_a_real_persons_persona_is_worn_under_a_grant_and_stops_when_it_is_revoked(
    people: Studio, book: GrantBook, packs: Path
) -> None:
    grant, tally = enter(book, face=persona_face()), Tally()
    sign_pack(person_pack(packs, grant.id), book.key)
    assert "zoe" in [card.id for card in people.personas]
    worn = rig(people, "zoe", tally)
    shown = []
    for index, frame in enumerate(seconds_apart(10)):
        if index == 5:
            book.revoke(grant.id, now=DURING)
        shown.append(worn(frame) is not None)
    assert shown == [True] * 6 + [False] * 4
    assert tally.reason == f"{ENDED}: Person 1's grant {grant.id} was revoked."
    with pytest.raises(ConsentError, match="was revoked"):
        people.outfit("zoe")


def test_the_gate_comes_and_goes_with_the_persona(people: Studio, book: GrantBook, packs: Path) -> None:
    grant, tally = enter(book, face=persona_face()), Tally()
    sign_pack(person_pack(packs, grant.id), book.key)
    frames = seconds_apart(9)
    worn = rig(people, "nils", tally)
    assert people.outfit("nils").gate is None
    assert all(worn(next(frames)) for _ in range(2))
    worn.wear(people.outfit("zoe"))
    assert worn(next(frames))
    book.revoke(grant.id, now=DURING)
    assert not any([worn(next(frames)) for _ in range(4)][2:])
    worn.wear(people.outfit("nils"))
    assert worn(next(frames))


def test_a_persona_is_worn_only_where_the_grant_says(people: Studio, book: GrantBook, packs: Path, wall: Wall) -> None:
    grant = enter(book, face=persona_face(), outputs=frozenset({Output.FILE}))
    sign_pack(person_pack(packs, grant.id), book.key)
    with pytest.raises(ConsentError, match="covers file, not live"):
        rig(people, "zoe", Tally())
    rig(people, "zoe", Tally(), Output.FILE)
    wall.now = END
    with pytest.raises(ConsentError, match="expired"):
        rig(people, "zoe", Tally(), Output.FILE)


def test_a_persona_whose_grant_is_not_here_is_refused(people: Studio, book: GrantBook, packs: Path) -> None:
    sign_pack(person_pack(packs, "f" * 16), book.key)
    with pytest.raises(ConsentError, match="Zoë is a real person, whose grant ffffffffffffffff is not here"):
        people.outfit("zoe")


def test_a_pack_from_elsewhere_is_refused_even_with_a_grant(people: Studio, book: GrantBook, packs: Path) -> None:
    grant = enter(book, face=persona_face())
    pack = person_pack(packs, grant.id)
    with pytest.raises(ConsentError, match="not signed"):
        people.outfit("zoe")
    sign_pack(pack, STRANGER)
    with pytest.raises(ConsentError, match="another installation"):
        people.outfit("zoe")


def test_a_file_that_was_changed_in_a_signed_pack_is_refused(people: Studio, book: GrantBook, packs: Path) -> None:
    pack = person_pack(packs, enter(book, face=persona_face()).id)
    sign_pack(pack, book.key)
    np.save(pack / "landmarks.npy", np.zeros((468, 3), np.float32))
    with pytest.raises(BadPersona, match=r"landmarks\.npy of zoe was changed"):
        people.outfit("zoe")


def test_without_a_book_no_real_person_is_worn(
    people: Studio, book: GrantBook, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_pack(person_pack(packs, enter(book, face=persona_face()).id), book.key)
    monkeypatch.setattr(people, "_grants", None)
    with pytest.raises(ConsentError, match="signed grant, and there is none here"):
        people.outfit("zoe")
    assert people.outfit("mara").gate is None


async def test_a_session_shows_the_card_when_the_consent_ends(people: Studio, book: GrantBook, packs: Path) -> None:
    from livefake.flow.timing import Timings
    from livefake.media.holdcard import CardPainter
    from livefake.media.reel import Reel, Screen
    from livefake.session import Session

    grant, tally = enter(book, face=persona_face()), Tally()
    sign_pack(person_pack(packs, grant.id), book.key)
    worn = rig(people, "zoe", tally)
    book.revoke(grant.id, now=DURING)
    screen = Screen()
    running = Session(
        Reel(seconds_apart(4), gap=0.05),
        worn,
        number=5,
        persona="zoe",
        others=Others.BLUR,
        outfit=people.outfit,
        painter=CardPainter(),
        tally=tally,
        timings=Timings(),
        clock=monotonic,
    )
    running.add(screen)
    await running.run()
    assert screen.pictures
    assert all(picture.card for picture in screen.pictures)
    assert tally.reason.startswith(ENDED)
    with pytest.raises(ConsentError, match="was revoked"):
        running.wear("zoe")


async def test_a_session_records_a_person_only_under_a_grant_that_covers_it(
    people: Studio, book: GrantBook, packs: Path, tmp_path: Path
) -> None:
    from livefake.flow.timing import Timings
    from livefake.media.encode.hub import Broadcast
    from livefake.media.holdcard import CardPainter
    from livefake.media.recorder import Phase
    from livefake.media.reel import Reel, Screen
    from livefake.media.sound.bus import SoundBus
    from livefake.media.webrtc.bitrate import Bitrate
    from livefake.session import Session
    from tests.keepkit import numbers, recordings

    face = persona_face()
    live_only, both = enter(book, 1, outputs=frozenset({Output.LIVE}), face=face), enter(book, 2, face=face)
    for grant, name in ((live_only, "zoe"), (both, "ada")):
        sign_pack(person_pack(packs, grant.id, name), book.key)
    tally = Tally()
    session = Session(
        Reel(seconds_apart(30), gap=0.15),
        rig(people, "zoe", tally),
        number=5,
        persona="zoe",
        others=Others.BLUR,
        outfit=people.outfit,
        painter=CardPainter(),
        tally=tally,
        timings=Timings(),
        clock=monotonic,
        recordings=recordings(tmp_path, book=book),
    )
    broadcast = Broadcast(bitrate=Bitrate(), clock=monotonic)
    session.add(broadcast)
    session.record_from(broadcast, SoundBus())
    running = asyncio.create_task(session.run())
    screen = Screen()
    session.add(screen)

    async def swapped(count: int) -> None:
        """Wait for so many pictures of a face; between them may be a card."""
        screen.pictures.clear()
        for _ in range(3000):
            if sum(not picture.card for picture in screen.pictures) >= count and not screen.pictures[-1].card:
                return
            await asyncio.sleep(0.01)
        pytest.fail(f"only {len(screen.pictures)} pictures came")

    await swapped(1)
    with pytest.raises(ConsentError, match="covers live, not recording"):
        session.start_recording()
    with pytest.raises(ConsentError, match="covers live, not recording"):
        session.snapshot()
    session.wear("ada")
    session.start_recording()
    with pytest.raises(ConsentError, match="not begun with this person's consent"):
        session.wear("zoe")
    await swapped(3)
    assert session.report().persona == "ada"
    assert session.snapshot().startswith(b"\xff\xd8")
    await running
    for _ in range(600):
        recording = session.report().recording
        assert recording is not None
        if recording.phase is Phase.SAVED:
            assert len(numbers(Path(recording.file))) >= 3
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"the recording is not finished: {session.report().recording}")


def test_a_frame_whose_decision_fails_does_not_open_the_gate_for_the_next(book: GrantBook) -> None:
    def broken() -> float:
        raise OSError("the clock cannot be read")

    gate = ConsentGate(book, enter(book, face=persona_face()).id, output=Output.LIVE, wall=broken)
    for index in range(3):
        frame = grey_frame(arrived=index * 33_400_000)
        with pytest.raises(OSError, match="clock"):
            gate(frame)
        assert "consent" not in frame.done


@pytest.mark.models
def test_a_real_persons_pack_that_says_it_is_fictional_is_not_worn(
    people: Studio, book: GrantBook, packs: Path
) -> None:
    pack = person_pack(packs, enter(book, face=persona_face()).id)
    sign_pack(pack, book.key)
    card = pack / "persona.toml"
    lines = card.read_text("utf-8").replace('kind = "person"', 'kind = "fictional"').splitlines(keepends=True)
    card.write_text("".join(line for line in lines if not line.startswith(("grant", "signature"))), "utf-8")
    with pytest.raises(ConsentError, match="says that it is fictional"):
        people.outfit("zoe")
