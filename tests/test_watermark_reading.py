"""The reader's parts: pieces of time, the list decoder, gates, poses; and what only they make readable."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.watermark_false import modelled
from benchmarks.watermark_report import wilson
from livefake.errors import BadMedia
from livefake.frame import Bytes, Floats
from livefake.trust.watermark.carrier import TILE, Carrier
from livefake.trust.watermark.code import CODED_BITS, Payload, encode
from livefake.trust.watermark.combine import PILOT_GATE, PLACE_GATE, beginnings, evidence, likeness, message, mixed
from livefake.trust.watermark.detect import Detector
from livefake.trust.watermark.embed import Embedder
from livefake.trust.watermark.gather import Pieces, evened
from livefake.trust.watermark.scan import Scanner
from livefake.trust.watermark.tiles import Pose, straightened
from livefake.trust.watermark.viterbi import likeliest

PAYLOAD = Payload(version=1, issuer=0xABCDEF, session=0x9_1234_5678)


def room(count: int, seed: int = 5) -> list[Bytes]:
    """A shaded room with texture that stands still and sensor noise that does not: luma."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:720, :1280].astype(np.float32)
    still = 110 + 30 * np.sin(xx / 210 + yy / 330) + cv2.GaussianBlur(rng.normal(0, 30, (720, 1280)), (0, 0), 2)
    return [np.clip(still + rng.normal(0, 1.5, still.shape), 16, 235).astype(np.uint8) for _ in range(count)]


def marked(pictures: Sequence[Bytes], payload: Payload = PAYLOAD) -> list[Bytes]:
    embedder, copies = Embedder(payload), [picture.copy() for picture in pictures]
    for copy in copies:
        embedder.mark(copy)
    return copies


def seen(pictures: Sequence[Bytes]) -> Detector:
    detector = Detector()
    for picture in pictures:
        detector.add(picture)
    return detector


def modes(
    payload: Payload = PAYLOAD, strength: float = 1.0, seed: int = 1
) -> np.ndarray[tuple[int, ...], np.dtype[np.complex128]]:
    """A marked tile's modes in noise of power 1."""
    carrier, rng = Carrier(), np.random.default_rng(seed)
    waves = carrier.analyse(carrier.tile(encode(payload)))
    noise = rng.normal(size=(2, len(waves))) / np.sqrt(2)
    return np.asarray(strength * waves / np.abs(waves).mean() + noise[0] + 1j * noise[1], np.complex128)


# Pieces of time


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_pieces_keep_everything_and_stay_few(lengths: list[int]) -> None:
    pieces = Pieces()
    for length in lengths:
        pieces.add(np.full((2, 3), length, np.float32), length)
    assert len(pieces.sums) == len(pieces.frames) <= 8
    assert sum(pieces.frames) == sum(lengths)
    assert [float(one[0, 0]) for one in pieces.sums] == pieces.frames
    assert (pieces.total() == sum(lengths)).all()


def test_pieces_of_a_long_clip_are_of_similar_length() -> None:
    pieces = Pieces()
    for _ in range(300):
        pieces.add(np.zeros((1, 1), np.float32))
    assert max(pieces.frames[:-1]) <= 4 * min(pieces.frames[:-1])


def test_adding_up_leaves_the_pieces_of_others_alone() -> None:
    first, mine = seen(room(2)), Detector()
    before = [one.copy() for one in first._pieces.sums]
    for _ in range(6):
        mine.absorb(first)
    assert all(np.array_equal(a, b) for a, b in zip(before, first._pieces.sums, strict=True))


def test_what_was_gathered_apart_is_read_together() -> None:
    pictures = marked(room(8))
    whole = Detector()
    whole.absorb(seen(pictures[:4]))
    whole.absorb(seen(pictures[4:]))
    at_once = seen(pictures).read()
    assert whole.read() == at_once
    assert at_once.frames == 8


def test_pieces_of_another_shape_are_refused() -> None:
    detector = seen(room(1))
    with pytest.raises(BadMedia, match="one shape"):
        detector.absorb(seen([room(1)[0][:, :960].copy()]))


def test_a_loud_corner_counts_less() -> None:
    total = np.random.default_rng(2).normal(size=(720, 1280)).astype(np.float32)
    total[:360, :640] *= 10
    weights: Floats = evened(total)
    assert weights.shape == total.shape
    assert weights[100, 100] * 8 < weights[600, 1100]


def test_early_pieces_are_taken_off_the_late_ones() -> None:
    # One picture stands still in both pieces; the mark is in the second only, far below it.
    carrier, rng = Carrier(), np.random.default_rng(3)
    still = 12 * (rng.normal(size=len(carrier.rows)) + 1j * rng.normal(size=len(carrier.rows)))
    grain = rng.normal(size=(2, len(carrier.rows))) * 0.5
    pieces = np.stack([still + grain[0], still + grain[1] + 2 * modes(strength=1.0, seed=4)])
    assert likeness(carrier, evidence(carrier, pieces.sum(0)))[0, 0] < PILOT_GATE
    assert likeness(carrier, evidence(carrier, mixed(carrier, pieces)))[0, 0] > 2 * PILOT_GATE
    assert message(carrier, pieces, 0, 0) == PAYLOAD


# The list


def branches(seed: int, steps: int = 7, states: int = 4) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(size=(steps, 2, states))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_list_holds_the_best_ways_in_order(seed: int) -> None:
    earned = branches(seed)
    ways: list[tuple[float, tuple[int, ...]]] = []
    for bits in itertools.product((0, 1), repeat=7):
        state, total = 0, 0.0
        for step, bit in enumerate(bits):
            total += earned[step, bit, state]
            state = bit * 2 + state // 2
        if state == 0:
            ways.append((total, bits))
    best = [bits for _, bits in sorted(ways, reverse=True)[:5]]
    assert [tuple(row) for row in likeliest(earned, 5).tolist()] == best


def test_a_message_of_an_unknown_version_is_not_believed() -> None:
    for version, known in ((1, True), (2, False)):
        payload = Payload(version, 5, 6)
        found = message(Carrier(), modes(payload, strength=2.0)[None], 0, 0)
        assert found == (payload if known else None)


# Where the tile begins


def test_a_faint_mark_is_looked_for_at_its_usual_place_only() -> None:
    found = np.zeros((TILE, TILE))
    assert beginnings(found, 0) == []
    found[0, 7] = (PLACE_GATE + PILOT_GATE) / 2
    assert beginnings(found) == []
    assert beginnings(found, 6) == []
    assert beginnings(found, 7) == [(found[0, 7], 0, 7)]
    found[9, 9] = PILOT_GATE + 1
    assert beginnings(found, 7) == [(PILOT_GATE + 1, 9, 9), (found[0, 7], 0, 7)]
    assert beginnings(found) == [(PILOT_GATE + 1, 9, 9)]


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, 250), (200, 31)])
def test_pilots_tell_the_beginning_of_a_moved_and_mirrored_tile(down: int, right: int) -> None:
    carrier = Carrier()
    tile = np.roll(carrier.tile(np.zeros(CODED_BITS, np.uint8)), (down, right), (0, 1))
    for mirrored in (False, True):
        waves = carrier.analyse(tile[:, ::-1] if mirrored else tile)
        plain = evidence(carrier, carrier.mirrored(waves) if mirrored else waves)
        assert divmod(int(likeness(carrier, plain).argmax()), TILE) == (down, right)


def test_synthesis_undoes_analysis() -> None:
    carrier = Carrier()
    waves = modes()
    assert np.allclose(carrier.analyse(carrier.synthesise(waves).astype(np.float32)), waves, atol=1e-3)


@pytest.mark.parametrize("pose", [Pose(0.55), Pose(1.2, 1.5), Pose(0.8, -2.0)])
def test_tiles_of_a_straightened_picture_are_what_the_whole_would_give(pose: Pose) -> None:
    picture = cv2.GaussianBlur(np.random.default_rng(8).normal(size=(720, 1280)).astype(np.float32), (0, 0), 2)
    whole = straightened(np.asarray(picture, np.float32), pose)
    part = straightened(np.asarray(picture, np.float32), Pose(pose.scale, pose.rotation, (1, 2, 2, 4)))
    expected = whole[TILE : 2 * TILE, 2 * TILE : 4 * TILE]
    assert part.shape == expected.shape
    assert np.allclose(part, expected, atol=2e-3)


def test_a_picture_in_a_picture_is_found() -> None:
    around = room(6, seed=9)
    for scene, picture in zip(around, marked(room(6)), strict=True):
        scene[200:596, 420:1124] = cv2.resize(picture, (704, 396), interpolation=cv2.INTER_AREA)
    reading = seen(around).read(search=True)
    assert reading.payload == PAYLOAD
    assert reading.scale == pytest.approx(0.55, rel=0.005)


def test_a_crop_of_lines_of_text_is_found() -> None:
    # Lines at even distances are alike one line further on, which hides the likeness of the tiles.
    page = np.full((720, 1280), 225, np.uint8)
    rng = np.random.default_rng(6)
    for line in range(20, 720, 26):
        words = " ".join("".join(map(chr, rng.integers(97, 123, 6))) for _ in range(14))
        cv2.putText(page, words, (40, line), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (60.0,), 1, cv2.LINE_AA)
    [whole] = marked([page])
    reading = seen([whole[20:668, 90:1242].copy()] * 2).read(search=True)
    assert reading.payload == PAYLOAD
    assert reading.scale == pytest.approx(720 / 648, rel=0.01)


def test_the_scan_scores_the_right_size_best() -> None:
    carrier = Carrier()
    tile = carrier.tile(encode(PAYLOAD))
    picture = np.tile(tile, (3, 5))[:720, :1280] * 0.2 + np.random.default_rng(1).normal(size=(720, 1280))
    large = np.asarray(cv2.resize(picture.astype(np.float32), None, fx=1.5, fy=1.5)[180:900, 320:1600], np.float32)
    scanner = Scanner(carrier, large)
    scores = {scale: scanner.score(Pose(scale))[0][0] for scale in (0.5, 1.0, 1.4, 1.5, 1.6, 2.0)}
    assert max(scores, key=lambda scale: scores[scale]) == 1.5


# Figures


def test_the_modelled_chance_of_a_false_reading_is_what_the_docstrings_say() -> None:
    model = modelled()
    assert model["false_reading_a_look"] < 1e-10
    assert 1 / model["gate_usual_place"] == pytest.approx(4300, rel=0.01)
    assert 1 / model["gate_anywhere"] == pytest.approx(15_000, rel=0.05)


@pytest.mark.parametrize(
    ("good", "total", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (95, 100, 0.8882, 0.9785), (0, 0, 0, 1)],
)
def test_intervals_are_wilsons(good: int, total: int, low: float, high: float) -> None:
    assert wilson(good, total) == pytest.approx((low, high), abs=1e-3)
