from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.faces.geometry import (
    INNER_MOUTH,
    LEFT_EYE,
    OUTLINE,
    POINTS,
    RIGHT_EYE,
    five_points,
    inverse,
    similarity,
    square_crop,
    transform,
)
from livefake.frame import Floats

numbers = st.floats(-500, 500, width=32)
clouds = st.lists(st.tuples(numbers, numbers), min_size=3, max_size=12, unique=True)
angles = st.floats(-math.pi, math.pi)
scales = st.floats(0.2, 5)


def turn(angle: float, scale: float, shift: tuple[float, float]) -> Floats:
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]], np.float32)


@given(clouds, angles, scales, st.tuples(numbers, numbers))
def test_similarity_finds_the_transform_that_moved_the_points(
    cloud: list[tuple[float, float]], angle: float, scale: float, shift: tuple[float, float]
) -> None:
    points = np.array(cloud, np.float32)
    if np.ptp(points, axis=0).max() < 1:
        return
    moved = transform(points, turn(angle, scale, shift))
    assert np.allclose(transform(points, similarity(points, moved)), moved, atol=0.05)


@given(angles, scales, st.tuples(numbers, numbers))
def test_inverse_undoes(angle: float, scale: float, shift: tuple[float, float]) -> None:
    matrix = turn(angle, scale, shift)
    points = np.array([[0, 0, 1], [100, 20, -3], [-30, 55, 8]], np.float32)
    assert np.allclose(transform(transform(points, matrix), inverse(matrix)), points, atol=0.05)


def test_similarity_needs_two_points() -> None:
    with pytest.raises(ValueError, match="two different"):
        similarity(np.ones((4, 2), np.float32), np.zeros((4, 2), np.float32))


@given(angles, st.floats(20, 300))
def test_the_crop_levels_the_eyes_and_holds_the_points(angle: float, size: float) -> None:
    shape = np.array([[-0.5, -0.4], [0.5, -0.4], [0.4, 0.6], [-0.4, 0.6]], np.float32) * size
    points = transform(shape, turn(angle, 1, (300, 200)))
    crop = square_crop(points, (tuple(points[0].tolist()), tuple(points[1].tolist())), 192)
    inside = transform(points, crop)
    assert abs(inside[0, 1] - inside[1, 1]) < 0.05
    assert inside[0, 0] < inside[1, 0]
    assert inside.min() >= 192 * (1 - 1 / 1.5) / 2 - 0.1
    assert inside.max() <= 192 * (1 + 1 / 1.5) / 2 + 0.1


def test_rings_name_each_point_once() -> None:
    for ring in (OUTLINE, LEFT_EYE, RIGHT_EYE, INNER_MOUTH):
        assert len(set(ring.tolist())) == len(ring)
        assert ring.max() < POINTS


def test_five_points_are_left_to_right_in_the_picture() -> None:
    points = np.zeros((POINTS, 3), np.float32)
    points[[33, 133]] = [[10, 20, 0], [30, 20, 0]]
    points[[362, 263]] = [[50, 22, 0], [70, 22, 0]]
    points[4], points[61], points[291] = (40, 40, 0), (25, 60, 0), (55, 61, 0)
    assert five_points(points).tolist() == [[20, 20], [60, 22], [40, 40], [25, 60], [55, 61]]
