"""An ICE check that was lost because it came too early, beside the stock class."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aioice
import pytest
from aioice import stun

from livefake.media.webrtc.checks import PromptConnection

Pair = tuple[aioice.Connection, aioice.Connection]


@pytest.fixture
async def meet(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[type[aioice.Connection]], Awaitable[Pair]]]:
    """Prepares a browser and a service of a class; the service's first check is lost, and never repeated in time."""
    monkeypatch.setattr(stun, "RETRY_RTO", 60.0)
    ends: list[aioice.Connection] = []

    async def prepared(kind: type[aioice.Connection]) -> Pair:
        browser, service = aioice.Connection(ice_controlling=True), kind(ice_controlling=False)
        ends.extend((browser, service))
        for end in (browser, service):
            end._use_ipv6 = False
            await end.gather_candidates()
        for end, other in ((browser, service), (service, browser)):
            end.remote_username, end.remote_password = other.local_username, other.local_password
            # One address is enough, and there may be several.
            await end.add_remote_candidate(other.local_candidates[0])
            await end.add_remote_candidate(None)
        return browser, service

    yield prepared
    for end in ends:
        await end.close()


def lose_first_check(service: aioice.Connection) -> asyncio.Event:
    """Returns what is set when it is lost."""
    lost = asyncio.Event()
    for protocol in service._protocols:

        def send(message: stun.Message, addr: tuple[str, int], real: Callable[..., None] = protocol.send_stun) -> None:
            if message.message_class is stun.Class.REQUEST and not lost.is_set():
                lost.set()
            else:
                real(message, addr)

        protocol.send_stun = send  # type: ignore[method-assign]
    return lost


async def connect(browser: aioice.Connection, service: aioice.Connection) -> None:
    lost = lose_first_check(service)
    async with asyncio.TaskGroup() as group:
        group.create_task(service.connect())
        await lost.wait()
        group.create_task(browser.connect())


async def test_a_lost_check_is_repeated_when_the_other_end_checks(
    meet: Callable[[type[aioice.Connection]], Awaitable[Pair]],
) -> None:
    browser, service = await meet(PromptConnection)
    await asyncio.wait_for(connect(browser, service), 20)
    await service.send(b"picture")
    assert await asyncio.wait_for(browser.recv(), 20) == b"picture"


async def test_the_stock_class_waits_for_its_timer(
    meet: Callable[[type[aioice.Connection]], Awaitable[Pair]],
) -> None:
    browser, service = await meet(aioice.Connection)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connect(browser, service), 1)
