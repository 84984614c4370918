"""Packets that are lost, late or overtaken: the picture comes back, and nothing grows."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.loss import SCRIPTS, run
from livefake.media.webrtc.scripted import DOWN, Script

BAD = {name: script for name, script in SCRIPTS.items() if script != Script()}


@pytest.mark.parametrize("script", [*BAD.values(), DOWN], ids=[*BAD, "nothing arrives"])
async def test_the_picture_recovers_and_nothing_grows(script: Script) -> None:
    before = asyncio.all_tasks()
    course = await run(script, 1.2, after=20)
    assert course.recovery_ms is not None, "a picture that was taken after the loss came back"
    assert course.deepest <= 1
    assert course.tasks <= 0
    assert course.wrong == 0, "no picture was shown that was decoded from what is not there"
    if script.loss:
        assert course.lost
    for _ in range(50):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


async def test_where_nothing_is_lost_nobody_asks_for_anything() -> None:
    course = await run(Script(), 1.5)
    assert (course.lost, course.nacks, course.wrong) == (0, 0, 0)


async def test_lost_packets_are_asked_for_again() -> None:
    course = await run(Script(loss=0.1), 2, after=20)
    assert course.lost
    assert course.nacks + course.plis > 0
