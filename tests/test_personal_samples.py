from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import BadInput, BadPersona
from livefake.training.batches import LIVE
from livefake.training.camera import Camera
from livefake.training.footage.takes import Takes
from livefake.training.personal.light import Light, sample_light, shine
from livefake.training.personal.samples import (
    Scene,
    cropped_take,
    pack_swapper,
    sample_scene,
    strangers_in,
    take_example,
)
from livefake.training.personal.split import FEWEST, split_takes
from livefake.training.tone import Tone
from tests.personalkit import PACK, PERSONAS, a_take, some_takes, triangles

SIDE = 64
AS_IT_IS = Scene(
    Light(0.0, 0.0, (1.0, 1.0, 1.0), 1.0),
    Tone(np.ones(3, np.float32), np.zeros(3, np.float32)),
    Camera(1.0, 0.0, 0.0, 0.0, 1.0, 1.0, (1.0, 1.0, 1.0), 0.0, 97),
    np.zeros(2, np.float32),
)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a.mp4", "b.mp4", "c.jpg"]), st.floats(0, 600, allow_nan=False)),
        min_size=1,
        max_size=200,
    ),
    st.integers(0, 50),
)
def test_no_take_that_is_learnt_from_lies_near_a_held_out_one(moments: list[tuple[str, float]], seed: int) -> None:
    try:
        split = split_takes(moments, seed=seed)
    except BadInput:
        return
    assert not set(split.train) & set(split.test)
    for one, other in itertools.product(split.train, split.test):
        same = moments[one][0] == moments[other][0]
        assert not same or abs(moments[one][1] - moments[other][1]) >= split.gap


@given(st.integers(60, 900), st.integers(0, 30))
def test_about_a_tenth_of_steady_footage_is_held_out(count: int, seed: int) -> None:
    moments = [("one.mp4", number * 0.4) for number in range(count)]
    split = split_takes(moments, seed=seed)
    assert 0.04 <= len(split.test) / count <= 0.2
    assert len(split.train) / count >= 0.6
    assert split == split_takes(moments, seed=seed)


def test_single_pictures_are_held_out_one_in_ten() -> None:
    split = split_takes([(f"{number}.jpg", 0.0) for number in range(50)])
    assert (len(split.test), len(split.train)) == (5, 45)


def test_too_few_takes_and_takes_of_one_moment_are_refused() -> None:
    with pytest.raises(BadInput, match=f"needs {FEWEST} takes"):
        split_takes([("a.mp4", 0.0)] * (FEWEST - 1))
    with pytest.raises(BadInput, match="too close together"):
        split_takes([("a.mp4", 1.0)] * 40)


def test_light_from_the_right_brightens_the_right() -> None:
    grey = np.full((32, 32, 3), 100, np.uint8)
    lit = shine(grey, Light(0.4, 0.0, (1.0, 1.0, 1.0), 1.0))
    left, middle, right = (lit[:, column].mean() for column in (0, 16, 31))
    assert right - middle > 20 < middle - left
    assert middle == pytest.approx(100, abs=3)
    assert np.array_equal(shine(grey, AS_IT_IS.light), grey)


@given(st.integers(0, 2**32 - 1))
def test_every_drawn_light_keeps_a_grey_face_readable(seed: int) -> None:
    lit = shine(np.full((16, 16, 3), 110, np.uint8), sample_light(np.random.default_rng(seed)))
    assert 20 < lit.min() <= lit.max() < 250


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_crop_has_its_landmarks_where_the_face_is(size: int) -> None:
    shot = a_take(1.0)
    crop, points = cropped_take(shot, size)
    assert crop.shape == (size, size, 3)
    ring = slice(0, 468, 9)
    for (x, y), (there_x, there_y) in zip(points[ring, :2], shot.points[ring, :2], strict=True):
        if 8 < x < size - 8 and 8 < y < size - 8:
            around = shot.picture[round(there_y) - 3 : round(there_y) + 4, round(there_x) - 3 : round(there_x) + 4]
            assert np.abs(crop[round(y), round(x)] - around.mean((0, 1))).max() < 70


def test_the_answer_is_the_take_itself_and_the_guide_is_near_it() -> None:
    shot = a_take(1.0)
    one = take_example(shot, pack_swapper(PACK, triangles()), SIDE, AS_IT_IS, np.random.default_rng(0))
    crop, _ = cropped_take(shot, SIDE)
    # There and back through 8-bit Lab costs a level or two.
    assert cv2.norm(one.truth, np.ascontiguousarray(crop.transpose(2, 0, 1)), cv2.NORM_INF) <= 4
    assert one.planes.shape == (14, SIDE, SIDE)
    # A plain camera still codes JPEG.
    assert cv2.norm(one.planes[LIVE], one.truth, cv2.NORM_L1) / one.truth.size < 4
    inside = one.visible[0] > 200
    assert inside.mean() > 0.25
    assert np.abs(one.planes[:3].astype(int) - one.truth)[:, inside].mean() < 14


def test_eyes_and_mouth_count_in_the_answer() -> None:
    shot = a_take(1.0)
    one = take_example(shot, pack_swapper(PACK, triangles()), SIDE, AS_IT_IS, np.random.default_rng(0))
    assert (one.visible[one.keep > 250] > 200).all()


def test_a_stranger_changes_the_live_skin_and_not_the_answer() -> None:
    shot, mesh = a_take(1.0), triangles()
    worn = pack_swapper(PACK, mesh)
    strangers = strangers_in(PERSONAS, mesh, apart_from=PACK)
    assert len(strangers) == len(list(PERSONAS.glob("*/persona.toml"))) - 1
    own, other = (
        take_example(shot, worn, SIDE, AS_IT_IS, np.random.default_rng(0), stranger=stranger)
        for stranger in (None, strangers[0])
    )
    assert np.array_equal(own.truth, other.truth)
    changed = np.abs(own.planes[LIVE].astype(int) - other.planes[LIVE]).mean(0)
    assert changed[own.visible[0] > 200].mean() > 2 > changed[own.visible[0] == 0].mean()


def test_a_scene_lights_answer_and_live_picture_alike() -> None:
    dark = Scene(Light(0.0, 0.0, (1.0, 1.0, 1.0), 0.6), AS_IT_IS.tone, AS_IT_IS.camera, AS_IT_IS.shift)
    shot, worn = a_take(1.0), pack_swapper(PACK, triangles())
    plain, dimmed = (take_example(shot, worn, SIDE, scene, np.random.default_rng(0)) for scene in (AS_IT_IS, dark))
    for pick in ("truth", "planes"):
        before, after = (getattr(one, pick)[:3].astype(float).mean() for one in (plain, dimmed))
        assert after / before == pytest.approx(0.6, abs=0.04)


def test_a_poor_camera_spoils_the_live_picture_alone() -> None:
    blurred = Camera(0.4, 2.0, 5.0, 0.3, 1.0, 1.0, (1.0, 1.0, 1.0), 8.0, 40)
    spoilt = Scene(AS_IT_IS.light, AS_IT_IS.tone, blurred, AS_IT_IS.shift)
    shot, worn = a_take(1.0), pack_swapper(PACK, triangles())
    plain, poor = (take_example(shot, worn, SIDE, scene, np.random.default_rng(0)) for scene in (AS_IT_IS, spoilt))
    assert np.array_equal(plain.truth, poor.truth)
    assert np.abs(plain.planes[LIVE].astype(int) - poor.planes[LIVE]).mean() > 3


def test_scenes_are_drawn_by_their_seed() -> None:
    one, again, other = (sample_scene(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert (one.light, one.camera) == (again.light, again.camera)
    assert one.camera != other.camera


def test_a_pack_without_a_picture_or_with_other_landmarks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPersona, match=r"face\.png"):
        pack_swapper(tmp_path, triangles())
    (tmp_path / "face.png").write_bytes((PACK / "face.png").read_bytes())
    with pytest.raises(BadPersona, match=r"landmarks\.npy"):
        pack_swapper(tmp_path, triangles())
    np.save(tmp_path / "landmarks.npy", np.zeros((3, 3), np.float32))
    with pytest.raises(BadPersona, match="should be"):
        pack_swapper(tmp_path, triangles())


def test_a_batch_is_drawn_by_its_step_and_pairs_moments(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    from livefake.training.personal.practice import Practice, exam

    takes = Takes(some_takes(tmp_path))
    split = split_takes([(take.file, take.seconds) for take in takes])
    mesh = triangles()
    practice = Practice(
        takes, split.train, pack_swapper(PACK, mesh), strangers_in(PERSONAS, mesh, apart_from=PACK)[:2], None, 0
    )
    batch, again, later = practice.batch(3, 8, SIDE), practice.batch(3, 8, SIDE), practice.batch(4, 8, SIDE)
    assert np.array_equal(batch.planes, again.planes)
    assert not np.array_equal(batch.planes, later.planes)
    assert batch.planes.shape == (8, 14, SIDE, SIDE)
    for first in (0, 2):
        assert np.array_equal(batch.truth[first], batch.truth[first + 1])
    held, rows = exam(practice, split.test, SIDE)
    assert set(rows) <= set(split.test)
    assert len(held.persona) == len(rows)
    assert np.array_equal(held.planes, exam(practice, split.test, SIDE)[0].planes)
