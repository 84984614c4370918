"""A real Chromium whose network fails: the session goes on over another connection."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from aioice.ice import get_host_addresses
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from benchmarks.browser import Server, chromium, go_live, missing, serve, write_camera
from livefake.media.webrtc.scripted import DOWN
from tests.footage import CLIP
from tests.pathkit import detour

pytestmark = [
    pytest.mark.browser,
    pytest.mark.models,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    # Playwright's synchronous interface leaves its event loop to the interpreter's exit.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIVEFAKE_DATA", str(tmp_path_factory.mktemp("data")))
        with serve(["--capacity", "1"]) as running:
            yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    camera = tmp_path_factory.mktemp("camera") / "camera.y4m"
    write_camera(CLIP, camera, (640, 360), frames=240)
    with chromium(playwright, camera) as running:
        yield running


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
        page.click("#stop")
        page.wait_for_selector("#go:visible")
