from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from livefake.errors import BadPersona, ConsentError, NotFound
from livefake.resources import models_folder
from livefake.studio import Studio
from livefake.swap.persona import Kind, check_wearable, find_persona, list_personas, load_persona, read_card

PACKS = models_folder() / "personas"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A copy of a pack that may be damaged."""
    source = next(path.parent for path in sorted(PACKS.glob("*/persona.toml")))
    return Path(shutil.copytree(source, tmp_path / source.name))


@pytest.mark.parametrize("card", list_personas(PACKS), ids=lambda card: card.id)
def test_every_shipped_persona_is_whole(card: object) -> None:
    card = read_card(PACKS / str(getattr(card, "id", "")))
    persona = load_persona(card)
    assert card.kind is Kind.FICTIONAL
    assert persona.picture.shape == (1024, 1024, 3)
    assert card.portrait.stat().st_size > 5000
    inside = (persona.points[:, :2] > 0) & (persona.points[:, :2] < 1024)
    assert inside.all()


def test_at_least_six_personas_are_shipped() -> None:
    assert len(list_personas(PACKS)) >= 6


def test_an_unknown_persona_names_those_that_there_are() -> None:
    with pytest.raises(NotFound, match=list_personas(PACKS)[0].id):
        find_persona(PACKS, "nobody")


@pytest.mark.parametrize("name", ["face.png", "portrait.jpg", "landmarks.npy"])
def test_a_file_that_was_changed_is_noticed(pack: Path, name: str) -> None:
    with (pack / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BadPersona, match=f"{name} of {pack.name} was changed"):
        load_persona(read_card(pack))


def test_a_missing_file_is_named(pack: Path) -> None:
    (pack / "face.png").unlink()
    with pytest.raises(BadPersona, match=r"lacks face\.png"):
        load_persona(read_card(pack))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("schema = 1", "schema = 9", "schema = 1"),
        ('kind = "fictional"', 'kind = "famous"', "famous"),
        ("title =", "name =", "title"),
        ("schema = 1", "schema = [", r"no readable persona\.toml"),
    ],
)
def test_a_wrong_card_is_explained(pack: Path, old: str, new: str, problem: str) -> None:
    path = pack / "persona.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(BadPersona, match=problem):
        read_card(pack)


def test_a_pack_in_another_folder_is_not_taken_for_itself(pack: Path) -> None:
    with pytest.raises(BadPersona, match="folder's name"):
        read_card(pack.rename(pack.with_name("somebody-else")))


def test_landmarks_that_are_not_numbers_are_refused(pack: Path) -> None:
    import hashlib

    path, card = pack / "landmarks.npy", pack / "persona.toml"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    np.save(path, np.full((468, 3), np.nan, np.float32))
    card.write_text(card.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    with pytest.raises(BadPersona, match="finite float32"):
        load_persona(read_card(pack))


def test_a_real_persons_face_is_refused(pack: Path) -> None:
    path = pack / "persona.toml"
    path.write_text(path.read_text().replace('kind = "fictional"', 'kind = "person"'))
    with pytest.raises(ConsentError, match="signed grant"):
        check_wearable(read_card(pack))


def test_no_session_starts_with_a_real_persons_face(
    pack: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pack / "persona.toml"
    path.write_text(path.read_text().replace('kind = "fictional"', 'kind = "person"'))
    monkeypatch.setattr(studio, "_personas", pack.parent)
    monkeypatch.setattr(studio, "_swappers", {})
    with pytest.raises(ConsentError, match="real person"):
        studio.swapper(pack.name)
