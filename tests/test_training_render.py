from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from livefake.errors import BadInput
from livefake.frame import Floats
from livefake.training.headkit import HeadKit, Identity, make_identity, read_headkit
from livefake.training.kernels import rasterise, vertex_normals
from livefake.training.render import Picture, place, pose, project, render
from livefake.training.states import State
from tests.headmaker import write_kit

SIDE = 96


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> HeadKit:
    return read_headkit(write_kit(tmp_path_factory.mktemp("kit")))


def neutral(kit: HeadKit, **changes: object) -> State:
    state = State(np.zeros(len(kit.expressions), np.float32))
    return replace(state, **changes)  # type: ignore[arg-type]


def drawn(kit: HeadKit, person: Identity, state: State, worn_by: Identity | None = None) -> Picture:
    background = np.full((SIDE, SIDE, 3), (255, 0, 0), np.uint8)
    placement = place(kit, worn_by or person, state, SIDE, SIDE * 0.6)
    return render(kit, person, state, placement, background, worn_by=worn_by)


def raster(points: Floats) -> tuple[np.ndarray, np.ndarray]:
    hit, weights = np.full((10, 10), -1, np.int32), np.zeros((10, 10, 2), np.float32)
    triangles = np.arange(len(points), dtype=np.int32).reshape(-1, 3)
    rasterise(points, triangles, np.full((10, 10), 1e9, np.float32), hit, weights)
    return hit, weights


def test_the_nearer_triangle_is_seen_and_the_back_of_one_is_not() -> None:
    # Screen coordinates, y down: anticlockwise in space is clockwise in numbers here.
    far = [[0, 0, 5], [0, 10, 5], [10, 0, 5]]
    near = [[0, 0, 2], [0, 5, 2], [5, 0, 2]]
    back = [[0, 0, 1], [10, 0, 1], [0, 10, 1]]
    hit, weights = raster(np.array([*far, *near, *back], np.float32))
    assert hit[0, 0] == 1
    assert hit[1, 7] == 0
    assert hit[9, 9] == -1
    assert weights[1, 1].sum() <= 1
    assert weights[0, 0] == pytest.approx([0.8, 0.1], abs=1e-5)


def test_a_triangle_that_reaches_beyond_the_picture_is_cut() -> None:
    hit, _ = raster(np.array([[-50, -50, 1], [-50, 80, 1], [80, -50, 1]], np.float32))
    assert (hit == 0).all()


def test_normals_point_out_of_the_surface() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [9, 9, 9]], np.float32)
    normals = vertex_normals(square, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    assert normals[:4] == pytest.approx(np.tile([0, 0, 1], (4, 1)))
    assert not normals[4].any()


def test_the_same_number_is_the_same_person(kit: HeadKit) -> None:
    one, again, other = make_identity(kit, 7), make_identity(kit, 7), make_identity(kit, 8)
    assert np.array_equal(one.shape, again.shape)
    assert np.array_equal(one.coat.texture, again.coat.texture)
    assert not np.array_equal(one.shape, other.shape)
    assert not np.array_equal(one.coat.texture, other.coat.texture)


def test_brows_darken_the_skin_where_they_are(kit: HeadKit) -> None:
    texture = make_identity(kit, 1).coat.texture.astype(np.float32)
    row = round((1 - 0.74) * 127)
    assert texture[row, 80].mean() < 0.8 * np.median(texture)


def test_a_face_is_drawn_in_the_middle_and_the_room_shows_around_it(kit: HeadKit) -> None:
    picture = drawn(kit, make_identity(kit, 1), neutral(kit))
    assert picture.pixels[0, 0].tolist() == [255, 0, 0]
    assert picture.pixels[SIDE // 2, SIDE // 2, 2] > 60
    assert picture.region[SIDE // 2, SIDE // 2] == 255
    assert picture.region[0, 0] == 0
    assert picture.landmarks[:, 0].mean() == pytest.approx(SIDE / 2, abs=6)


def test_eyes_are_where_the_landmarks_are(kit: HeadKit) -> None:
    picture = drawn(kit, make_identity(kit, 1), neutral(kit))
    for corners in (slice(36, 42), slice(42, 48)):
        x, y = np.round(picture.landmarks[corners].mean(0)).astype(int)
        assert picture.inner[y, x] == 255


@pytest.mark.parametrize("yaw", [-0.5, 0.5])
def test_positive_yaw_turns_to_the_right_of_the_picture(kit: HeadKit, yaw: float) -> None:
    person = make_identity(kit, 1)
    turned = neutral(kit, rotation=np.array([0, yaw, 0], np.float32))
    nose, jaw = (project(pose(kit, person, turned), 62.0)[kit.landmarks[rows]].mean(0) for rows in ([30], [0, 16]))
    assert np.sign(nose[0] - jaw[0]) == np.sign(yaw)


def test_light_from_one_side_brightens_that_side(kit: HeadKit) -> None:
    person = make_identity(kit, 1)
    right = drawn(kit, person, neutral(kit, light=np.array([1.0, 0.2, 0.5], np.float32))).pixels.astype(int)
    left = drawn(kit, person, neutral(kit, light=np.array([-1.0, 0.2, 0.5], np.float32))).pixels.astype(int)
    middle = slice(SIDE // 3, 2 * SIDE // 3)
    change = (right - left)[middle, :, 1]
    assert change[:, SIDE // 2 + 8 : SIDE // 2 + 20].mean() > 5
    assert change[:, SIDE // 2 - 20 : SIDE // 2 - 8].mean() < -5


def test_a_persona_worn_by_a_performer_has_the_performers_outline_and_its_own_skin(kit: HeadKit) -> None:
    performer, persona = make_identity(kit, 3), make_identity(kit, 4)
    alone, worn = drawn(kit, performer, neutral(kit)), drawn(kit, persona, neutral(kit), worn_by=performer)
    assert np.array_equal(alone.landmarks, worn.landmarks)
    assert np.abs(alone.pixels.astype(int) - worn.pixels).max() > 5


def test_a_folder_without_a_kit_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=str(tmp_path)):
        read_headkit(tmp_path)
