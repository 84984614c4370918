from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import ConsentError
from livefake.frame import Floats
from livefake.training.footage.gate import appearances, judge
from livefake.training.footage.sightings import Sightings

FRAMES = 60


def direction(seed: int) -> Floats:
    vector = np.random.default_rng(seed).normal(size=128)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


TEMPLATE = direction(0)
STRANGER = direction(1)


def at(distance: float, towards: Floats = STRANGER) -> Floats:
    """An embedding so far from the template."""
    return (TEMPLATE + towards * distance).astype(np.float32)


def seen(count: int = FRAMES, distance: float = 0.25) -> Sightings:
    """A clip of the right person, 30 frames a second."""
    return Sightings(
        seconds=(np.arange(count) / 30).astype(np.float32),
        faces=np.ones(count, np.int32),
        tracks=np.ones(count, np.int32),
        turns=np.zeros((count, 2), np.float32),
        embeddings=np.tile(at(distance), (count, 1)),
        looked_at=count,
    )


def with_stranger(sightings: Sightings, first: int, count: int, distance: float = 0.75) -> Sightings:
    embeddings = sightings.embeddings.copy()
    embeddings[first : first + count] = at(distance, direction(2))
    return replace(sightings, embeddings=embeddings)


def test_a_clip_of_the_right_person_passes_and_all_of_it_may_be_used() -> None:
    assert judge("clip.mp4", seen(), TEMPLATE).all()


def test_half_a_second_of_somebody_else_refuses_the_clip_with_file_and_time() -> None:
    with pytest.raises(ConsentError, match=r"Somebody else is in clip\.mp4 at 0:12"):
        judge("clip.mp4", with_stranger(seen(600), 370, 15), TEMPLATE)


@given(st.integers(0, FRAMES - 15), st.integers(2, 15), st.floats(0.63, 1.2))
def test_two_frames_of_somebody_else_refuses_wherever_it_is(first: int, count: int, distance: float) -> None:
    with pytest.raises(ConsentError, match="Somebody else"):
        judge("clip.mp4", with_stranger(seen(), first, count, distance), TEMPLATE)


def test_somebody_who_looks_alike_refuses_too() -> None:
    with pytest.raises(ConsentError, match="Somebody else"):
        judge("clip.mp4", seen(distance=0.55), TEMPLATE)


def test_somebody_else_within_one_appearance_refuses() -> None:
    sightings = seen()
    # So slowly from one face to another that no frame differs much from the one before.
    embeddings = np.stack([at(0.2 + 0.02 * row) for row in range(FRAMES)])
    with pytest.raises(ConsentError, match="Somebody else"):
        judge("clip.mp4", replace(sightings, embeddings=embeddings), TEMPLATE)


def test_two_blurred_frames_that_agree_with_nobody_refuse_nothing() -> None:
    embeddings = seen().embeddings.copy()
    embeddings[20], embeddings[21] = at(0.7, direction(5)), at(0.7, direction(6))
    allowed = judge("clip.mp4", replace(seen(), embeddings=embeddings), TEMPLATE)
    assert not allowed[20:22].any()


@given(st.integers(0, FRAMES - 1), st.floats(0.62, 1.2))
def test_one_frame_astray_is_not_used_and_refuses_nothing(row: int, distance: float) -> None:
    allowed = judge("clip.mp4", with_stranger(seen(), row, 1, distance), TEMPLATE)
    assert not allowed[row]
    # At either end it may leave a piece that is too short to be judged.
    assert allowed.sum() >= FRAMES - 3


def test_a_stranger_who_flickers_is_judged_all_the_same() -> None:
    sightings = seen(12, distance=0.75)
    embeddings = np.stack([at(0.75, direction(2 + row % 2)) for row in range(12)])
    with pytest.raises(ConsentError, match="Somebody else"):
        judge("clip.mp4", replace(sightings, embeddings=embeddings), TEMPLATE)


def test_a_turned_head_may_be_farther_away_than_a_frontal_one() -> None:
    sightings = seen(distance=0.55)
    turned = replace(sightings, turns=np.full((FRAMES, 2), 34, np.float32))
    assert judge("clip.mp4", turned, TEMPLATE).all()
    with pytest.raises(ConsentError, match="Somebody else"):
        judge("clip.mp4", replace(turned, embeddings=np.tile(at(0.65), (FRAMES, 1))), TEMPLATE)


def test_two_faces_in_one_frame_refuse_the_clip() -> None:
    faces = np.ones(FRAMES, np.int32)
    faces[45] = 2
    with pytest.raises(ConsentError, match=r"Two faces are in clip\.mp4 at 0:01"):
        judge("clip.mp4", replace(seen(), faces=faces), TEMPLATE)


def test_one_picture_is_judged_on_its_own() -> None:
    assert judge("still.jpg", seen(1, 0.3), TEMPLATE).all()
    with pytest.raises(ConsentError, match=r"still\.jpg at 0:00"):
        judge("still.jpg", seen(1, 0.7), TEMPLATE)


def test_embeddings_that_are_no_numbers_pass_nobody() -> None:
    embeddings = np.full((FRAMES, 128), np.nan, np.float32)
    with pytest.raises(ConsentError, match="could not be compared"):
        judge("clip.mp4", replace(seen(), embeddings=embeddings), TEMPLATE)


def test_a_clip_without_faces_has_nobody_to_refuse() -> None:
    assert judge("clip.mp4", seen(0), TEMPLATE).shape == (0,)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=40))
def test_appearances_hold_every_frame_once(tracks: list[int]) -> None:
    pieces = appearances(replace(seen(len(tracks)), tracks=np.array(tracks, np.int32)))
    assert np.concatenate(pieces).tolist() == list(range(len(tracks)))
