from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import Busy, NotFound
from livefake.server.streamkeys import LONGEST_MINUTES, MOST, StreamKeys
from livefake.sessions import Order

MINUTE = 60_000_000_000
ORDER = Order("mara")


def test_a_key_holds_until_its_time_is_up() -> None:
    keys = StreamKeys()
    key, secret = keys.make(ORDER, (), now=0, minutes=2)
    assert keys.find(secret, 2 * MINUTE - 1) == key
    assert keys.find(secret, 2 * MINUTE) is None
    assert not keys.holds(key.id, 2 * MINUTE)
    assert keys.find(secret, 0) is None, "it is forgotten for good"


def test_a_revoked_key_holds_no_more() -> None:
    keys = StreamKeys()
    (one, first), (_, second) = keys.make(ORDER, (), now=0), keys.make(ORDER, (), now=0)
    keys.revoke(one.id)
    assert keys.find(first, 0) is None
    assert keys.find(second, 0) is not None
    with pytest.raises(NotFound):
        keys.revoke(one.id)


def test_the_secret_is_long_and_not_kept() -> None:
    keys = StreamKeys()
    key, secret = keys.make(ORDER, (), now=0)
    assert len(secret) == 43
    assert secret not in repr(key)
    assert secret.encode() not in key.digest


def test_there_are_only_so_many_and_old_ones_make_room() -> None:
    keys = StreamKeys()
    for _ in range(MOST):
        keys.make(ORDER, (), now=0, minutes=1)
    with pytest.raises(Busy, match="16 stream keys"):
        keys.make(ORDER, (), now=0)
    keys.make(ORDER, (), now=MINUTE)


@pytest.mark.parametrize("minutes", [0, -1, LONGEST_MINUTES + 1])
def test_no_key_holds_for_ever(minutes: int) -> None:
    with pytest.raises(ValueError, match="1 to 1440 minutes"):
        StreamKeys().make(ORDER, (), now=0, minutes=minutes)


@given(st.text())
def test_nothing_else_fits(text: str) -> None:
    keys = StreamKeys()
    key, secret = keys.make(ORDER, (), now=0)
    assert keys.find(text, 0) is None
    assert keys.find(f"{secret}{text}", 0) == (None if text else key)
