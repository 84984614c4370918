from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.faces.pose import head_turn
from livefake.frame import Floats
from livefake.resources import models_folder

MESH: Floats = np.load(models_folder() / "personas" / "mara" / "landmarks.npy")
turns = st.floats(-40, 40)


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> Floats:
    """The mesh turned about its middle: to the right of the picture, nodding down, clockwise on the screen."""
    across, down, around = np.radians([yaw, pitch, roll])
    # The network's depth is a tenth too deep; a true head is turned, then seen by the network.
    points = (MESH - MESH.mean(0)) / [1, 1, 1.1]
    one = [[np.cos(across), 0, -np.sin(across)], [0, 1, 0], [np.sin(across), 0, np.cos(across)]]
    two = [[1, 0, 0], [0, np.cos(down), -np.sin(down)], [0, np.sin(down), np.cos(down)]]
    three = [[np.cos(around), -np.sin(around), 0], [np.sin(around), np.cos(around), 0], [0, 0, 1]]
    moved = points @ np.array(one).T @ np.array(two).T @ np.array(three).T
    return np.asarray(moved * [1, 1, 1.1], np.float32)


def test_a_head_that_looks_into_the_camera_is_not_turned() -> None:
    yaw, pitch = head_turn(MESH)
    assert abs(yaw) < 3
    assert abs(pitch) < 8


@given(turns)
def test_the_yaw_is_the_angle_a_head_was_turned_by(yaw: float) -> None:
    assert head_turn(turned(yaw))[0] == pytest.approx(yaw + head_turn(MESH)[0], abs=1.5)


@given(st.floats(-25, 25))
def test_nodding_down_is_a_positive_pitch(pitch: float) -> None:
    assert head_turn(turned(pitch=pitch))[1] == pytest.approx(pitch + head_turn(MESH)[1], abs=1.5)


@given(turns, st.floats(-60, 60), st.floats(0.01, 50))
def test_tilt_size_and_place_play_no_part(yaw: float, roll: float, scale: float) -> None:
    upright = head_turn(turned(yaw))
    moved = (turned(yaw, roll=roll) * scale + 100).astype(np.float32)
    assert head_turn(moved) == pytest.approx(upright, abs=0.2)
