"""Arithmetic of the live measurement, the echo that only numbered pictures pass, and a real browser."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from benchmarks.browser import missing, read_stamp, stamp
from benchmarks.echo import Echo, shuffled
from benchmarks.live import freezes, measure, pacing
from livefake.frame import Frame
from livefake.trust.seal import Sealed
from tests.album import noisy_frame

needs_browser = pytest.mark.skipif(bool(missing()), reason=missing())


def test_even_pictures_have_no_unevenness_and_no_freeze() -> None:
    shown = [33.3 * number for number in range(60)]
    assert pacing(shown)["unevenness_ms"] == pytest.approx(0, abs=0.01)
    assert pacing(shown)["gap_ms"]["p50"] == pytest.approx(33.3)
    assert freezes(shown) == {"count": 0, "seconds": 0.0}
    assert pacing([1.0])["unevenness_ms"] is None
    assert freezes([])["count"] == 0


def test_a_freeze_is_three_gaps_and_150_ms_more_than_one() -> None:
    shown = [33.0 * number for number in range(30)]
    after = [shown[-1] + 182 + 33.0 * number for number in range(30)]
    assert freezes([*shown, *after])["count"] == 0
    after = [shown[-1] + 184 + 33.0 * number for number in range(30)]
    assert freezes([*shown, *after]) == {"count": 1, "seconds": 0.184}


def test_shuffled_pictures_keep_every_pixel_and_no_place() -> None:
    picture = noisy_frame(width=320, height=240)
    other = Frame(shuffled(picture.i420), 0, 0)
    for plane in ("y", "u", "v"):
        before, after = getattr(picture, plane), getattr(other, plane)
        assert (np.sort(before, None) == np.sort(after, None)).all()
        assert (before != after).mean() > 0.9
    assert (shuffled(picture.i420) == other.i420).all()


@dataclass
class _Peer:
    """Some pictures for the echo, and what it shows."""

    frames: list[Frame]
    shown: list[Sealed] = field(default_factory=list)

    @property
    def source(self) -> Any:
        async def frames() -> Any:
            for frame in self.frames:
                yield frame

        return frames()

    @property
    def sink(self) -> Any:
        return self

    def show(self, sealed: Sealed) -> None:
        self.shown.append(sealed)


def test_the_echo_is_no_way_around_the_swap() -> None:
    # A camera; one whose edge looks like a number, and always like the same; one with a number beyond the clip's.
    numbers = (None, 77, 77, 76, 300, 5000, None, 479, 2)
    frames = [noisy_frame(place, width=640, height=360) for place in range(len(numbers))]
    for frame, number in zip(frames, numbers, strict=True):
        if number is not None:
            stamp(frame.y, number)
    before = frames[-1].y[8:40, -150:-16].copy()
    peer, echo = _Peer(frames), Echo()
    asyncio.run(echo.run(peer))  # type: ignore[arg-type]  # the two ends of a peer are all it needs
    assert (echo.taken, echo.refused) == (1, 8), "only what counts up"
    [sealed] = peer.shown
    assert sealed.card
    assert {"label", "watermark"} <= sealed.frame.done
    assert read_stamp(sealed.frame.y) == 2
    assert (sealed.frame.y[8:40, -150:-16] != before).any(), "the label is drawn"


@needs_browser
@pytest.mark.browser
@pytest.mark.slow
def test_the_way_without_the_swap_is_measured_in_a_browser() -> None:
    result = measure("360p", 3, swap=False)
    assert result["arrived_fps"] > 5
    assert result["shown_fps"] > 2
    assert result["glass_ms"]["p50"] > 0
    assert len(result["delays"]) > 5
    assert result["report"]["frames"]["failed"] <= 1, "every picture after the first carried the next number"
    assert result["threads"]
    assert result["server_cores"] > 0
