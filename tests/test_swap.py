from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from livefake.faces.geometry import LEFT_EYE, OUTLINE
from livefake.frame import Box, Bytes, Drop, Face, Floats, Frame, Patch
from livefake.resources import models_folder
from livefake.swap.mesh import MeshSwapper, read_triangles
from livefake.swap.persona import Persona, list_personas, load_persona
from livefake.swap.raster import fill_map
from livefake.swap.stage import Swap
from tests.album import a_face, grey_frame

TRIANGLES = read_triangles(models_folder() / "mesh" / "triangles.npy")


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


def filled(live: Floats, persona: Floats, size: int = 40) -> tuple[Floats, Bytes]:
    triangles = np.array([[0, 1, 2]], np.uint16)
    sources, cover = np.zeros((2, size, size), np.float32), np.zeros((size, size), np.uint8)
    fill_map(triangles, np.array([0], np.int32), live, persona, sources, cover)
    return sources, cover


def test_the_map_sends_corners_to_corners_and_the_middle_to_the_middle() -> None:
    live = np.array([[5, 5], [35, 5], [5, 35]], np.float32)
    persona = np.array([[100, 50], [160, 50], [100, 110]], np.float32)
    sources, cover = filled(live, persona)
    assert sources[:, 5, 5].tolist() == [100, 50]
    assert sources[:, 15, 15].tolist() == pytest.approx([120, 70])
    assert cover[10, 10] == 255
    assert cover[30, 30] == 0


def test_a_triangle_that_shows_its_back_is_skipped() -> None:
    turned = np.array([[5, 5], [5, 35], [35, 5]], np.float32)
    assert filled(turned, turned)[1].max() == 0


def test_points_far_outside_the_region_are_no_problem() -> None:
    live = np.array([[-500, -500], [900, -400], [-300, 800]], np.float32)
    assert filled(live, live)[1].min() == 255


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
    assert np.abs(patch.pixels[sure].astype(int) - expected[sure]).mean() < 4


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
