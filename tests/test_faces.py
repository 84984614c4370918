from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.clock import nanos
from livefake.faces.detect import Detection, suppress
from livefake.faces.landmarks import Landmarks
from livefake.faces.performer import Performer
from livefake.faces.smooth import OneEuro
from livefake.faces.track import Tracks
from livefake.frame import Box
from tests.album import oval_mesh

SIZE = (320, 240)


def detection(box: Box, score: float = 0.9) -> Detection:
    width, height = box.width, box.height
    shape = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.5, 0.75], [0.05, 0.45], [0.95, 0.45]])
    points = shape * [width, height] + [box.left, box.top]
    return Detection(box, points.astype(np.float32), score)


def test_suppression_keeps_the_best_of_each_place() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60]], np.float64)
    assert suppress(boxes, np.array([0.75, 0.875, 0.8125])) == [(1, 0.875), (2, 0.8125)]


def test_a_track_keeps_its_number_while_the_face_moves() -> None:
    tracks, mesh = Tracks(), oval_mesh()
    for step in range(20):
        moved = mesh + np.array([step * 3, 0, 0], np.float32)
        tracks.offer([detection(Box.around(moved))])
        for track in tracks:
            assert tracks.update(track, Landmarks(moved, 0.99), SIZE, nanos(step * 33))
    assert [track.number for track in tracks] == [1]


def test_two_faces_get_two_numbers_that_are_never_used_again() -> None:
    tracks = Tracks()
    left, right = oval_mesh((80, 120), 80), oval_mesh((240, 120), 80)
    tracks.offer([detection(Box.around(left)), detection(Box.around(right))])
    for track, mesh in zip(tracks, (left, right), strict=True):
        tracks.update(track, Landmarks(mesh, 0.99), SIZE, 0)
    gone = next(track for track in tracks if track.number == 1)
    assert not tracks.update(gone, Landmarks(left, 0.1), SIZE, 1)
    tracks.offer([detection(Box.around(left))])
    assert [track.number for track in tracks] == [2, 3]


@pytest.mark.parametrize(
    ("mesh", "presence"),
    [(oval_mesh(), 0.2), (oval_mesh((600, 120)), 0.99), (oval_mesh(size=15), 0.99)],
    ids=["no face in the crop", "outside the picture", "too small"],
)
def test_a_track_ends(mesh: np.ndarray, presence: float) -> None:
    tracks = Tracks()
    tracks.offer([detection(Box(110, 70, 210, 170))])
    assert not tracks.update(next(iter(tracks)), Landmarks(mesh, presence), SIZE, 0)
    assert len(tracks) == 0


def test_a_track_that_the_detector_never_confirms_ends_unless_the_landmarks_are_sure() -> None:
    for presence, left in ((0.7, 0), (0.99, 1)):
        tracks = Tracks(doubt=3)
        tracks.offer([detection(Box(110, 70, 210, 170))])
        tracks.update(next(iter(tracks)), Landmarks(oval_mesh(), presence), SIZE, 0)
        for _ in range(3):
            tracks.offer([])
        assert len(tracks) == left
        for _ in range(9):
            tracks.offer([])
        assert len(tracks) == 0


def test_two_tracks_on_one_face_become_one() -> None:
    tracks = Tracks()
    tracks.offer([detection(Box(0, 0, 80, 80)), detection(Box(200, 100, 280, 180))])
    for track in tracks:
        tracks.update(track, Landmarks(oval_mesh(), 0.99), SIZE, 0)
    tracks.merge()
    assert [track.number for track in tracks] == [1]


A, B, FAR = Box(100, 50, 200, 170), Box(110, 55, 205, 175), Box(0, 0, 60, 70)


def test_the_largest_face_at_the_start_is_the_performer() -> None:
    assert Performer().choose([(1, FAR), (2, A)], 0) == 2


def test_a_larger_newcomer_is_not_the_performer() -> None:
    performer = Performer()
    performer.choose([(1, FAR)], 0)
    assert performer.choose([(1, FAR), (2, A)], nanos(33)) == 1


def test_a_face_that_is_back_at_its_place_soon_is_the_performer_again() -> None:
    performer = Performer()
    performer.choose([(1, A)], 0)
    assert performer.choose([], nanos(33)) is None
    assert performer.choose([(2, B)], nanos(900)) == 2
    assert not performer.needs_resume(nanos(900))


@pytest.mark.parametrize(("box", "after_ms"), [(FAR, 100), (B, 2500)], ids=["elsewhere", "too late"])
def test_anybody_else_waits_for_a_decision(box: Box, after_ms: float) -> None:
    performer = Performer()
    performer.choose([(1, A)], 0)
    assert performer.choose([(2, box)], nanos(after_ms)) is None
    assert performer.choose([(2, box)], nanos(5000)) is None
    assert performer.needs_resume(nanos(5000))
    performer.resume()
    assert performer.choose([(2, box)], nanos(5033)) == 2


corner = st.integers(0, 300)
some_box = st.builds(lambda x, y, w, h: Box(x, y, x + w, y + h), corner, corner, st.integers(1, 99), st.integers(1, 99))
scenes = st.lists(st.dictionaries(st.integers(1, 5), some_box, max_size=4), max_size=25)


@given(scenes)
def test_the_performer_is_never_exchanged_while_in_the_picture(scenes: list[dict[int, Box]]) -> None:
    performer, before = Performer(), None
    for index, scene in enumerate(scenes):
        chosen = performer.choose(list(scene.items()), nanos(33 * index))
        assert chosen is None or chosen in scene
        if before in scene:
            assert chosen == before
        before = chosen


def test_still_points_become_steadier_and_moving_ones_do_not_lag() -> None:
    rng, mesh, smooth = np.random.default_rng(5), oval_mesh(), OneEuro()
    noise = [mesh + rng.normal(0, 0.2, mesh.shape).astype(np.float32) for _ in range(60)]
    steady = [smooth(points, 100.0, nanos(33 * (index + 1))) for index, points in enumerate(noise)]
    assert np.std(steady[20:], axis=0).mean() < 0.6 * np.std(noise[20:], axis=0).mean()
    for step in range(1, 10):
        moved = mesh + np.array([8 * step, 0, 0], np.float32)
        last = smooth(moved, 100.0, nanos(33 * (60 + step)))
    assert np.abs(last - moved)[:, 0].mean() < 1.0


def test_a_time_stamp_that_does_not_rise_restarts_the_filter() -> None:
    mesh, smooth = oval_mesh(), OneEuro()
    smooth(mesh, 100.0, nanos(100))
    assert np.array_equal(smooth(mesh + 50, 100.0, nanos(40)), mesh + 50)
