from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livefake.server.limits import Bucket, Buckets

SECOND = 1_000_000_000


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    bucket = Bucket(burst=3, per_minute=30)
    assert [bucket.take(now=0) for _ in range(4)] == [0, 0, 0, 2]
    assert bucket.take(now=SECOND) == 1
    assert bucket.take(now=2 * SECOND) == 0
    assert bucket.take(now=2 * SECOND) == 2


def test_a_long_rest_fills_it_no_further_than_its_burst() -> None:
    bucket = Bucket(burst=2, per_minute=60)
    bucket.take(now=0)
    later = 3600 * SECOND
    assert [bucket.take(now=later) for _ in range(3)] == [0, 0, 1]


def test_a_clock_that_is_put_back_gives_nothing_and_takes_nothing() -> None:
    bucket = Bucket(burst=1, per_minute=60)
    assert bucket.take(now=10 * SECOND) == 0
    assert bucket.take(now=0) == 1
    assert bucket.take(now=10 * SECOND) == 1
    assert bucket.take(now=11 * SECOND) == 0


@given(st.lists(st.integers(0, 5 * SECOND), max_size=200), st.integers(1, 5), st.integers(1, 120))
def test_no_pattern_of_asking_gets_more_than_the_share(pauses: list[int], burst: int, per_minute: int) -> None:
    bucket, now, passed = Bucket(burst=burst, per_minute=per_minute), 0, 0
    for pause in pauses:
        now += pause
        passed += bucket.take(now) == 0
    assert passed <= burst + now * per_minute / (60 * SECOND) + 1e-3


@given(st.integers(1, 5), st.integers(1, 120))
def test_whoever_waits_as_long_as_told_is_served(burst: int, per_minute: int) -> None:
    bucket, now = Bucket(burst=burst, per_minute=per_minute), 0
    for _ in range(20):
        wait = bucket.take(now)
        if wait:
            now += round(wait * SECOND)
            assert bucket.take(now) == 0


def test_callers_do_not_wait_for_each_other() -> None:
    buckets = Buckets(burst=1, per_minute=1)
    assert buckets.take("a", 0) == 0
    assert buckets.take("a", 0) == 60
    assert buckets.take("b", 0) == 0


def test_many_callers_are_no_way_around_and_take_no_room() -> None:
    buckets = Buckets(burst=1, per_minute=1, most=10)
    passed = sum(buckets.take(f"caller {number}", 0) == 0 for number in range(1000))
    assert passed == 11
    assert len(buckets) == 10
    assert buckets.take("caller 3", 0) == 60, "those who are known are not forgotten for newcomers"
    assert buckets.take("caller 999", 61 * SECOND) == 0
    assert len(buckets) <= 10
