"""Bringing a persona: the real networks say whose face comes out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

from livefake.bringing import Brought, bring, remove
from livefake.clock import monotonic
from livefake.compose.others import Others
from livefake.errors import BadPersona, ConsentError, EngineError, LivefakeError, NotFound
from livefake.frame import Frame
from livefake.offline import patient_budget
from livefake.resources import models_folder
from livefake.studio import Studio
from livefake.swap.persona import MODEL, read_card
from livefake.trust import prober
from livefake.trust.gate import never_shown
from livefake.trust.grants import GrantBook
from livefake.trust.probe import LIKE
from tests.footage import face_difference, footage
from tests.grantkit import DURING, SERVICE, enter, person_pack, persona_face
from tests.identity import descriptor, distance
from tests.modelmaker import dfm_model, drawn_face, oval, persona_dfm, write_model

pytestmark = [pytest.mark.models, pytest.mark.slow]


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path / "data", SERVICE)


@pytest.fixture
def packs(tmp_path: Path) -> Path:
    return tmp_path / "data" / "personas"


@pytest.fixture
def people(studio: Studio, book: GrantBook, packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The studio with a book and packs of this test's own."""
    monkeypatch.setattr(studio, "_grants", book)
    monkeypatch.setattr(studio, "_more", (packs,))
    monkeypatch.setattr(studio, "_time_of_day", lambda: DURING)
    monkeypatch.setattr(studio._prober, "_cache", tmp_path / "cache")
    return studio


def take(
    source: Path, people: Studio, book: GrantBook, packs: Path, *, grant: str | None, name: str = "Zoë"
) -> Brought:
    return bring(source, packs, people, book, name=name, grant=grant, now=DURING, clock=monotonic)


def wear(people: Studio, persona: str, frames: list[Frame]) -> list[Frame | None]:
    rig = people.rig(
        persona,
        session=1,
        others=Others.BLUR,
        budget=patient_budget(),
        clock=monotonic,
        cpu_clock=monotonic,
        record=never_shown,
    )
    shown = [rig(frame) for frame in frames]
    return [None if sealed is None else sealed.frame for sealed in shown]


def test_a_model_is_brought_under_the_grant_of_its_face_and_worn(
    people: Studio, book: GrantBook, packs: Path, tmp_path: Path
) -> None:
    stranger, grant = enter(book, 1), enter(book, 2, face=persona_face("nils"))
    model = persona_dfm(tmp_path / "one.dfm", "nils")
    with pytest.raises(ConsentError, match=f"is not the one of grant {stranger.id}"):
        take(model, people, book, packs, grant=stranger.id)
    assert not list(packs.iterdir()), "nothing stays of what was refused"
    found = take(model, people, book, packs, grant=None)
    assert found.card.grant == grant.id
    assert found.verdict.distances[grant.id] < LIKE < found.verdict.distances[stranger.id]
    assert found.milliseconds is not None
    assert set(found.card.files) == {MODEL, "portrait.jpg"}
    originals = footage(3)
    shown = wear(people, "zoe", footage(3))[-1]
    assert shown is not None
    assert {"label", "watermark", "blend", "consent"} <= shown.done
    assert face_difference(shown, originals[-1]) > 4
    numbers = descriptor(shown.bgr())
    assert numbers is not None
    assert distance(numbers, persona_face("nils").astype(np.float64)) < 0.6
    with pytest.raises(BadPersona, match="persona zoe already"):
        take(model, people, book, packs, grant=None)
    book.revoke(grant.id, now=DURING)
    with pytest.raises(ConsentError, match="was revoked"):
        people.outfit("zoe")
    remove(packs, "zoe")
    assert "zoe" not in [card.id for card in people.personas]


def test_a_model_without_a_grant_is_refused(people: Studio, book: GrantBook, packs: Path, tmp_path: Path) -> None:
    model = persona_dfm(tmp_path / "one.dfm", "kofi")
    with pytest.raises(ConsentError, match="there is none here"):
        take(model, people, book, packs, grant=None)
    enter(book, face=persona_face("nils"))
    with pytest.raises(ConsentError, match="is not the one of grant"):
        take(model, people, book, packs, grant=None)
    with pytest.raises(NotFound):
        take(model, people, book, packs, grant="f" * 16)
    assert not list(packs.iterdir())


def test_a_model_that_shows_the_performer_or_nothing_is_refused(
    people: Studio, book: GrantBook, packs: Path, tmp_path: Path
) -> None:
    grant = enter(book, face=persona_face("nils")).id
    mirror = write_model(tmp_path / "mirror.dfm", dfm_model(None, oval()))
    with pytest.raises(ConsentError, match="is not the one of grant"):
        take(mirror, people, book, packs, grant=grant)
    hole = write_model(tmp_path / "hole.dfm", dfm_model(drawn_face("nils"), oval() * 0))
    with pytest.raises(BadPersona, match="shows nothing that covers a face"):
        take(hole, people, book, packs, grant=grant)
    grey = write_model(tmp_path / "grey.dfm", dfm_model(drawn_face("nils") * 0 + 0.5, oval(reach=0.6)))
    with pytest.raises(LivefakeError):
        take(grey, people, book, packs, grant=grant)
    assert not list(packs.iterdir())


def test_a_pack_is_brought_under_the_grant_of_its_face(
    people: Studio, book: GrantBook, packs: Path, tmp_path: Path
) -> None:
    grant, stranger = enter(book, 1, face=persona_face("zola")), enter(book, 2)
    source = models_folder() / "personas" / "zola"
    archive = Path(shutil.make_archive(str(tmp_path / "pack"), "zip", source))
    with pytest.raises(ConsentError, match="is not the one of grant"):
        take(archive, people, book, packs, grant=stranger.id)
    found = take(archive, people, book, packs, grant=grant.id)
    assert found.card == read_card(packs / "zoe")
    assert found.card.grant == grant.id
    assert wear(people, "zoe", footage(2))[-1] is not None
    # Another face beside the right one is seen too.
    mixed = tmp_path / "mixed"
    shutil.copytree(source, mixed)
    for side in ("left", "right"):
        shutil.copyfile(models_folder() / "personas" / "nils" / "face.png", mixed / f"face-{side}.png")
    with pytest.raises(LivefakeError):
        take(mixed, people, book, packs, grant=grant.id, name="Mixed")


def test_a_fictional_persona_with_an_enrolled_face_is_refused(people: Studio, book: GrantBook) -> None:
    assert people.outfit("inger").gate is None
    grant = enter(book, face=persona_face("inger"))
    with pytest.raises(ConsentError, match=f"its face is that of grant {grant.id}"):
        people.outfit("inger")
    assert people.outfit("ravi").gate is None
    book.revoke(grant.id, now=DURING)
    assert people.outfit("inger").gate is None


def test_a_persona_that_was_prepared_is_worn_without_being_tried_on_again(
    people: Studio, book: GrantBook, packs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from livefake.trust.packs import sign_pack

    grant = enter(book, face=persona_face("mara"))
    packs.mkdir(parents=True)
    sign_pack(person_pack(packs, grant.id), book.key)
    people.prepare(lambda: False)

    def tried_on(*_: object) -> None:
        raise AssertionError("it was tried on")

    monkeypatch.setattr(people._prober, "_tried_on", tried_on)
    assert people.outfit("zoe").grant == grant.id
    assert people.outfit("amparo").gate is None
    with pytest.raises(ConsentError, match=f"its face is that of grant {grant.id}"):
        people.outfit("mara")
    # A grant more, and nobody has to be tried on for it.
    enter(book, seed=2)
    assert people.outfit("zoe").grant == grant.id


def test_nothing_is_kept_of_a_persona_that_is_gone(people: Studio, book: GrantBook, packs: Path) -> None:
    from livefake.trust.packs import sign_pack

    grant = enter(book, face=persona_face("mara"))
    packs.mkdir(parents=True)
    sign_pack(person_pack(packs, grant.id), book.key)
    people.prepare(lambda: False)
    [card] = [card for card in people.personas if card.id == "zoe"]
    assert any(f"{card.signature}" in key for key in people._swappers)
    # This pack has the very files of another persona, which stays.
    people._prober._sights["gone"] = people._prober._sights[card.content]
    remove(packs, "zoe")
    people.prepare(lambda: True)
    assert "gone" not in people._prober._sights
    assert card.content in people._prober._sights
    assert not any(f"{card.signature}" in key for key in people._swappers)


def test_without_the_extra_only_the_built_in_personas_are_worn(
    people: Studio, book: GrantBook, packs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from livefake.trust.packs import sign_pack

    grant = enter(book, face=persona_face("mara"))
    packs.mkdir(parents=True)
    sign_pack(person_pack(packs, grant.id), book.key)

    def missing() -> None:
        raise EngineError("Telling people apart needs dlib, which is not installed.", "Run: pip install it")

    monkeypatch.setattr(prober, "IdentityNet", missing)
    monkeypatch.setattr(people._prober, "_describe", prober.Here())
    monkeypatch.setattr(people._prober, "_sights", {})
    assert people.outfit("amparo").gate is None
    with pytest.raises(ConsentError, match="needs dlib") as caught:
        people.outfit("zoe")
    assert caught.value.remedy == "Run: pip install it"
    with pytest.raises(ConsentError, match="needs dlib"):
        take(persona_dfm(tmp_path / "one.dfm", "kofi"), people, book, packs, grant=grant.id, name="Kofi two")


def test_another_folder_that_says_it_is_fictional_is_not_taken_for_one_of_ours(
    people: Studio, book: GrantBook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's picture put among the personas that come with livefake."""
    folder = tmp_path / "personas"
    pack = person_pack(folder, "0" * 16)
    text = (pack / "persona.toml").read_text("utf-8")
    text = text.replace('kind = "person"\ngrant = "0000000000000000"', 'kind = "fictional"')
    (pack / "persona.toml").write_text(text, "utf-8")
    monkeypatch.setattr(people, "_personas", folder)
    grant = enter(book, face=persona_face("mara"))
    with pytest.raises(ConsentError, match=f"its face is that of grant {grant.id}"):
        people.outfit("zoe")
    monkeypatch.setattr(people, "_grants", None)
    with pytest.raises(ConsentError, match="no book of grants"):
        people.outfit("zoe")


def test_only_packs_of_this_installation_are_removed(packs: Path, tmp_path: Path) -> None:
    for id in ("mara", "../data", ".", ""):
        with pytest.raises(NotFound):
            remove(packs, id)
    packs.mkdir(parents=True)
    (packs / "notes").mkdir()
    with pytest.raises(NotFound):
        remove(packs, "notes")
