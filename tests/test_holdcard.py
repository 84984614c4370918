from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from livefake.frame import RTP_CLOCK, Bytes, Frame
from livefake.media.holdcard import CardPainter
from livefake.trust.seal import Seal

TITLE, DETAIL = "Camera is off", "Nothing is being sent. Press Start to go live again."


@pytest.fixture(scope="module")
def painter() -> CardPainter:
    return CardPainter()


def ink(frame: Frame) -> Bytes:
    """Where something brighter than the background is drawn."""
    return np.asarray(frame.y > 90, np.uint8)


@pytest.mark.parametrize("size", [(160, 120), (640, 360), (1280, 720), (720, 1280), (1920, 1080)])
def test_a_card_has_the_size_asked_for_and_leaves_its_edges_free(painter: CardPainter, size: tuple[int, int]) -> None:
    frame = painter.paint(*size, TITLE, DETAIL, pts=9000, arrived=7)
    assert (frame.width, frame.height) == size
    assert (frame.pts, frame.arrived, frame.time_base) == (9000, 7, RTP_CLOCK)
    drawn = ink(frame)
    margin = round(size[0] * 0.05)
    assert drawn[:, :margin].max() == drawn[:, -margin:].max() == 0
    assert drawn[:2].max() == drawn[-margin // 2 :].max() == 0
    assert 0.005 < drawn.mean() < 0.2


def test_odd_sides_become_even(painter: CardPainter) -> None:
    frame = painter.paint(161, 121, TITLE, DETAIL, pts=0, arrived=0)
    assert (frame.width, frame.height) == (160, 120)


def test_a_card_is_centred(painter: CardPainter) -> None:
    columns = np.flatnonzero(ink(painter.paint(640, 360, TITLE, DETAIL, pts=0, arrived=0)).any(0))
    assert abs(columns[0] + columns[-1] - 639) <= 4


def test_a_card_shows_its_texts(painter: CardPainter) -> None:
    cards = [
        painter.paint(320, 180, *texts, pts=0, arrived=0).i420.tobytes()
        for texts in ((TITLE, DETAIL), ("Face lost", DETAIL), (TITLE, "Come closer."), ("", ""))
    ]
    assert len(set(cards)) == 4


def test_a_sealed_card_does_not_lock_the_next_one(painter: CardPainter) -> None:
    first = painter.paint(320, 180, TITLE, DETAIL, pts=0, arrived=0)
    assert first.done == {"card"}
    first.done |= {"label", "watermark"}
    assert Seal(1).card(first).card
    second = painter.paint(320, 180, TITLE, DETAIL, pts=3000, arrived=1)
    assert np.array_equal(first.i420, second.i420)
    second.i420[:] = 0
    third = painter.paint(320, 180, TITLE, DETAIL, pts=6000, arrived=2)
    assert np.array_equal(first.i420, third.i420)
    assert third.done == {"card"}


def test_two_painters_draw_the_same_card(painter: CardPainter) -> None:
    again = CardPainter().paint(320, 180, TITLE, DETAIL, pts=0, arrived=0)
    assert np.array_equal(again.i420, painter.paint(320, 180, TITLE, DETAIL, pts=0, arrived=0).i420)


def test_a_side_without_room_is_refused(painter: CardPainter) -> None:
    with pytest.raises(ValueError, match="64 pixels or more, got 320 x 62"):
        painter.paint(320, 62, TITLE, DETAIL, pts=0, arrived=0)


TEXT = st.text(max_size=300) | st.text(st.sampled_from("wide WIDE "), max_size=300)


@given(st.integers(64, 400), st.integers(64, 400), TEXT, TEXT)
@example(400, 64, "wide " * 50, "WIDE " * 50)
@example(64, 64, "w" * 50, "g" * 50)
@settings(max_examples=40, deadline=None)
def test_any_text_stays_inside_any_card(width: int, height: int, title: str, detail: str) -> None:
    frame = CardPainter().paint(width, height, title, detail, pts=0, arrived=0)
    drawn = ink(frame)
    assert drawn[:, :2].max() == drawn[:, -2:].max() == drawn[:1].max() == drawn[-1:].max() == 0
