"""The panel about stream keys in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import Server, chromium, missing, serve

pytestmark = [
    pytest.mark.browser,
    pytest.mark.models,
    pytest.mark.slow,
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


@pytest.fixture
def page() -> Iterator[Page]:
    """A page that must not complain."""
    complaints: list[str] = []
    with sync_playwright() as playwright, chromium(playwright) as browser:
        fresh = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        fresh.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        fresh.on("pageerror", lambda error: complaints.append(str(error)))
        yield fresh
    assert complaints == []


def test_a_key_needs_a_tick_is_shown_once_and_can_be_revoked(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.wait_for_selector("input[name=persona]", state="attached")
    page.click("#keys summary")
    page.wait_for_selector("#key-list:has-text('no stream key')")
    page.click("#key-make")
    page.wait_for_selector("#consent-missing:visible")
    assert not page.is_visible("#key-made")
    page.check("#consent")
    page.select_option("#key-minutes", "240")
    page.click("#key-make")
    page.wait_for_selector("#key-made:visible")
    assert not page.is_checked("#consent"), "a yes counts once"
    address, secret = page.input_value("#key-server"), page.input_value("#key-secret")
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/sdp"}
    assert httpx.post(address, content="hello", headers=headers).status_code == 422, "the key opens"
    page.wait_for_selector("#key-list:has-text('Not used')")
    page.click("#key-list button")
    page.wait_for_selector("#key-made", state="hidden")
    page.wait_for_selector("#key-list:has-text('no stream key')")
    assert page.input_value("#key-secret") == ""
    assert httpx.post(address, content="hello", headers=headers).status_code == 401
