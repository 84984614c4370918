"""A real Chromium whose network fails: the session goes on over another connection."""

from __future__ import annotations

import time

import pytest
from aioice.ice import get_host_addresses
from playwright.sync_api import Browser, Page

from benchmarks.browser import Server, go_live
from benchmarks.detour import detour
from livefake.media.webrtc.scripted import DOWN
from tests.browserkit import REAL_BROWSER, stop

pytestmark = [
    *REAL_BROWSER,
    pytest.mark.models,
]


def until(page: Page, state: str, seconds: float) -> float:
    """Wait for the page's state; returns the seconds it took."""
    begun = time.monotonic()
    while page.evaluate("livefake.stats().state") != state:
        assert time.monotonic() - begun < seconds, f"the page is {page.evaluate('livefake.stats()')}"
        page.wait_for_timeout(20)
    return time.monotonic() - begun


def test_a_dropped_connection_is_made_again_under_the_same_consent(browser: Browser, server: Server) -> None:
    [host, *_] = get_host_addresses(use_ipv4=True, use_ipv6=False)
    page = browser.new_context(viewport={"width": 1280, "height": 860}).new_page()
    with detour(page, host) as way:
        go_live(page, server.url)
        link = page.input_value("#view-url")
        [path] = way.paths
        begun = time.monotonic()
        path.script = DOWN
        noticed = until(page, "reconnecting", 10)
        assert page.inner_text("#badge") == "Reconnecting…"
        assert page.is_visible("#cover")
        until(page, "live", 20)
        took = time.monotonic() - begun
        print(f"noticed after {noticed:.2f} s, live again after {took:.2f} s")
        before = page.evaluate("livefake.stats().remoteFrames")
        page.wait_for_timeout(1500)
        assert page.evaluate("livefake.stats().remoteFrames") > before + 5
        assert page.evaluate("livefake.stats().state") == "live"
        assert page.input_value("#view-url") == link
        assert len(way.paths) >= 2
        assert not page.is_visible("#banner")
        stop(page)
