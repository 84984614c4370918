from __future__ import annotations

import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from livefake.clock import FakeClock
from livefake.server.limits import Allowance, Bucket, Limits, RateLimit, Rule

SECOND = 1_000_000_000
RULE = Rule(re.compile("/slow/.*"), Allowance(1, 2), Allowance(10, 3))


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0)])
def test_an_allowance_allows_something(rate: float, burst: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Allowance(rate, burst)


@given(
    st.floats(0.01, 100),
    st.integers(1, 20),
    st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=60),
)
def test_a_bucket_never_gives_more_than_its_allowance(rate: float, burst: int, pauses: list[int]) -> None:
    bucket, now, given_out = Bucket(Allowance(rate, burst), 0), 0, 0
    for pause in pauses:
        now += pause
        given_out += bucket.take(now) == 0
        assert given_out <= burst + rate * now / SECOND + 1e-6


@given(st.floats(0.01, 100), st.integers(1, 5))
def test_who_waits_as_long_as_told_gets_a_token(rate: float, burst: int) -> None:
    bucket = Bucket(Allowance(rate, burst), 0)
    for _ in range(burst):
        assert bucket.take(0) == 0
    wait = bucket.take(0)
    assert wait > 0
    assert bucket.take(wait) == 0


def test_a_clock_that_goes_back_fills_nothing() -> None:
    bucket = Bucket(Allowance(1, 1), 10 * SECOND)
    assert bucket.take(10 * SECOND) == 0
    assert bucket.take(0) > 0
    assert bucket.take(10 * SECOND) > 0
    assert bucket.take(11 * SECOND) == 0


def test_each_client_has_its_own_allowance_and_all_share_one() -> None:
    limits = Limits([RULE])
    assert [limits.wait("GET", "/slow/a", "one", 0) == 0 for _ in range(3)] == [True, True, False]
    assert limits.wait("GET", "/slow/b", "two", 0) == 0
    assert limits.wait("GET", "/slow/b", "three", 0) > 0
    assert limits.wait("GET", "/fast", "one", 0) == 0


def test_a_rule_may_be_for_some_methods_only() -> None:
    limits = Limits([Rule(re.compile("/x"), Allowance(1, 1), Allowance(1, 1), frozenset({"POST"}))])
    assert [limits.wait("GET", "/x", "one", 0) for _ in range(5)] == [0] * 5
    assert [limits.wait("POST", "/x", "one", 0) == 0 for _ in range(2)] == [True, False]


def test_clients_without_number_are_not_remembered_without_number() -> None:
    limits = Limits([RULE])
    for client in range(2000):
        limits.wait("GET", "/slow/a", str(client), client * SECOND)
    assert len(limits) == 512


async def test_too_fast_is_told_with_the_time_to_wait() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    clock = FakeClock()
    transport = httpx.ASGITransport(RateLimit(app, Limits([RULE]), clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        assert [(await client.get("/slow/a")).status_code for _ in range(3)] == [204, 204, 429]
        refused = await client.get("/slow/a")
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["error"]["remedy"] == "Wait 1 second, then try again."
        assert (await client.get("/fast")).status_code == 204
        clock.advance(1000)
        assert (await client.get("/slow/a")).status_code == 204
