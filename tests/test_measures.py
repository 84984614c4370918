from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from livefake.evaluation import measures
from livefake.faces.geometry import INNER_MOUTH, LEFT_EYE, RIGHT_EYE
from livefake.frame import Bytes, Floats

SIDE = 64
ALL = np.full((SIDE, SIDE), 255, np.uint8)


def picture(seed: int = 0) -> Bytes:
    """Noise with some structure."""
    noise = np.asarray(np.random.default_rng(seed).integers(40, 215, (SIDE, SIDE, 3)), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.2), np.uint8)


def blurred(source: Bytes, sigma: float) -> Bytes:
    return np.asarray(cv2.GaussianBlur(source, (0, 0), sigma), np.uint8)


def test_a_picture_is_like_itself() -> None:
    one = picture()
    assert measures.mean_error(one, one, ALL) == 0
    assert measures.structural_similarity(one, one, ALL) == pytest.approx(1, abs=1e-4)
    assert measures.gradient_distance(one, one, ALL) == pytest.approx(0, abs=1e-6)
    assert measures.detail_ratio(one, one, ALL) == pytest.approx(1)
    assert measures.gradient_ratio(one, one, ALL) == pytest.approx(1)
    assert measures.seam(one, one, ALL) == 0


@given(some.integers(0, 100), some.sampled_from([0.8, 1.5, 3.0]))
def test_blur_is_seen_by_every_measure_of_sharpness(seed: int, sigma: float) -> None:
    one = picture(seed)
    soft = blurred(one, sigma)
    assert measures.detail_ratio(soft, one, ALL) < 0.8
    assert measures.gradient_ratio(soft, one, ALL) < 0.95
    assert measures.structural_similarity(soft, one, ALL) < 0.99
    assert measures.gradient_distance(soft, one, ALL) > 0


@given(some.integers(1, 60))
def test_the_error_is_in_levels_and_counts_where_the_weight_is(step: int) -> None:
    one = np.full((SIDE, SIDE, 3), 100, np.uint8)
    other = one.copy()
    other[: SIDE // 2] += np.uint8(step)
    upper = ALL.copy()
    upper[SIDE // 2 :] = 0
    assert measures.mean_error(one, other, upper) == pytest.approx(step, abs=0.01)
    assert measures.mean_error(one, other, ALL) == pytest.approx(step / 2, abs=0.01)
    assert measures.mean_error(one, other, 255 - upper) == 0


def test_what_changes_as_the_truth_does_is_no_unrest() -> None:
    before, after = picture(1), np.asarray(np.minimum(picture(1).astype(int) + 9, 255), np.uint8)
    assert measures.unrest(after, before, after, before, ALL) == 0
    assert measures.unrest(after, before, before, before, ALL) == pytest.approx(9, abs=0.2)


def test_a_hard_edge_of_the_mask_is_a_seam_and_a_soft_one_is_none() -> None:
    live, front = np.full((SIDE, SIDE, 3), 90, np.uint8), np.full((SIDE, SIDE, 3), 150, np.uint8)
    disc = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (32, 32), 20, 255, -1, cv2.LINE_AA)
    hard, soft = np.asarray(disc, np.uint8), np.asarray(cv2.GaussianBlur(disc, (0, 0), 6), np.uint8)

    def shown(mask: Bytes) -> Bytes:
        share = mask[..., None].astype(np.float32) / 255
        return np.asarray(live + share * (front.astype(np.float32) - live) + 0.5, np.uint8)

    assert measures.seam(shown(hard), live, hard) > 10
    assert measures.seam(shown(soft), live, soft) < 2


def face(*, eyes: float = 0.3, mouth: float = 0.2) -> Floats:
    """Landmarks whose openings are known."""
    points = np.zeros((468, 3), np.float32)
    for ring, middle, width, opening in (
        (LEFT_EYE, (30, 40), 20, eyes), (RIGHT_EYE, (70, 40), 20, eyes), (INNER_MOUTH, (50, 80), 30, mouth),
    ):  # fmt: skip
        turn = np.linspace(np.pi, 3 * np.pi, len(ring), endpoint=False)
        points[ring, 0] = middle[0] + width / 2 * np.cos(turn)
        points[ring, 1] = middle[1] + width * opening / 2 * np.sin(turn)
    return points


@given(some.floats(0.05, 0.6), some.floats(0.0, 0.9), some.floats(-0.5, 0.5))
def test_openings_do_not_mind_how_the_head_is_tilted(eyes: float, mouth: float, angle: float) -> None:
    points = face(eyes=eyes, mouth=mouth)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    points[:, :2] = points[:, :2] @ turn.T * 1.7
    assert measures.openings(points) == pytest.approx((eyes, eyes, mouth), abs=0.03)


def test_landmarks_are_compared_by_the_distance_of_the_eyes() -> None:
    wanted = face()
    moved = wanted + np.array([6, 0, 0], np.float32)
    # The outer corners are 60 pixels apart.
    assert measures.normalised_error(moved, wanted) == pytest.approx(0.1, abs=1e-3)
