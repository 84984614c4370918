from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import BadInput, BadPersona
from livefake.faces.geometry import OUTLINE
from livefake.frame import Bytes, Floats
from livefake.resources import models_folder
from livefake.swap.mesh import face_triangles
from livefake.swap.persona import Kind, load_persona, read_card
from livefake.training.footage.evening import even_light, is_skin, vertex_normals
from livefake.training.footage.guides import Guide, Guides, make_guides
from livefake.training.footage.measures import measure
from livefake.training.footage.pack import Title, check_place, draft_pack, finish_pack, identifier
from livefake.training.footage.takes import Take, Takes, write_takes
from tests.takemaker import persona_take

TRIANGLES = face_triangles()
MARA = load_persona(read_card(models_folder() / "personas" / "mara"))
TITLE = Title("ana", 'Ana "A" Silva', "0123456789abcdef")


def guides_of(folder: Path, takes: list[Take]) -> Guides:
    write_takes(folder, takes)
    return make_guides(Takes(folder), [measure(take.picture, take.points) for take in takes], TRIANGLES)


def skin_colours(picture: Bytes | Floats, points: Floats) -> Floats:
    soft = cv2.GaussianBlur(np.asarray(picture, np.float32), (0, 0), 12)
    spots = np.round(points[is_skin(), :2]).astype(int)
    return np.asarray(soft[spots[:, 1], spots[:, 0]], np.float32)


def from_the_side() -> Bytes:
    ramp = np.linspace(50, 255, 1024)[None, :, None] * np.ones((1024, 1, 3))
    return np.asarray(ramp, np.uint8)


def test_a_guide_shows_the_face_of_its_takes_where_packs_have_it(tmp_path: Path) -> None:
    guides = guides_of(tmp_path, [persona_take(number) for number in range(3)])
    outline = guides.front.points[OUTLINE]
    assert np.ptp(outline[:, 1]) == pytest.approx(630, abs=1)
    assert (guides.left, guides.right) == (None, None)
    assert guides.portrait.shape == (512, 512, 3)
    # The persona's own picture, brought to the guide's place, is what the guide should look like, but for the light.
    own = MARA.points[OUTLINE, :2]
    scale = 630 / np.ptp(own[:, 1])
    shift = guides.front.points[OUTLINE, :2].mean(0) - scale * own.mean(0)
    matrix = np.column_stack([np.eye(2) * scale, shift]).astype(np.float32)
    wanted = np.asarray(cv2.warpAffine(MARA.picture, matrix, (1024, 1024)), np.uint8)
    inside = cv2.fillPoly(np.zeros((1024, 1024), np.uint8), [np.round(outline[:, :2]).astype(np.int32)], 255)
    sure = cv2.erode(inside, np.ones((61, 61), np.uint8)) > 0
    grey = [
        np.asarray(cv2.GaussianBlur(cv2.cvtColor(one, cv2.COLOR_BGR2GRAY), (0, 0), 3)[sure], np.float64)
        for one in (guides.front.picture, wanted)
    ]
    deviations = [one - one.mean() for one in grey]
    alike = (deviations[0] @ deviations[1]) / np.linalg.norm(deviations[0]) / np.linalg.norm(deviations[1])
    assert alike > 0.9
    corner = guides.front.picture[10, 10].astype(float)
    assert np.abs(corner - np.median(guides.front.picture[sure], 0)).max() < 25


def test_light_from_one_side_is_taken_out() -> None:
    lit = MARA.picture * (from_the_side() / 255.0)
    normals = vertex_normals(MARA.points, TRIANGLES)
    even = even_light(lit.astype(np.float32), MARA.points, normals)
    left, right = normals[is_skin(), 0] < -0.4, normals[is_skin(), 0] > 0.4

    def lean(picture: Bytes | Floats) -> float:
        colours = skin_colours(picture, MARA.points).mean(1)
        return abs(float(np.log(colours[right].mean() / colours[left].mean())))

    assert lean(lit.astype(np.float32)) > 0.2
    assert lean(even) < 0.4 * lean(lit.astype(np.float32))


def test_takes_in_two_lights_make_one_even_guide(tmp_path: Path) -> None:
    takes = [persona_take(number, light=from_the_side() if number % 2 else None) for number in range(4)]
    front = guides_of(tmp_path, takes).front
    colours = skin_colours(front.picture, front.points).mean(1)
    normals = vertex_normals(front.points, TRIANGLES)[is_skin(), 0]
    lean = np.log(colours[normals > 0.4].mean() / colours[normals < -0.4].mean())
    assert abs(lean) < 0.12


def test_without_a_frontal_take_there_is_no_guide(tmp_path: Path) -> None:
    take = persona_take()
    write_takes(tmp_path, [take])
    turned = replace(measure(take.picture, take.points), yaw=40.0)
    with pytest.raises(BadInput, match="look into the camera"):
        make_guides(Takes(tmp_path), [turned], TRIANGLES)


def shown(value: int) -> Guides:
    picture = np.full((1024, 1024, 3), value, np.uint8)
    return Guides(Guide(picture, MARA.points, (0,)), None, None, picture[:512, :512])


def test_a_pack_reads_as_a_real_persons_under_the_grant(tmp_path: Path) -> None:
    draft_pack(tmp_path / "draft", shown(90))
    signed: list[str] = []
    extra = tmp_path / "swap.onnx"
    extra.write_bytes(b"network")
    target = tmp_path / "personas" / "ana"
    finish_pack(
        tmp_path / "draft",
        target,
        TITLE,
        made_with="a test",
        sign=lambda folder: signed.append(folder.name),
        extra={"swap.onnx": extra},
    )
    card = read_card(target)
    assert (card.id, card.title, card.kind, card.grant) == ("ana", TITLE.name, Kind.PERSON, TITLE.grant)
    assert card.files["swap.onnx"] == hashlib.sha256(b"network").hexdigest()
    assert load_persona(card).picture[0, 0].tolist() == [90, 90, 90]
    assert signed == ["ana"]
    assert [path.name for path in target.parent.iterdir()] == ["ana"]


def test_a_pack_that_cannot_be_signed_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "ana"

    def make(value: int, *, fails: bool = False) -> None:
        def sign(folder: Path) -> None:
            if fails:
                raise BadPersona("no key")

        draft_pack(tmp_path.parent / "draft", shown(value))
        finish_pack(tmp_path.parent / "draft", target, TITLE, made_with="a test", sign=sign, extra={})

    make(50)
    with pytest.raises(BadPersona, match="no key"):
        make(60, fails=True)
    assert load_persona(read_card(target)).picture[0, 0, 0] == 50
    make(70)
    assert load_persona(read_card(target)).picture[0, 0, 0] == 70
    assert [path.name for path in tmp_path.iterdir()] == ["ana"]


def test_turned_guides_of_an_earlier_draft_do_not_stay(tmp_path: Path) -> None:
    guides = shown(90)
    draft_pack(tmp_path, replace(guides, left=guides.front))
    assert (tmp_path / "face-left.png").exists()
    draft_pack(tmp_path, guides)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face.png", "landmarks.npy", "portrait.jpg"]


@given(st.text(max_size=90))
def test_any_name_gives_an_id_or_a_sentence(name: str) -> None:
    try:
        word = identifier(name)
    except BadPersona:
        return
    assert 0 < len(word) <= 32
    assert word == identifier(word)


def test_names_become_ids() -> None:
    assert identifier("Ana Sílva-Ñ 2") == "ana-silva-n-2"
    with pytest.raises(BadPersona, match="Latin letter"):
        identifier("42")


def test_something_that_is_no_pack_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "diary").mkdir()
    with pytest.raises(BadPersona, match="something else is there"):
        check_place(tmp_path / "diary")
    with pytest.raises(BadPersona, match="lower-case word"):
        check_place(tmp_path / "My Pack")
