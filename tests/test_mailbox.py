from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.flow.mailbox import AsyncMailbox, Mailbox


def test_the_newest_item_wins_and_the_older_ones_are_counted() -> None:
    box: Mailbox[int] = Mailbox()
    for item in (1, 2, 3):
        box.put(item)
    assert box.depth == 1
    assert box.take() == 3
    assert (box.depth, box.deepest, box.dropped, box.passed) == (0, 1, 2, 1)


def test_taking_from_an_empty_box_gives_none_when_the_time_is_up() -> None:
    box: Mailbox[int] = Mailbox()
    assert box.take(timeout=0) is None
    assert not box.closed
    assert box.passed == 0


def test_a_closed_box_drops_what_waits_and_what_comes() -> None:
    box: Mailbox[int] = Mailbox()
    box.put(1)
    box.close()
    box.close()
    box.put(2)
    assert box.take() is None
    assert box.closed
    assert (box.depth, box.dropped, box.passed) == (0, 2, 0)


def test_closing_wakes_a_thread_that_waits_without_a_limit() -> None:
    box: Mailbox[int] = Mailbox()
    got: list[int | None] = []
    taker = threading.Thread(target=lambda: got.append(box.take()))
    taker.start()
    box.close()
    taker.join(timeout=10)
    assert not taker.is_alive()
    assert got == [None]


def test_between_two_threads_nothing_is_lost_uncounted_repeated_or_reordered() -> None:
    box: Mailbox[int] = Mailbox()
    got: list[int] = []

    def take_all() -> None:
        while (item := box.take()) is not None:
            got.append(item)

    taker = threading.Thread(target=take_all)
    taker.start()
    for item in range(1, 5_001):
        box.put(item)
    box.close()
    taker.join(timeout=30)
    assert not taker.is_alive()
    assert got == sorted(set(got))
    assert (box.passed, box.passed + box.dropped) == (len(got), 5_000)


@given(st.lists(st.sampled_from(["put", "take", "close"]), max_size=40))
def test_every_item_is_passed_dropped_or_waits(steps: list[str]) -> None:
    box: Mailbox[int] = Mailbox()
    put = 0
    newest: int | None = None
    for step in steps:
        if step == "put":
            put += 1
            box.put(put)
            newest = None if box.closed else put
        elif step == "take":
            assert box.take(timeout=0) == newest
            newest = None
        else:
            box.close()
            newest = None
        assert box.passed + box.dropped + box.depth == put
        assert box.depth <= box.deepest <= 1


async def test_a_task_waits_for_the_newest_item() -> None:
    box: AsyncMailbox[str] = AsyncMailbox()
    taker = asyncio.create_task(box.take())
    await asyncio.sleep(0)
    box.put("old")
    box.put("new")
    assert await taker == "new"
    assert (box.depth, box.deepest, box.dropped, box.passed) == (0, 1, 1, 1)


async def test_closing_wakes_every_task_that_waits() -> None:
    box: AsyncMailbox[str] = AsyncMailbox()
    takers = [asyncio.create_task(box.take()) for _ in range(3)]
    await asyncio.sleep(0)
    box.close()
    assert await asyncio.gather(*takers) == [None, None, None]
    assert box.closed
    box.put("late")
    assert await box.take() is None
    assert box.dropped == 1


async def test_two_tasks_never_get_the_same_item() -> None:
    box: AsyncMailbox[int] = AsyncMailbox()
    takers = [asyncio.create_task(box.take()) for _ in range(2)]
    await asyncio.sleep(0)
    box.put(1)
    first, waiting = await asyncio.wait(takers, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in first] == [1]
    box.put(2)
    assert [await task for task in waiting] == [2]


async def test_a_cancelled_task_takes_nothing_with_it() -> None:
    box: AsyncMailbox[int] = AsyncMailbox()
    taker = asyncio.create_task(box.take())
    await asyncio.sleep(0)
    taker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taker
    box.put(1)
    assert await box.take() == 1
