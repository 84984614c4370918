"""Scripted paths between a page in Chromium and the service."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route

from livefake.media.webrtc.scripted import ScriptedPath

__all__ = ["Detour", "detour"]

_ADDRESS = re.compile(r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) \d+ typ host", re.IGNORECASE)


class Detour:
    """Leads every connection of a page's session over a scripted path of its own.

    Attributes:
        paths: in the order of the connections.
    """

    def __init__(self, page: Page, loop: asyncio.AbstractEventLoop, host: str) -> None:
        self.paths: list[ScriptedPath] = []
        self._loop = loop
        self._host = host
        page.route(re.compile(r"/api/sessions(/[^/]+/connection)?$"), self._redirect)

    def _redirect(self, route: Route) -> None:
        if route.request.method not in ("POST", "PUT"):
            # What is found later would lead past the path.
            route.fulfill(status=204)
            return
        path = asyncio.run_coroutine_threadsafe(ScriptedPath.open(self._host), self._loop).result(5)
        self.paths.append(path)
        body = json.loads(route.request.post_data or "{}")
        response = route.fetch(post_data=json.dumps({**body, "sdp": path.offer(body["sdp"])}))
        answer = response.json()
        if "sdp" in answer:
            answer["sdp"] = path.answer(answer["sdp"])
        route.fulfill(response=response, json=answer)


@contextmanager
def detour(page: Page, host: str) -> Iterator[Detour]:
    """Lead a page's connections over scripted paths.

    Args:
        page: one that has not connected yet.
        host: address of this machine that browser and service both use.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="scripted paths")
    thread.start()
    made = Detour(page, loop, host)
    try:
        yield made
    finally:
        for path in made.paths:
            loop.call_soon_threadsafe(path.close)
        # Closing a socket takes one more turn of the loop.
        loop.call_soon_threadsafe(loop.call_later, 0.05, loop.stop)
        thread.join()
        loop.close()
