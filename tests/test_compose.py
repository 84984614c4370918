from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from livefake.compose.blend import Blend
from livefake.compose.colour import MatchColour, Sample, colour_transfer
from livefake.compose.others import HideOthers, Others
from livefake.frame import Box, Bytes, Drop, Floats, Frame, Levels, Patch, Planes
from livefake.overlay import blend_plane, lay
from tests.album import a_face, grey_frame, noisy_frame

planes = arrays(np.uint8, (6, 8))


@given(planes, planes, planes)
def test_blending_is_the_rounded_weighted_mean(plane: Bytes, patch: Bytes, alpha: Bytes) -> None:
    share = alpha.astype(np.float64) / 255
    expected = plane + (patch.astype(np.float64) - plane) * share
    blended = plane.copy()
    blend_plane(blended, 0, 0, patch, alpha)
    assert np.abs(blended - expected).max() <= 0.5 + 1e-9


def test_pasting_changes_only_the_masked_region() -> None:
    frame, box = noisy_frame(), Box(40, 60, 120, 160)
    before = Frame(frame.i420.copy(), 0, 0)
    mask = np.zeros((100, 80), np.uint8)
    mask[20:80, 20:60] = 255
    lay(frame, Planes.of_bgr(np.full((100, 80, 3), (40, 90, 200), np.uint8)), mask, box)
    assert np.abs(frame.bgr()[100, 80].astype(int) - (40, 90, 200)).max() <= 3
    frame.y[80:140, 60:100] = before.y[80:140, 60:100]
    frame.u[40:70, 30:50] = before.u[40:70, 30:50]
    frame.v[40:70, 30:50] = before.v[40:70, 30:50]
    assert np.array_equal(frame.i420, before.i420)


def a_patch(frame: Frame, value: int = 255, level: tuple[int, int, int] = (90, 120, 180)) -> Patch:
    face = a_face()
    box = Box.around(face.points, 4).within(frame.width, frame.height)
    shape = (box.height, box.width)
    mask = np.full(shape, value, np.uint8)
    return Patch(box, Planes.of_bgr(np.full((*shape, 3), level, np.uint8)), mask, face, mask, mask)


def test_blend_empties_the_patches_and_says_so() -> None:
    frame = grey_frame()
    frame.patches = (a_patch(frame),)
    blended = Blend()(frame)
    assert blended.patches == ()
    assert "blend" in blended.done


def test_a_patch_that_hardly_covers_the_performer_is_refused() -> None:
    frame = grey_frame()
    frame.patches = (a_patch(frame, value=60),)
    with pytest.raises(Drop, match="face hidden"):
        Blend()(frame)
    assert "blend" not in frame.done


EVERYWHERE = np.full((64, 64), 255, np.uint8)


def skin(tone: tuple[int, int, int], contrast: float) -> Bytes:
    """A tone whose brightness varies, channels together, as shading makes it."""
    shade = np.random.default_rng(4).normal(1, contrast, (64, 64, 1))
    return (np.array(tone) * shade).clip(0, 255).astype(np.uint8)


def sample(picture: Bytes) -> Sample:
    planes = Planes.of_bgr(picture)
    return Sample.of(planes.y, planes.u, planes.v, side=len(picture))


def transferred(source: Bytes, target: Bytes) -> Bytes:
    return colour_transfer(sample(source), sample(target), EVERYWHERE).apply(Planes.of_bgr(source)).bgr()


def test_colour_transfer_moves_tone_and_contrast() -> None:
    source, target = skin((90, 110, 150), 0.10), skin((60, 80, 130), 0.13)
    moved = transferred(source, target)
    assert np.abs(moved.reshape(-1, 3).mean(0) - target.reshape(-1, 3).mean(0)).max() < 1.5
    luma = [cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).std() for picture in (moved, target)]
    assert luma[0] == pytest.approx(luma[1], rel=0.1)


def test_neutral_brows_on_dark_skin_stay_neutral_on_light_skin() -> None:
    source, target = skin((30, 42, 70), 0.15), skin((140, 165, 205), 0.08)
    source[:4] = 28
    moved = transferred(source, target)
    blue, _, red = moved[0, 0].astype(int)
    assert blue <= red + 5


def test_colour_transfer_without_a_face_changes_nothing() -> None:
    nobody = sample(np.zeros((64, 64, 3), np.uint8))
    assert colour_transfer(nobody, nobody, np.zeros((64, 64), np.uint8)) == Levels()


@given(arrays(np.uint8, (8, 8, 3)), arrays(np.uint8, (8, 8, 3)))
def test_colour_transfer_is_always_finite(source: Bytes, target: Bytes) -> None:
    found = colour_transfer(sample(source), sample(target), np.full((8, 8), 255, np.uint8))
    assert np.isfinite([*found.gains, *found.offsets]).all()


def test_a_patch_takes_the_tone_of_the_face_behind_it() -> None:
    frame = Frame.from_bgr(np.full((240, 320, 3), (50, 70, 120), np.uint8))
    frame.patches = (a_patch(frame),)
    MatchColour()(frame)
    assert np.abs(frame.patches[0].picture.bgr().reshape(-1, 3).mean(0) - (50, 70, 120)).max() < 4


def levels_of(rooms: Sequence[Bytes]) -> Floats:
    """(N, 3) mean blue, green and red of a grey patch in pictures that follow each other at 30 a second."""
    stage, levels = MatchColour(), []
    for index, room in enumerate(rooms):
        frame = Frame.from_bgr(room, pts=index * 3000)
        frame.patches = (a_patch(frame, level=(128, 128, 128)),)
        levels.append(stage(frame).patches[0].picture.bgr().reshape(-1, 3).mean(0))
    return np.asarray(levels, np.float32)


def room(blue: int, green: int, red: int) -> Bytes:
    return np.full((240, 320, 3), (blue, green, red), np.uint8)


@pytest.mark.parametrize("later", [160, 70])
def test_a_change_of_exposure_is_followed_at_once(later: int) -> None:
    levels = levels_of([room(100, 100, 100)] * 10 + [room(later, later, later)] * 20)
    assert np.abs(levels[:10] - 100).max() < 3
    assert np.abs(levels[10:] - later).max() < 4


def test_a_change_of_colour_is_followed_smoothly() -> None:
    # The same luma.
    levels = levels_of([room(100, 100, 100)] * 10 + [room(150, 93, 94)] * 30)
    assert np.diff(levels[:, 0]).max() < 15
    assert levels[-1, 0] > 135


@pytest.mark.parametrize("hand", [30, 220])
def test_a_hand_in_front_does_not_change_the_exposure(hand: int) -> None:
    covered = room(100, 100, 100)
    covered[:, :150] = hand
    levels = levels_of([room(100, 100, 100)] * 10 + [covered] * 2)
    # Soft shading of one measurement is all that a hand does.
    assert np.abs(np.diff(levels.mean(1))).max() < 5


def blurred(how: Others) -> tuple[Frame, Frame]:
    before, after = noisy_frame(7), noisy_frame(7)
    bystander = a_face((240, 120), 80, track=2, performer=False)
    after.faces = (a_face((80, 120), 80), bystander)
    HideOthers(how)(after)
    return before, after


def test_other_faces_lose_their_detail_and_the_performer_does_not() -> None:
    before, after = blurred(Others.BLUR)
    inside = (slice(90, 150), slice(215, 265))
    assert after.y[inside].std() < 0.25 * before.y[inside].std()
    assert np.array_equal(after.y[:, :160], before.y[:, :160])


def test_other_faces_are_left_when_that_was_asked_for() -> None:
    before, after = blurred(Others.LEAVE)
    assert np.array_equal(after.i420, before.i420)


def test_a_face_at_the_edge_is_blurred_up_to_the_edge() -> None:
    frame = noisy_frame(8)
    frame.faces = (replace(a_face((310, 120), 80), performer=False),)
    HideOthers()(frame)
    assert frame.y[110:130, 316:].std() < 20
