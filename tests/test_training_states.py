from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.training.camera import Camera, respond, sample_camera, take
from livefake.training.scenery import Occluders, draw_occluders, room, sample_occluders
from livefake.training.states import MOST_YAW, gaze_of, look, next_state, sample_state

SIDES = ("_L", "_R")
PAIRED = (
    "browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn",
    "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress",
    "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
SINGLE = (
    "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
)  # fmt: skip
NAMES = tuple(name + side for name in PAIRED for side in SIDES) + SINGLE
LANDMARKS = np.zeros((68, 2), np.float32)
LANDMARKS[:17] = np.stack([np.linspace(30, 98, 17), 60 + 40 * np.sin(np.linspace(0, np.pi, 17))], 1)
LANDMARKS[17:27] = np.stack([np.linspace(38, 90, 10), np.full(10, 44)], 1)
LANDMARKS[27:36] = (64, 60)
LANDMARKS[36:48] = np.array([[44, 52], [47, 50], [51, 50], [55, 52], [51, 54], [47, 54]] * 2)
LANDMARKS[42:48, 0] += 28
LANDMARKS[48:] = (64, 84)


@given(st.integers(0, 2**32))
def test_a_state_is_possible(seed: int) -> None:
    state = sample_state(NAMES, np.random.default_rng(seed))
    weight = dict(zip(NAMES, state.expression.tolist(), strict=True))
    assert 0 <= min(weight.values()) <= max(weight.values()) <= 1
    assert abs(state.yaw) <= MOST_YAW + 1e-6
    assert min(weight["jawLeft"], weight["jawRight"]) == 0
    assert min(weight["eyeBlink_L"], weight["eyeWide_L"]) == 0
    assert weight["mouthClose"] <= weight["jawOpen"]
    assert np.linalg.norm(state.light) == pytest.approx(1, abs=1e-5)


@given(st.integers(0, 2**32))
def test_the_next_moment_is_near(seed: int) -> None:
    random = np.random.default_rng(seed)
    state = sample_state(NAMES, random)
    later = next_state(state, NAMES, random)
    assert np.abs(later.rotation - state.rotation).max() < 0.2
    assert later.light is state.light
    assert (later.expression >= 0).all()
    assert (later.expression <= 1).all()


def test_every_expression_and_every_pose_is_seen() -> None:
    random = np.random.default_rng(0)
    states = [sample_state(NAMES, random) for _ in range(600)]
    assert (np.stack([state.expression for state in states]) > 0.05).any(0).all()
    yaws = np.degrees([state.yaw for state in states])
    assert np.histogram(yaws, np.linspace(-60, 60, 9))[0].min() > 15


def test_the_same_seed_gives_the_same_state() -> None:
    one, again = (sample_state(NAMES, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.expression, again.expression)
    assert np.array_equal(one.rotation, again.rotation)


@given(st.floats(-1, 1, width=32), st.floats(-1, 1, width=32))
def test_gaze_is_what_was_looked_at(right: float, up: float) -> None:
    expression = np.zeros(len(NAMES), np.float32)
    look(NAMES, expression, right, up)
    assert gaze_of(NAMES, expression) == pytest.approx((right, up), abs=1e-6)


@pytest.mark.parametrize("kind", ["glasses", "fringe", "cap", "hand", "thing"])
def test_what_is_in_front_is_in_the_mask_and_nowhere_else(kind: str) -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    changed = 0
    for seed in range(8):
        picture, hidden = draw_occluders(
            Occluders((kind,), seed), grey, LANDMARKS, np.array([120, 150, 190], np.float32)
        )
        assert (picture[hidden == 0] == 128).all()
        assert hidden.max() > 0
        changed += int((picture != 128).any())
    assert changed >= 7


def test_what_is_in_front_looks_the_same_a_moment_later() -> None:
    grey, skin = np.full((128, 128, 3), 128, np.uint8), np.array([120, 150, 190], np.float32)
    one, again = (draw_occluders(Occluders(("glasses", "hand"), 3), grey, LANDMARKS, skin)[0] for _ in range(2))
    assert np.array_equal(one, again)


def test_half_of_all_faces_are_clear() -> None:
    random = np.random.default_rng(0)
    clear = sum(not sample_occluders(random).kinds for _ in range(400))
    assert 180 < clear < 320


def test_rooms_differ_by_seed_only() -> None:
    assert np.array_equal(room(1, (64, 48)), room(1, (64, 48)))
    assert room(1, (64, 48)).shape == (48, 64, 3)
    assert not np.array_equal(room(1, (64, 48)), room(2, (64, 48)))


PLAIN = Camera(1.0, 0.0, 0.0, 0.0, 1.0, 1.0, (1.0, 1.0, 1.0), 0.0, 97)


def test_a_perfect_camera_changes_next_to_nothing() -> None:
    picture = room(3, (64, 64))
    assert np.array_equal(respond(picture, PLAIN), picture)
    assert np.abs(take(picture, PLAIN, np.random.default_rng(0)).astype(int) - picture).mean() < 2


@given(st.integers(0, 2**32))
def test_any_camera_keeps_size_and_light(seed: int) -> None:
    picture, random = room(4, (66, 64)), np.random.default_rng(seed)
    camera = sample_camera(random)
    shot = take(picture, camera, random)
    assert shot.shape == picture.shape
    assert abs(float(shot.mean()) - float(respond(picture, camera).mean())) < 4


def test_motion_blurs_along_its_direction_only() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[32, 32] = 255
    moved = take(picture, Camera(1.0, 0.0, 9.0, 0.0, 1.0, 1.0, (1.0, 1.0, 1.0), 0.0, 100), np.random.default_rng(0))
    lit = np.argwhere(moved[..., 1] > 12)
    assert np.ptp(lit[:, 1]) >= 5
    assert np.ptp(lit[:, 0]) <= 2
