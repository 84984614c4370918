from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays

from livefake.compose.light import Light, Relief, find_light, light_plane
from livefake.frame import Box, Bytes, Floats
from livefake.resources import models_folder
from livefake.swap.mesh import face_triangles
from livefake.swap.persona import find_persona, load_persona

SIDE = 48
GREY = np.full((SIDE, SIDE, 2), 128, np.uint8)


@pytest.fixture(scope="module")
def relief() -> Relief:
    points = load_persona(find_persona(models_folder() / "personas", "mara")).points
    return Relief.of(points, face_triangles(), Box.around(points), SIDE)


def lit(relief: Relief, light: Floats) -> Bytes:
    """Luma of plain skin in a light."""
    levels = np.clip(16.5 + relief.harmonics @ light, 16, 235)
    return np.asarray(levels, np.uint8).reshape(SIDE, SIDE)


def light_from(ahead: float, right: float, down: float) -> Floats:
    return np.array([ahead, right, down, 20, 0, 0, 0, 0, 0], np.float32)


def ratio(light: Light, relief: Relief) -> float:
    """How much brighter the right half becomes than the left one."""
    gain, known = light.gain(relief), relief.known > 0
    left, right = (np.zeros_like(known) for _ in range(2))
    left[:, : SIDE // 2], right[:, SIDE // 2 :] = known[:, : SIDE // 2], known[:, SIDE // 2 :]
    return float(gain[right].mean() / gain[left].mean())


def test_the_relief_of_a_face_faces_the_viewer_and_both_sides(relief: Relief) -> None:
    across, down, ahead = (relief.harmonics[:, number].reshape(SIDE, SIDE) for number in (1, 2, 3))
    known = relief.known > 0
    assert known.mean() > 0.5
    assert ahead[known].mean() > 0.6
    middle = slice(SIDE // 3, 2 * SIDE // 3)
    assert across[middle, : SIDE // 4][known[middle, : SIDE // 4]].mean() < -0.3
    assert across[middle, -SIDE // 4 :][known[middle, -SIDE // 4 :]].mean() > 0.3
    # The chin looks down, the forehead up.
    assert down[-6:][known[-6:]].mean() > down[:6][known[:6]].mean() + 0.3


def test_a_light_from_the_right_is_cast_on_an_evenly_lit_face(relief: Relief) -> None:
    even, sideways = light_from(90, 0, 0), light_from(90, 45, 0)
    found, skin = find_light(lit(relief, even), lit(relief, sideways), GREY, relief.known * np.uint8(255), relief)
    assert ratio(found, relief) > 1.1
    assert (skin[relief.known > 0] > 0).mean() > 0.97


def test_the_same_light_changes_nothing(relief: Relief) -> None:
    face = lit(relief, light_from(90, 30, -20))
    found, _ = find_light(face, face, GREY, relief.known * np.uint8(255), relief)
    assert np.abs(found.gain(relief) - 1).max() < 0.01


@pytest.mark.parametrize(("level", "tint"), [(40, 128), (225, 128), (110, 160)])
def test_something_in_front_of_the_face_is_no_skin_and_no_light(relief: Relief, level: int, tint: int) -> None:
    even, live, chroma = lit(relief, light_from(90, 0, 0)), lit(relief, light_from(90, 30, 10)), GREY.copy()
    clear, _ = find_light(even, live, chroma, relief.known * np.uint8(255), relief)
    hand = np.s_[28:44, 8:24]
    live[hand], chroma[hand] = level, tint
    found, skin = find_light(even, live, chroma, relief.known * np.uint8(255), relief)
    assert (skin[hand] > 0).mean() < 0.1
    assert np.abs(found.gain(relief) / clear.gain(relief) - 1).max() < 0.08


def test_a_face_that_is_hardly_seen_tells_nothing(relief: Relief) -> None:
    seen = np.zeros((SIDE, SIDE), np.uint8)
    seen[20:22, 20:30] = 255
    face = lit(relief, light_from(90, 30, 0))
    found, skin = find_light(face, face // 2, GREY, seen, relief)
    assert not skin.any()
    assert np.array_equal(found.gain(relief), np.ones((SIDE, SIDE), np.float32))


def test_a_face_beyond_the_picture_has_no_relief() -> None:
    points = np.full((468, 3), 1e4, np.float32)
    away = Relief.of(points, face_triangles(), Box(0, 0, 100, 100), SIDE)
    assert not away.known.any()
    plain = np.full((SIDE, SIDE), 100, np.uint8)
    found, _ = find_light(plain, plain, GREY, away.known, away)
    assert np.array_equal(found.gain(away), np.ones((SIDE, SIDE), np.float32))


planes = arrays(np.uint8, (SIDE, SIDE), elements=some.integers(0, 255))


@settings(max_examples=30, deadline=None)
@given(planes, planes, planes)
def test_whatever_is_seen_the_light_is_finite_and_bounded(source: Bytes, target: Bytes, weight: Bytes) -> None:
    points = np.random.default_rng(0).uniform(0, 100, (468, 3)).astype(np.float32)
    crumpled = Relief.of(points, face_triangles(), Box(0, 0, 100, 100), SIDE)
    found, skin = find_light(source, target, GREY, weight, crumpled)
    gain = found.gain(crumpled)
    assert np.isfinite(gain).all()
    assert 0.1 < gain.min() <= gain.max() < 5
    assert not skin[weight <= 127].any()


def test_between_two_lights_lies_a_light(relief: Relief) -> None:
    one, other = (Light(light_from(90, 0, 0), light_from(90, side, 0)) for side in (-40, 40))
    assert one.towards(other, 0).wanted[1] == -40
    assert one.towards(other, 1).wanted[1] == 40
    assert abs(one.towards(other, 0.5).wanted[1]) < 1e-4


def test_a_plane_is_multiplied_and_added_to_and_stays_within_bytes() -> None:
    plane = np.array([[0, 100, 200]], np.uint8)
    change = np.array([[[1, 0], [0.5, 10], [2, 0]]], np.float32)
    out = np.empty_like(plane)
    light_plane(plane, change, out)
    assert out.tolist() == [[0, 60, 255]]
