from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from livefake.errors import BadPersona, NotFound
from livefake.frame import Floats
from livefake.resources import models_folder
from livefake.swap.persona import Kind, find_persona, list_personas, load_persona, read_card, view_files

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
    path, card = pack / "landmarks.npy", pack / "persona.toml"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    np.save(path, np.full((468, 3), np.nan, np.float32))
    card.write_text(card.read_text().replace(before, hashlib.sha256(path.read_bytes()).hexdigest()))
    with pytest.raises(BadPersona, match="finite float32"):
        load_persona(read_card(pack))


def test_a_real_persons_pack_names_a_grant(pack: Path) -> None:
    path = pack / "persona.toml"
    path.write_text(path.read_text().replace('kind = "fictional"', 'kind = "person"'))
    with pytest.raises(BadPersona, match="names no grant"):
        read_card(pack)


def test_a_real_persons_pack_cannot_pass_for_fictional(pack: Path) -> None:
    path = pack / "persona.toml"
    path.write_text('grant = "0123456789abcdef"\n' + path.read_text())
    with pytest.raises(BadPersona, match='should have kind = "person"'):
        read_card(pack)


def test_a_pack_names_files_of_its_own_folder_only(pack: Path) -> None:
    path = pack / "persona.toml"
    path.write_text(path.read_text() + '"../secret" = "00"\n')
    with pytest.raises(BadPersona, match=r"files of its own folder, got \.\./secret"):
        read_card(pack)


def test_every_file_that_a_pack_names_is_checked(pack: Path) -> None:
    path = pack / "persona.toml"
    path.write_text(path.read_text() + '"more.bin" = "00"\n')
    with pytest.raises(BadPersona, match=r"lacks more\.bin"):
        load_persona(read_card(pack))


def test_personas_of_several_folders_are_one_list(pack: Path) -> None:
    renamed = pack.rename(pack.with_name("somebody"))
    card = renamed / "persona.toml"
    card.write_text(card.read_text().replace(f'id = "{pack.name}"', 'id = "somebody"'))
    cards = list_personas(PACKS, pack.parent, pack.parent / "not there")
    assert [one.id for one in cards] == [*(one.id for one in list_personas(PACKS)), "somebody"]
    assert find_persona(PACKS, "somebody", pack.parent).folder == renamed


def test_two_personas_of_one_name_are_told(pack: Path) -> None:
    with pytest.raises(BadPersona, match=f"Two personas are called {pack.name}"):
        list_personas(PACKS, pack.parent)


def add_side(pack: Path, side: str, points: Floats) -> None:
    """Put a picture of the turned head into a pack."""
    picture, landmarks = view_files(side)
    shutil.copy(pack / "face.png", pack / picture)
    np.save(pack / landmarks, points)
    digests = "".join(
        f'"{name}" = "{hashlib.sha256((pack / name).read_bytes()).hexdigest()}"\n' for name in (picture, landmarks)
    )
    path = pack / "persona.toml"
    path.write_text(path.read_text().rstrip() + "\n" + digests)


def test_pictures_of_the_turned_head_are_loaded_with_their_yaw(pack: Path) -> None:
    points = np.load(pack / "landmarks.npy")
    middle, turn = points.mean(0), np.radians(25)
    matrix = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    add_side(pack, "right", ((points - middle) @ matrix.T + middle).astype(np.float32))
    persona = load_persona(read_card(pack))
    assert len(persona.turned) == 1
    assert persona.turned[0].yaw == pytest.approx(25, abs=5)


def test_a_frontal_picture_is_not_taken_for_a_turned_one(pack: Path) -> None:
    add_side(pack, "left", np.load(pack / "landmarks.npy"))
    with pytest.raises(BadPersona, match="turned 8 degrees or more to the left"):
        load_persona(read_card(pack))


def test_a_shipped_pack_has_no_further_pictures(pack: Path) -> None:
    assert load_persona(read_card(pack)).turned == ()
