from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from livefake.engine.base import Engine
from livefake.faces.geometry import INNER_MOUTH, LEFT_EYE, OUTLINE, RIGHT_EYE
from livefake.faces.landmarks import SIDE, LandmarkNet
from livefake.frame import Floats
from livefake.swap.guide import kept_alive, net_planes
from livefake.swap.mesh import face_triangles
from livefake.training.answer import Answer
from livefake.training.guide import matched_guide
from livefake.training.headkit import read_headkit
from livefake.training.samples import Sample
from livefake.training.synth import SHARD, TRAIN, Workshop, make_shard
from tests.headmaker import write_kit

CROP = 64


def _ring(numbers: np.ndarray, middle: tuple[float, float], reach: tuple[float, float], start: float) -> Floats:
    angles = start + np.linspace(0, 2 * np.pi, len(numbers), endpoint=False)
    return np.stack([middle[0] + reach[0] * np.cos(angles), middle[1] + reach[1] * np.sin(angles)], 1)


class StillEngine:
    """A landmark network that sees the same face in the middle of every crop."""

    device = "still"
    inputs: Mapping[str, tuple[int, ...]] = {"input_1": (1, SIDE, SIDE, 3)}
    outputs: Mapping[str, tuple[int, ...]] = {"conv2d_20": (1, 1, 1, 1404), "conv2d_30": (1, 1, 1, 1)}

    def run(self, feeds: Mapping[str, Floats]) -> Mapping[str, Floats]:
        points = np.random.default_rng(0).uniform((71, 71, -25), (121, 121, 25), (468, 3))
        # The places of eyes, nose and mouth are those of the head that ``write_kit`` makes.
        points[OUTLINE, :2] = _ring(OUTLINE, (96, 96), (44, 64), -np.pi / 2)
        points[LEFT_EYE, :2] = _ring(LEFT_EYE, (76, 89), (7, 4), np.pi)
        points[RIGHT_EYE, :2] = _ring(RIGHT_EYE, (116, 89), (7, 4), np.pi)
        points[INNER_MOUTH, :2] = _ring(INNER_MOUTH, (96, 140), (12, 3), np.pi)
        points[[33, 263, 4, 61, 291], :2] = [[69, 89], [123, 89], [96, 107], [83, 140], [109, 140]]
        mesh = points.astype(np.float32).reshape(1, 1, 1, -1)
        return {"conv2d_20": mesh, "conv2d_30": np.full((1, 1, 1, 1), 9, np.float32)}

    def sibling(self) -> Engine:
        return self


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(
        kit=read_headkit(write_kit(tmp_path_factory.mktemp("kit"))),
        landmarks=LandmarkNet(StillEngine()),
        triangles=face_triangles(),
        size=CROP,
        seed=0,
    )


@pytest.fixture(scope="module")
def samples(workshop: Workshop) -> list[Sample]:
    return make_shard(workshop, 1)


def test_a_shard_is_full_and_a_quarter_of_it_follows(samples: list[Sample]) -> None:
    assert len(samples) == SHARD
    follows = [index for index, sample in enumerate(samples) if sample.facts.follows]
    assert SHARD // 5 <= len(follows) <= SHARD // 4
    for index in follows:
        before, after = samples[index - 1].facts, samples[index].facts
        assert (before.performer, before.persona) == (after.performer, after.persona)
        assert abs(before.yaw - after.yaw) < 10


def test_people_are_of_the_split_and_nobody_becomes_themselves(samples: list[Sample]) -> None:
    for facts in (sample.facts for sample in samples):
        assert facts.performer in TRAIN
        assert facts.persona in TRAIN
        assert facts.performer != facts.persona


def test_a_sample_shows_a_face_where_it_says(samples: list[Sample]) -> None:
    for sample in samples:
        assert sample.live.shape == sample.warp.shape == sample.truth.shape == (CROP, CROP, 3)
        assert (sample.region > 128).mean() > 0.15
        assert (sample.cover > 128).mean() > 0.15
        assert 0 < sample.landmarks.mean() < CROP


def test_the_same_seed_makes_the_same_shard(workshop: Workshop, samples: list[Sample]) -> None:
    for one, again in zip(samples[:8], make_shard(workshop, 1), strict=False):
        assert np.array_equal(one.live, again.live)
        assert np.array_equal(one.truth, again.truth)
        assert np.array_equal(one.points, again.points)


def test_the_guide_is_live_where_the_warp_does_not_show(samples: list[Sample]) -> None:
    sample = samples[0]
    guide = matched_guide(sample.live, sample.warp, sample.cover, sample.points)
    outside = sample.cover == 0
    assert np.array_equal(guide[outside], sample.live[outside])
    nothing = matched_guide(sample.live, sample.warp, np.zeros_like(sample.cover), sample.points)
    assert np.array_equal(nothing, sample.live)


def test_the_other_answer_shows_the_persona_on_the_same_mesh_and_the_same_eyes(
    workshop: Workshop, samples: list[Sample]
) -> None:
    bent = make_shard(replace(workshop, answer=Answer.MESH), 1)[0]
    shape = samples[0]
    assert bent.facts == shape.facts
    assert np.array_equal(bent.live, shape.live)
    assert np.array_equal(bent.points, shape.points)
    shown = bent.cover > 250
    assert np.abs(bent.truth[shown].astype(int) - shape.truth[shown]).mean() > 1
    # Where the warp never shows, only the fineness of the drawing differs.
    outside = bent.cover == 0
    assert np.abs(bent.truth[outside].astype(int) - shape.truth[outside]).mean() < 6


def test_eyes_and_mouth_are_kept_and_the_cheeks_are_not(samples: list[Sample]) -> None:
    points = samples[0].points
    keep = kept_alive(points, CROP)
    for ring in (LEFT_EYE, RIGHT_EYE, INNER_MOUTH):
        x, y = np.round(points[ring, :2].mean(0)).astype(int)
        assert keep[y, x] > 200
    assert keep.mean() < 40


def test_the_network_sees_live_skin_in_coarse_cells_only(samples: list[Sample]) -> None:
    sample = samples[0]
    fine = np.asarray(np.random.default_rng(0).integers(0, 256, (256, 256, 3)), np.uint8)
    nothing = np.zeros((256, 256), np.uint8)
    planes = net_planes(fine, np.zeros_like(fine), nothing, nothing)
    assert planes.shape == (14, 256, 256)
    assert planes[3:6].std() < 0.2 * fine.std()
    assert not planes[6:9].any()
    assert net_planes(sample.live, sample.live, sample.cover, sample.cover).dtype == np.uint8
