"""The panel about stream keys in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import Server, chromium
from tests.browserkit import REAL_BROWSER, hear

pytestmark = [
    *REAL_BROWSER,
    pytest.mark.models,
    pytest.mark.slow,
]


@pytest.fixture
def page() -> Iterator[Page]:
    """A page that must not complain."""
    with sync_playwright() as playwright, chromium(playwright) as browser:
        fresh = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        complaints = hear(fresh)
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
