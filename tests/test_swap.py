from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.faces.geometry import LEFT_EYE, OUTLINE
from livefake.faces.pose import head_turn
from livefake.frame import Box, Bytes, Drop, Face, Floats, Frame, Patch
from livefake.resources import models_folder
from livefake.swap.mesh import MeshSwapper, face_triangles, view_share
from livefake.swap.persona import Persona, Turned, list_personas, load_persona
from livefake.swap.raster import paint_pair, paint_plane, painting_order
from livefake.swap.stage import Swap
from tests.album import a_face, grey_frame

TRIANGLES = face_triangles()


def a_persona() -> Persona:
    return load_persona(list_personas(models_folder() / "personas")[0])


def face_like(persona: Persona, scale: float, shift: tuple[float, float]) -> Face:
    """A live face with exactly the persona's shape."""
    points = (persona.points * scale + np.array([*shift, 0])).astype(np.float32)
    return replace(a_face(), points=points, box=Box.around(points))


def test_the_mesh_covers_the_face_without_eyes_and_mouth() -> None:
    points = a_persona().points
    canvas = np.zeros((1024, 1024), np.uint8)
    for triangle in TRIANGLES:
        cv2.fillConvexPoly(canvas, np.round(points[triangle, :2]).astype(np.int32), 255)
    face = cv2.fillPoly(np.zeros_like(canvas), [np.round(points[OUTLINE, :2]).astype(np.int32)], 255)
    eye = np.round(points[LEFT_EYE, :2].mean(0)).astype(int)
    assert cv2.countNonZero(cv2.bitwise_and(canvas, face)) > 0.93 * cv2.countNonZero(face)
    assert canvas[eye[1], eye[0]] == 0


def painted(live: Floats, persona: Floats, size: int = 40) -> tuple[Bytes, Bytes]:
    """One triangle of three planes: one grows to the right, one downward, one is the same everywhere."""
    rows, columns = np.mgrid[:200, :200].astype(np.uint8)
    across, down, flat, cover = np.zeros((4, size, size), np.uint8)
    order, triangles = np.array([0], np.int32), np.array([[0, 1, 2]], np.uint16)
    paint_pair(triangles, order, live, persona, np.ascontiguousarray(columns), rows, across, down, cover)
    paint_plane(triangles, order, live, persona, np.full_like(rows, 7), flat)
    return np.dstack([across, down, flat]), cover


def test_corners_go_to_corners_and_the_middle_to_the_middle() -> None:
    live = np.array([[5, 5], [35, 5], [5, 35]], np.float32)
    persona = np.array([[100, 50], [160, 50], [100, 110]], np.float32)
    pixels, cover = painted(live, persona)
    assert pixels[5, 5].tolist() == [100, 50, 7]
    assert pixels[15, 15].tolist() == [120, 70, 7]
    assert pixels[35, 5].tolist() == [100, 110, 7]
    inside = (np.add.outer(np.arange(40), np.arange(40)) <= 40) & (np.arange(40) >= 5) & (np.arange(40)[:, None] >= 5)
    assert np.array_equal(cover == 255, inside)


corners = st.lists(st.tuples(st.floats(-60, 100), st.floats(-60, 100)), min_size=3, max_size=3)


@given(corners)
def test_a_triangle_covers_the_pixels_whose_centres_it_holds(points: list[tuple[float, float]]) -> None:
    live = np.array(points, np.float32)
    (ax, ay), (bx, by), (cx, cy) = live.astype(np.float64)
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    _, cover = painted(live, np.array([[50, 50], [90, 50], [50, 90]], np.float32))
    rows, columns = np.mgrid[:40, :40].astype(np.float64)
    edges = [
        (x1 - x0) * (rows - y0) - (y1 - y0) * (columns - x0)
        for (x0, y0), (x1, y1) in (((ax, ay), (bx, by)), ((bx, by), (cx, cy)), ((cx, cy), (ax, ay)))
    ]
    # Centres within a hair of an edge may fall to either side.
    hair = 1e-3 * max(abs(area), 1.0)
    surely = np.logical_and.reduce([edge > hair for edge in edges])
    never = np.logical_or.reduce([edge < -hair for edge in edges])
    if area > 0.5:
        assert (cover[surely] == 255).all()
        assert (cover[never] == 0).all()


def test_what_shows_its_back_is_painted_first_then_from_far_to_near() -> None:
    points = np.array([[0, 0, 5], [9, 0, 5], [0, 9, 5], [0, 0, 1], [9, 0, 1], [0, 9, 1]], np.float32)
    triangles = np.array([[3, 4, 5], [0, 1, 2], [3, 5, 4]], np.uint16)
    assert painting_order(triangles, points).tolist() == [2, 1, 0]


def test_points_far_outside_the_region_are_no_problem() -> None:
    live = np.array([[-500, -500], [900, -400], [-300, 800]], np.float32)
    assert painted(live, np.array([[50, 50], [90, 50], [50, 90]], np.float32))[1].min() == 255


def swapped(persona: Persona, face: Face, frame: Frame | None = None) -> Patch | None:
    return MeshSwapper(persona, TRIANGLES)(frame or grey_frame(width=640, height=480), face)


def test_a_face_of_the_personas_shape_gets_the_personas_picture() -> None:
    persona = a_persona()
    patch = swapped(persona, face_like(persona, 0.5, (64, -40)))
    assert patch is not None
    small = cv2.resize(persona.picture, (512, 512), interpolation=cv2.INTER_AREA)
    expected = small[patch.box.top + 40 : patch.box.bottom + 40, patch.box.left - 64 : patch.box.right - 64]
    sure = cv2.erode(patch.mask, np.ones((15, 15), np.uint8)) == 255
    assert sure.sum() > 5000
    # Half a pixel of shift between the two ways of halving shows at edges; the mean tells a wrong map.
    assert np.abs(patch.picture.bgr()[sure].astype(int) - expected[sure]).mean() < 4


def test_the_mask_keeps_the_live_eyes_and_stays_inside_the_outline() -> None:
    persona = a_persona()
    face = face_like(persona, 0.5, (64, -40))
    patch = swapped(persona, face)
    assert patch is not None
    local = face.points[:, :2] - [patch.box.left, patch.box.top]
    outline = [np.round(local[OUTLINE]).astype(np.int32)]
    inside = cv2.fillPoly(np.zeros_like(patch.mask), outline, 255)
    assert patch.mask[inside == 0].max() <= 8
    x, y = np.round(local[LEFT_EYE].mean(0)).astype(int)
    assert patch.mask[y, x] < 60


def test_a_face_that_the_pictures_edge_cuts_is_covered_up_to_the_edge() -> None:
    persona = a_persona()
    face = face_like(persona, 0.5, (-190, -40))
    patch = swapped(persona, face)
    assert patch is not None
    assert patch.box.left == 0
    nose = int(face.points[4, 1]) - patch.box.top
    assert patch.mask[nose, 0] > 200


def test_a_face_that_is_too_small_is_not_swapped() -> None:
    persona = a_persona()
    face = face_like(persona, 0.02, (100, 100))
    assert swapped(persona, face) is None
    frame = grey_frame(width=640, height=480)
    frame.faces = (face,)
    with pytest.raises(Drop, match="too small"):
        Swap(MeshSwapper(persona, TRIANGLES))(frame)


def test_others_are_swapped_only_when_that_was_asked_for() -> None:
    persona = a_persona()
    performer = face_like(persona, 0.3, (0, 0))
    other = replace(face_like(persona, 0.3, (250, 0)), performer=False, track=2)
    stage = Swap(MeshSwapper(persona, TRIANGLES))
    for everybody, count in ((False, 1), (True, 2)):
        frame = grey_frame(width=640, height=480)
        frame.faces = (performer, other)
        stage.everybody = everybody
        assert len(stage(frame).patches) == count


def turned_by(persona: Persona, yaw: float) -> Floats:
    """The persona's mesh as it would be with the head turned, degrees, pixels of its picture."""
    turn = np.radians(yaw)
    middle = persona.points.mean(0)
    matrix = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    return np.asarray((persona.points - middle) @ matrix.T + middle, np.float32)


def with_sides(persona: Persona) -> Persona:
    """The persona with a blue picture for the left and a red one for the right, on its own turned mesh."""
    pictures = []
    for yaw, colour in ((-25, (255, 0, 0)), (25, (0, 0, 255))):
        points = turned_by(persona, yaw)
        plain = np.full((1024, 1024, 3), colour, np.uint8)
        pictures.append(Turned(plain, points, head_turn(points)[0]))
    return replace(persona, turned=tuple(pictures))


@given(st.floats(-90, 90), st.floats(0, 3))
def test_the_share_of_a_turned_picture_rises_without_a_jump(yaw: float, step: float) -> None:
    here, there = view_share(yaw, 0.0, 25.0), view_share(yaw + step, 0.0, 25.0)
    assert 0 <= here <= there <= 1
    assert there - here <= 0.16 * step + 1e-6
    assert view_share(yaw, -25.0, 0.0) + view_share(-yaw, 0.0, 25.0) == pytest.approx(1)


def test_a_turned_head_wears_the_picture_that_is_turned_like_it() -> None:
    persona = with_sides(a_persona())
    swapper = MeshSwapper(persona, TRIANGLES)

    def worn(yaw: float) -> list[int]:
        points = (turned_by(persona, yaw) * 0.4).astype(np.float32)
        face = replace(a_face(), points=points, box=Box.around(points))
        patch = swapper(grey_frame(width=640, height=480), face)
        assert patch is not None
        return [round(level) for level in cv2.mean(patch.picture.bgr(), patch.mask)[:3]]

    # Cracks of a turned mesh show plain skin, a pixel here and there.
    assert worn(-25)[0] > 250
    assert worn(25)[2] > 250
    assert max(worn(25)[:2]) < 5
    blue = [worn(yaw)[2] for yaw in np.linspace(0, 25, 26)]
    assert max(np.abs(np.diff(blue))) < 45


def test_a_frontal_head_wears_the_frontal_picture_alone() -> None:
    persona = a_persona()
    face = face_like(persona, 0.5, (64, -40))
    plain, sided = swapped(persona, face), swapped(with_sides(persona), face)
    assert plain is not None
    assert sided is not None
    np.testing.assert_array_equal(plain.picture.i420, sided.picture.i420)
    np.testing.assert_array_equal(plain.mask, sided.mask)
