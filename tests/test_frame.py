from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.frame import Box, Frame
from tests.album import noisy_frame

sides = st.integers(-50, 400)
boxes = st.builds(Box, sides, sides, sides, sides)


def smooth_picture(height: int = 240, width: int = 320) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 256, (height // 20, width // 20, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def test_planes_are_views_of_the_right_bytes() -> None:
    frame = noisy_frame(width=64, height=36)
    frame.u[0, 0], frame.v[-1, -1] = 7, 9
    flat = frame.i420.reshape(-1)
    assert flat[64 * 36] == 7
    assert flat[-1] == 9
    assert frame.u.shape == frame.v.shape == (18, 32)


@pytest.mark.parametrize("shape", [(100, 64), (54, 63), (54,)])
def test_a_frame_refuses_arrays_of_another_form(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="even sides"):
        Frame(np.zeros(shape, np.uint8), 0, 0)


def test_a_region_is_what_the_whole_picture_has_there() -> None:
    frame = Frame.from_bgr(smooth_picture())
    box = Box(40, 60, 120, 160)
    whole = frame.bgr()[box.top : box.bottom, box.left : box.right]
    assert np.abs(whole.astype(int) - frame.roi(box)).max() <= 1


def test_a_crop_without_a_turn_is_the_region() -> None:
    frame = Frame.from_bgr(smooth_picture())
    crop = frame.crop(np.array([[1, 0, -40], [0, 1, -60]], np.float32), (80, 100)).bgr()
    assert np.abs(crop.astype(int) - frame.roi(Box(40, 60, 120, 160))).mean() < 1.5


def test_a_crop_scales_both_planes_alike() -> None:
    frame = Frame.from_bgr(smooth_picture())
    # Pixel centres: half the size maps x to (x + 0.5) / 2 - 0.5.
    half = frame.crop(np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]], np.float32), (160, 120)).bgr()
    assert np.abs(half.astype(int) - frame.shrunk((160, 120)).bgr()).mean() < 1


def test_shrinking_keeps_the_mean_colour() -> None:
    picture = smooth_picture()
    small = Frame.from_bgr(picture).shrunk((64, 48)).bgr()
    assert np.abs(small.reshape(-1, 3).mean(0) - picture.reshape(-1, 3).mean(0)).max() < 3


@given(boxes, boxes)
def test_overlap_is_symmetric_and_a_share(a: Box, b: Box) -> None:
    assert 0 <= a.overlap(b) <= 1
    assert a.overlap(b) == b.overlap(a)


@given(boxes)
def test_a_box_within_a_picture_is_even_and_inside(box: Box) -> None:
    inner = box.within(320, 240)
    assert inner.left % 2 == inner.top % 2 == inner.right % 2 == inner.bottom % 2 == 0
    assert 0 <= inner.left <= inner.right
    assert 0 <= inner.top <= inner.bottom
    if inner.area:
        assert inner.right <= 320
        assert inner.bottom <= 240
