from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from livefake.errors import BadInput
from livefake.training.footage.takes import Takes, write_takes
from tests.takemaker import a_take


def test_takes_come_back_as_they_were(tmp_path: Path) -> None:
    takes = [a_take(number, yaw=number * 10.0, file=f"clip-{number}.mp4") for number in range(3)]
    write_takes(tmp_path / "new", takes)
    back = Takes(tmp_path / "new")
    assert len(back) == 3
    assert back.yaws.tolist() == [0, 10, 20]
    for take, found in zip(takes, back, strict=True):
        assert found.file == take.file
        assert found.seconds == pytest.approx(take.seconds)
        np.testing.assert_array_equal(found.points, take.points)
        np.testing.assert_array_equal(found.embedding, take.embedding)
        assert cv2.norm(found.picture, take.picture, cv2.NORM_L1) / take.picture.size < 1.5


def test_no_takes_are_takes_too(tmp_path: Path) -> None:
    write_takes(tmp_path, [])
    assert list(Takes(tmp_path)) == []


def test_a_kill_in_the_middle_leaves_nothing_that_reads_as_takes(tmp_path: Path) -> None:
    write_takes(tmp_path, [a_take()])
    whole = (tmp_path / "takes.npz").read_bytes()
    (tmp_path / "takes.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="cannot be read"):
        Takes(tmp_path)
    with pytest.raises(BadInput, match="cannot be read"):
        Takes(tmp_path / "nowhere")


def test_a_take_of_another_shape_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    take = replace(a_take(), picture=np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(ValueError, match="got"):
        write_takes(tmp_path, [take])
    assert not list(tmp_path.iterdir())
