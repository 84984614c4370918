from __future__ import annotations

import asyncio
import itertools
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.media.webrtc.scripted import DOWN, Fates, Script, ScriptedPath

HOST = "127.0.0.1"


def arrivals(script: Script, count: int = 20_000, seed: int = 1) -> list[float | None]:
    fates = Fates(seed)
    return [fates.next(script, index * 0.001) for index in range(count)]


@pytest.mark.parametrize(("loss", "burst"), [(0.02, 1), (0.1, 1), (0.05, 8), (0.3, 4)])
def test_as_much_is_lost_as_the_script_says_and_in_runs_of_that_length(loss: float, burst: float) -> None:
    gone = [due is None for due in arrivals(Script(loss=loss, burst=burst))]
    assert sum(gone) / len(gone) == pytest.approx(loss, rel=0.25)
    runs = sum(now and not before for before, now in zip([False, *gone], gone, strict=False))
    assert sum(gone) / runs == pytest.approx(burst / (1 - loss) if burst == 1 else burst, rel=0.2)


@given(st.floats(0, 0.2), st.floats(0, 0.05))
def test_jitter_delays_and_never_reorders(delay: float, jitter: float) -> None:
    script = Script(delay=delay, jitter=jitter)
    due = [each for each in arrivals(script, 200) if each is not None]
    assert len(due) == 200
    assert all(before < now for before, now in itertools.pairwise(due))
    for index, each in enumerate(due):
        assert delay - 1e-9 <= each - index * 0.001 <= delay + jitter + 1e-3


def test_a_reordered_packet_is_overtaken() -> None:
    due = arrivals(Script(reordered=0.1, late=0.01), 1000)
    late = sum(before > now for before, now in itertools.pairwise(due) if before and now)
    assert 50 < late < 150


def test_the_same_seed_tells_the_same_story() -> None:
    script = Script(loss=0.2, burst=3, jitter=0.01, reordered=0.1)
    assert arrivals(script, 500) == arrivals(script, 500)
    assert arrivals(script, 500) != arrivals(script, 500, seed=2)


def description(port: int) -> str:
    lines = [
        "v=0",
        "m=video 9 X 96",
        f"a=candidate:1 1 udp 2 {HOST} {port} typ host",
        "a=candidate:2 1 udp 1 ::1 9 typ host",
    ]
    return "\r\n".join([*lines, "m=audio 9 X 111", f"a=candidate:1 1 udp 2 {HOST} {port} typ host", "a=end"]) + "\r\n"


async def test_each_side_sees_nothing_but_the_path() -> None:
    path = await ScriptedPath.open(HOST)
    loop = asyncio.get_running_loop()
    browser, service = (socket.socket(type=socket.SOCK_DGRAM) for _ in range(2))
    for each in (browser, service):
        each.bind((HOST, 0))
        each.setblocking(False)
    offer = path.offer(description(browser.getsockname()[1]))
    answer = path.answer(description(service.getsockname()[1]))
    assert offer.count("a=candidate") == answer.count("a=candidate") == 2
    assert str(browser.getsockname()[1]) not in offer
    assert str(service.getsockname()[1]) not in answer
    near = int(answer.split(f"{HOST} ")[1].split()[0])
    far = int(offer.split(f"{HOST} ")[1].split()[0])
    await loop.sock_sendto(browser, b"there", (HOST, near))
    assert await asyncio.wait_for(loop.sock_recvfrom(service, 99), 5) == (b"there", (HOST, far))
    await loop.sock_sendto(service, b"back", (HOST, far))
    assert await asyncio.wait_for(loop.sock_recvfrom(browser, 99), 5) == (b"back", (HOST, near))
    path.script = Script(delay=0.001)
    await loop.sock_sendto(browser, b"later", (HOST, near))
    assert (await asyncio.wait_for(loop.sock_recvfrom(service, 99), 5))[0] == b"later"
    path.script = DOWN
    await loop.sock_sendto(browser, b"never", (HOST, near))
    while not path.lost:  # noqa: ASYNC110  (nothing tells when a packet is lost)
        await asyncio.sleep(0.001)
    assert (path.passed, path.lost) == (3, 1)
    path.close()
    for each in (browser, service):
        each.close()
