"""The visible label: large enough, readable on anything, in its corner, in every picture."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from pydantic import BaseModel

from livefake.cli.main import app
from livefake.errors import BadMedia, BadRequest
from livefake.frame import Bytes, Frame
from livefake.server import schemas
from livefake.settings import Settings, read_settings
from livefake.trust.label import Label
from livefake.trust.look import WORDS, Corner, Look

SIZES = [
    (160, 120),
    (120, 160),
    (320, 180),
    (640, 360),
    (640, 480),
    (1280, 720),
    (720, 1280),
    (1920, 1080),
    (3840, 2160),
]


def plain(size: tuple[int, int], luma: int) -> Frame:
    """A grey picture of one luma."""
    width, height = size
    i420 = np.full((height * 3 // 2, width), 128, np.uint8)
    i420[:height] = luma
    return Frame(i420, 0, 0)


def noisy(size: tuple[int, int]) -> Frame:
    """Every pixel at random, the whole of studio range."""
    width, height = size
    return Frame(np.random.default_rng(5).integers(16, 236, (height * 3 // 2, width), np.uint8), 0, 0)


def plate_of(size: tuple[int, int], label: Label) -> NDArray[np.bool_]:
    """Where the label darkens white."""
    return label(plain(size, 235)).y < 160


def letters_of(size: tuple[int, int], label: Label) -> NDArray[np.bool_]:
    """Where the label is at least half covered by letters, as seen on black."""
    return label(plain(size, 16)).y > 126


def luminance(bgr: Bytes) -> NDArray[np.float64]:
    """Relative luminance of sRGB pixels, 0..1 (WCAG 2.2)."""
    share = bgr.astype(np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ np.array([0.0722, 0.7152, 0.2126]), np.float64)


@pytest.mark.parametrize("language", sorted(WORDS))
@pytest.mark.parametrize("size", SIZES)
def test_letters_are_at_least_five_percent_of_the_short_side(size: tuple[int, int], language: str) -> None:
    letters = letters_of(size, Label(language))
    _, _, stats, _ = cv2.connectedComponentsWithStats(letters.astype(np.uint8), connectivity=4)
    # Without the background; the hyphen, accents and parts of ideographs are lower than a letter.
    heights = sorted(stats[1:, cv2.CC_STAT_HEIGHT].tolist(), reverse=True)
    capitals = 2 if language == "zh" else 5 if min(size) < 180 else 9
    assert heights[capitals - 1] >= math.ceil(0.05 * min(size))


@pytest.mark.parametrize("size", [(160, 120), (640, 360), (1280, 720)])
@pytest.mark.parametrize("background", ["black", "white", "noise"])
def test_letters_stand_out_on_any_background(size: tuple[int, int], background: str) -> None:
    label = Label()
    frame = {"black": plain(size, 16), "white": plain(size, 235), "noise": noisy(size)}[background]
    plate = plate_of(size, label)
    core = label(plain(size, 16)).y > 225
    inside = cv2.erode(plate.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    seen = luminance(label(frame).bgr())
    ground = seen[inside]
    assert core.sum() > 20
    assert ground.size > 100
    # Noise of single pixels is judged pixel by pixel too: the darkest letter against the brightest ground.
    assert (seen[core].min() + 0.05) / (ground.max() + 0.05) >= 4.5


@pytest.mark.parametrize("corner", list(Corner))
def test_the_label_stands_in_its_corner(corner: Corner) -> None:
    rows, columns = np.nonzero(plate_of((1280, 720), Label(corner=corner)))
    gaps = {
        "left": columns.min(),
        "right": 1279 - columns.max(),
        "top": rows.min(),
        "bottom": 719 - rows.max(),
    }
    vertical, horizontal = corner.value.split("-")
    assert 10 <= gaps[vertical] <= 40
    assert 10 <= gaps[horizontal] <= 40
    assert sum(gap <= 40 for gap in gaps.values()) == 2


def test_the_label_stands_top_right_unless_told_otherwise() -> None:
    assert np.array_equal(plate_of((640, 360), Label()), plate_of((640, 360), Label(corner=Corner.TOP_RIGHT)))


@pytest.mark.parametrize("size", [(160, 120), (1280, 720)])
@pytest.mark.parametrize("corner", list(Corner))
def test_only_the_plate_is_touched(size: tuple[int, int], corner: Corner) -> None:
    frame = noisy(size)
    before = Frame(frame.i420.copy(), 0, 0)
    label = Label(corner=corner)
    label(frame)
    rows, columns = np.nonzero(label(plain(size, 235)).y != 235)
    top, bottom = rows.min() & ~1, (rows.max() + 2) & ~1
    left, right = columns.min() & ~1, (columns.max() + 2) & ~1
    for plane, old, step in ((frame.y, before.y, 1), (frame.u, before.u, 2), (frame.v, before.v, 2)):
        changed = plane != old
        assert changed[top // step : bottom // step, left // step : right // step].mean() > 0.5
        changed[top // step : bottom // step, left // step : right // step] = False
        assert not changed.any()


def test_the_label_keeps_to_studio_range() -> None:
    for frame in (plain((640, 360), 16), plain((640, 360), 235), noisy((640, 360))):
        Label()(frame)
        assert frame.y.min() >= 16
        assert frame.y.max() <= 235


def test_letters_have_no_colour() -> None:
    size = (1280, 720)
    frame = plain(size, 100)
    frame.u[:], frame.v[:] = 60, 200
    label = Label()
    label(frame)
    quads = letters_of(size, label).reshape(360, 2, 640, 2).all((1, 3))
    for plane in (frame.u, frame.v):
        assert np.abs(plane[quads].astype(int) - 128).mean() < 6


def test_a_new_size_gets_its_own_label() -> None:
    label = Label()
    for size in ((1280, 720), (320, 180), (1280, 720)):
        assert np.array_equal(label(plain(size, 90)).i420, Label()(plain(size, 90)).i420)


def test_the_stage_signs_for_its_work() -> None:
    frame = plain((640, 360), 90)
    assert Label()(frame) is frame
    assert frame.done == {"label"}


def test_every_language_draws_its_own_words() -> None:
    drawn = [letters_of((1280, 720), Label(language)).tobytes() for language in WORDS]
    assert len(set(drawn)) == len(WORDS)


def test_ideographs_are_drawn_and_not_replaced() -> None:
    # A font without a character draws a box or a question mark, twice the same; these two differ.
    letters = letters_of((1280, 720), Label("zh"))
    columns = np.flatnonzero(letters.any(0))
    word = letters[:, columns.min() : columns.max() + 1]
    half = word.shape[1] // 4
    assert (word[:, -half:] != word[:, -2 * half : -half]).mean() > 0.01


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(BadRequest, match="not in 'tlh'"):
        Label("tlh")


def test_a_picture_too_small_for_the_label_is_refused() -> None:
    with pytest.raises(BadMedia, match="the picture has 20 x 20"):
        Label()(plain((20, 20), 90))


def test_there_is_no_way_to_switch_it_off() -> None:
    assert set(inspect.signature(Label).parameters) == {"language", "corner"}
    assert Label.vital


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize("language", sorted(WORDS))
def test_every_language_stands_out_on_a_busy_picture(size: tuple[int, int], language: str) -> None:
    label = Label(language)
    inside = cv2.erode(plate_of(size, label).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    core = label(plain(size, 16)).y > 225
    seen = luminance(label(noisy(size)).bgr())
    assert (seen[core].min() + 0.05) / (seen[inside].max() + 0.05) >= 4.5


SWITCHES = re.compile(r"label|mark|disclos|overlay|plain|clean|hide", re.IGNORECASE)
SHAPES = {"label_language", "label_corner"}
"""What may be chosen: words and place, never whether."""


def test_no_setting_switches_it_off(tmp_path: Path) -> None:
    names = {field.name for field in dataclasses.fields(Settings)}
    assert {name for name in names if SWITCHES.search(name)} == SHAPES
    for field in SHAPES:
        for off in ("", "none", "off", "false", "0", "no"):
            with pytest.raises(BadRequest, match="should be one of"):
                Settings(cache=tmp_path, data=tmp_path, **{field: off})  # type: ignore[arg-type]


def test_the_environment_chooses_language_and_corner_only() -> None:
    wanted = read_settings({"LIVEFAKE_LABEL_LANGUAGE": "DE", "LIVEFAKE_LABEL_CORNER": "bottom-left"})
    assert wanted.look == Look(Corner.BOTTOM_LEFT, "de")
    assert read_settings({}).look == Look()
    with pytest.raises(BadRequest, match="label_corner should be one of top-left"):
        read_settings({"LIVEFAKE_LABEL_CORNER": "off"})


def test_no_field_of_the_api_switches_it_off() -> None:
    models = [kind for _, kind in inspect.getmembers(schemas, inspect.isclass) if issubclass(kind, BaseModel)]
    asked = {name for kind in models if kind.model_config.get("extra") == "forbid" for name in kind.model_fields}
    assert asked >= {"persona", "others", "tone", "resume"}
    assert {name for name in asked if SWITCHES.search(name)} == set()
    with pytest.raises(ValueError, match="Extra inputs"):
        schemas.SessionChange.model_validate({"label": False})


def test_no_option_of_the_command_line_switches_it_off() -> None:
    def options(command: object) -> Iterator[str]:
        for parameter in getattr(command, "params", ()):
            yield from parameter.opts
            yield from parameter.secondary_opts
        for below in getattr(command, "commands", {}).values():
            yield from options(below)

    found = set(options(typer.main.get_command(app)))
    assert "--capacity" in found
    assert {name for name in found if SWITCHES.search(name)} <= {"--label", "--language", "--corner"}
