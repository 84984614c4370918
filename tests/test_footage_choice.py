from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from livefake.training.footage.chart import draw_chart
from livefake.training.footage.choose import choose
from livefake.training.footage.coverage import count, missing
from livefake.training.footage.likeness import median_mesh, pick
from livefake.training.footage.measures import Measures, measure
from livefake.training.footage.pool import Pool, is_usable
from tests.takemaker import a_take, persona_take

PLAIN = Measures(
    yaw=0, pitch=0, sharpness=0.02, open_mouth=0.01, open_eyes=0.3, smile=0.8, level=120, side=0, top=0, warmth=0.3,
    lost=0,
)  # fmt: skip
yaws = st.lists(st.floats(-45, 45), min_size=1, max_size=40)


def test_blur_is_less_sharp_and_light_from_one_side_is_told() -> None:
    take = persona_take()
    clear = measure(take.picture, take.points)
    blurred = measure(np.asarray(cv2.GaussianBlur(take.picture, (0, 0), 4), np.uint8), take.points)
    assert blurred.sharpness < 0.5 * clear.sharpness
    ramp = np.linspace(0.4, 1.0, take.picture.shape[1])[None, :, None]
    lit = measure((take.picture * ramp).astype(np.uint8), take.points)
    assert lit.side > clear.side + 0.1
    assert not is_usable(measure(np.zeros_like(take.picture), take.points))
    assert not is_usable(measure(np.full_like(take.picture, 255), take.points))


def test_a_pool_keeps_the_sharpest_and_no_near_duplicates() -> None:
    pool = Pool()
    for number in range(300):
        take = a_take(number, sharpness=number / 300)
        pool.offer(take, PLAIN)
    kept = pool.takes()
    assert len(kept) == 6
    assert (np.diff([take.seconds for take in kept]) > 0.15).all()
    assert kept[-1].sharpness == 299 / 300


@settings(deadline=None)
@given(yaws, st.integers(1, 20))
def test_what_is_chosen_is_chosen_once_and_never_too_much(turns: list[float], most: int) -> None:
    chosen = choose([replace(PLAIN, yaw=yaw) for yaw in turns], most=most)
    assert 1 <= len(chosen) <= most
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(range(len(turns)))


def test_near_duplicates_and_blurred_takes_are_left_out() -> None:
    same = [PLAIN] * 20
    assert len(choose(same)) == 1
    wide = [replace(PLAIN, yaw=float(yaw)) for yaw in range(-30, 31, 5)]
    assert len(choose(wide)) == len(wide)
    blurred = replace(PLAIN, yaw=2.0, pitch=12.0, sharpness=0.001)
    assert len(wide) not in choose([*wide, blurred])
    assert choose([]) == []


def test_what_is_missing_is_said_in_words() -> None:
    ahead = [replace(PLAIN, yaw=float(yaw % 7), open_mouth=0.3 * (yaw % 2)) for yaw in range(80)]
    words = missing(count(ahead))
    assert "No frames looking left beyond 20 degrees." in words
    assert "No frames looking right beyond 20 degrees." in words
    assert "No frames looking up." in words
    assert any("one light" in sentence for sentence in words)
    assert not any("mouth" in sentence for sentence in words)


def test_footage_that_has_it_all_misses_nothing() -> None:
    measures = [
        replace(PLAIN, yaw=float(yaw), pitch=float(pitch), open_mouth=mouth, side=side)
        for yaw in range(-40, 41, 10)
        for pitch in (-15, 0, 15)
        for mouth in (0.01, 0.15, 0.4)
        for side in (-0.4, 0.4)
    ]
    coverage = count(measures)
    assert missing(coverage) == []
    assert coverage.takes == len(measures)
    assert len(coverage.lights) == 2


@settings(deadline=None)
@given(yaws)
def test_every_take_is_in_one_cell_and_the_chart_draws_any_coverage(turns: list[float]) -> None:
    coverage = count([replace(PLAIN, yaw=yaw * 3) for yaw in turns])
    assert coverage.takes == len(turns)
    chart = draw_chart(coverage, missing(coverage))
    assert chart.dtype == np.uint8
    assert chart.shape[2] == 3


def test_a_guide_is_made_of_neutral_takes_that_are_turned_its_way() -> None:
    measures = [
        PLAIN,
        replace(PLAIN, open_mouth=0.3),
        replace(PLAIN, open_eyes=0.05),
        replace(PLAIN, yaw=25.0),
        replace(PLAIN, yaw=-25.0),
        replace(PLAIN, side=2.0),
        replace(PLAIN, yaw=1.0),
    ]
    assert pick(measures, 0.0, most=9) == [0, 6]
    assert pick(measures, 25.0, most=9) == [3]
    assert pick([], 0.0, most=9) == []


def test_the_median_mesh_forgets_size_place_and_one_bad_mesh() -> None:
    mesh = a_take().points
    moved = [mesh * scale + [shift, -shift, 0] for scale, shift in ((1, 0), (2, 30), (0.5, -20), (3, 7))]
    bad = mesh + np.random.default_rng(0).normal(size=mesh.shape) * 5
    middle = median_mesh(np.stack([*moved, bad]).astype(np.float32))
    alone = median_mesh(mesh[None])
    assert np.abs(middle - alone)[:, :2].max() < 2
