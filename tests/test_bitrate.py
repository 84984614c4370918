from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.clock import FakeClock
from livefake.media.webrtc.bitrate import Bitrate, RateKeeper

SIZE = (1280, 720)


def run(keeper: RateKeeper, clock: FakeClock, estimate: int, seconds: int) -> int:
    keeper.report(estimate)
    rate = keeper.rate(*SIZE, clock())
    for _ in range(seconds):
        clock.advance(1_000)
        rate = keeper.rate(*SIZE, clock())
    return rate


def test_the_rate_grows_with_the_picture_but_slower() -> None:
    bitrate = Bitrate(at_360p=1_200_000, at_720p=3_000_000)
    assert bitrate.of(640, 360) == 1_200_000
    assert bitrate.of(720, 1280) == 3_000_000
    assert bitrate.of(320, 180) == 480_000
    assert bitrate.of(2560, 1440) == 7_500_000
    assert bitrate.most == 4_000_000


@pytest.mark.parametrize(("at_360p", "at_720p", "floor"), [(0, 1, 0.5), (2, 1, 0.5), (1, 2, 0), (1, 2, 1.1)])
def test_rates_that_make_no_sense_are_refused(at_360p: int, at_720p: int, floor: float) -> None:
    with pytest.raises(ValueError, match="expected 0 < at_360p"):
        Bitrate(at_360p, at_720p, floor)


def test_without_an_estimate_or_with_a_high_one_the_target_stands() -> None:
    keeper, clock = RateKeeper(Bitrate()), FakeClock()
    assert keeper.rate(*SIZE, clock()) == 3_000_000
    assert run(keeper, clock, 50_000_000, 20) == 3_000_000
    assert run(keeper, clock, 2_200_000, 20) == 3_000_000


def test_a_short_dip_changes_nothing_and_a_long_one_lowers_the_rate_once() -> None:
    keeper, clock = RateKeeper(Bitrate()), FakeClock()
    assert run(keeper, clock, 1_500_000, 2) == 3_000_000
    assert run(keeper, clock, 2_900_000, 1) == 3_000_000
    assert run(keeper, clock, 1_500_000, 2) == 3_000_000
    assert run(keeper, clock, 1_500_000, 1) == 1_275_000
    assert run(keeper, clock, 1_500_000, 20) == 1_275_000


def test_the_rate_comes_back_when_there_is_room_for_long_enough() -> None:
    keeper, clock = RateKeeper(Bitrate()), FakeClock()
    assert run(keeper, clock, 1_500_000, 3) == 1_275_000
    assert run(keeper, clock, 4_000_000, 4) == 1_275_000
    assert run(keeper, clock, 4_000_000, 1) == 3_000_000


def test_the_floor_holds_however_little_is_offered() -> None:
    keeper, clock = RateKeeper(Bitrate(floor=0.4)), FakeClock()
    assert run(keeper, clock, 0, 60) == 1_200_000


@given(st.lists(st.tuples(st.integers(0, 10_000_000), st.integers(0, 2_000)), max_size=60))
def test_the_rate_stays_in_bounds_and_changes_at_most_every_five_seconds(reports: list[tuple[int, int]]) -> None:
    bitrate, clock = Bitrate(), FakeClock()
    keeper = RateKeeper(bitrate)
    rates: list[tuple[int, int]] = []
    for estimate, pause in reports:
        clock.advance(pause)
        keeper.report(estimate)
        rates.append((clock(), keeper.rate(*SIZE, clock())))
    changes = [now for (_, old), (now, new) in pairwise(rates) if old != new]
    assert all(0.35 * 3_000_000 <= rate <= 3_000_000 for _, rate in rates)
    assert all(later - earlier >= 5_000_000_000 for earlier, later in pairwise(changes))
