from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from livefake.clock import FakeClock
from livefake.errors import BadMedia
from livefake.media.camera import Camera, Device, find_device
from tests.footage import CLIP

PATTERN = "testsrc=size=320x240:rate=30"


@pytest.mark.parametrize(
    ("platform", "form", "name"),
    [("linux", "v4l2", "/dev/video2"), ("darwin", "avfoundation", "2:none")],
)
def test_a_number_names_a_camera_of_the_system(platform: str, form: str, name: str) -> None:
    device = find_device(2, platform)
    assert (device.format, device.name) == (form, name)


@pytest.mark.parametrize(("number", "platform", "problem"), [(-1, "linux", "0 or more"), (0, "plan9", "this is plan9")])
def test_what_is_no_camera_is_told(number: int, platform: str, problem: str) -> None:
    with pytest.raises(BadMedia, match=problem):
        find_device(number, platform)


def test_a_camera_that_is_not_there_is_told() -> None:
    with pytest.raises(BadMedia, match=r"/dev/video63 cannot be read: No such file") as caught:
        Camera(find_device(63, "linux"), clock=FakeClock())
    assert "--camera" in caught.value.remedy


def test_a_file_cannot_stand_in_for_a_camera(tmp_path: Path) -> None:
    link = tmp_path / "video0"
    link.symlink_to(CLIP)
    for name in (CLIP, link):
        with pytest.raises(BadMedia, match="cannot be read"):
            Camera(Device("v4l2", str(name)), clock=FakeClock())


def test_frames_come_with_their_times() -> None:
    clock = FakeClock(7)
    with Camera(Device("lavfi", PATTERN), clock=clock) as camera:
        frames = list(islice(camera, 4))
    assert [(frame.width, frame.height, frame.arrived) for frame in frames] == [(320, 240, 7)] * 4
    assert [round(frame.instant / 1e6) for frame in frames] == [0, 33, 67, 100]


def test_wishes_that_the_device_does_not_know_are_left_out() -> None:
    # The pattern generator refuses this option.
    with Camera(Device("lavfi", PATTERN, {"dumpgraph": "much"}), clock=FakeClock()) as camera:
        assert next(iter(camera)).width == 320


def test_a_device_without_pictures_is_told() -> None:
    with Camera(Device("lavfi", "sine=frequency=440[out0]"), clock=FakeClock()) as camera, pytest.raises(BadMedia):
        next(iter(camera))
