"""The Verify page in a real Chromium."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Playwright

from benchmarks.browser import chromium
from livefake.clock import FakeClock
from livefake.resources import web_folder
from livefake.trust.issuer import issuer_number
from livefake.trust.verifier import NOT_REAL
from livefake.trust.watermark.code import Payload
from tests.browserkit import REAL_BROWSER
from tests.clipkit import note_session, pictures
from tests.grantkit import DURING
from tests.serverkit import TOKEN, House

pytestmark = [
    *REAL_BROWSER,
]

NUMBER = 4711
REFUSED = "status of 422"
"""Chromium writes every refused request on the console, whatever the page does with it."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installation, with the files that are handed in."""
    folder = tmp_path_factory.mktemp("house")
    data = folder / "data"
    payload = Payload(1, issuer_number(data), NUMBER)
    note_session(data, NUMBER, pictures(1, payload), at=DURING)
    cv2.imwrite(str(folder / "marked.jpg"), pictures(1, payload)[0])
    cv2.imwrite(str(folder / "plain.jpg"), cv2.resize(pictures(1)[0], (320, 180)))
    (folder / "notes.txt").write_text("Dear reader")
    return folder


@pytest.fixture(scope="module")
def house(files: Path) -> Iterator[House]:
    """A running service whose page is the real one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        house = House(files, allowed_hosts=(f"127.0.0.1:{port}",), web=web_folder())
        server = uvicorn.Server(uvicorn.Config(house.app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        yield house
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as running:
        yield running


@pytest.fixture(params=[(1280, 860, "dark"), (390, 844, "light")], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest, browser: Browser, house: House) -> Iterator[Page]:
    """The page, reached from the start page; it must not complain."""
    clock = house.service.clock
    assert isinstance(clock, FakeClock)
    clock.advance(60_000)  # earlier tests have used the share of this one
    [address] = house.service.settings.allowed_hosts
    width, height, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    fresh = context.new_page()
    fresh.set_default_timeout(90_000)
    complaints: list[str] = []
    fresh.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    fresh.on("pageerror", lambda error: complaints.append(str(error)))
    fresh.goto(f"http://{address}/?token={TOKEN}")
    fresh.click("nav a[href='/verify']")
    # The load event comes after the page's module has run, so that nothing is handed in before somebody listens.
    fresh.wait_for_url("**/verify", wait_until="load")
    complaints.clear()
    yield fresh
    assert fresh.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it fits the screen"
    context.close()
    assert [one for one in complaints if REFUSED not in one] == []


def verdicts(page: Page) -> list[str]:
    return [str(item.get_attribute("data-verdict")) for item in page.query_selector_all("#answers > li")]


def test_a_marked_picture_gets_six_answers(page: Page, files: Path) -> None:
    page.set_input_files("#file", files / "marked.jpg")
    page.wait_for_selector("#result:visible")
    assert verdicts(page) == ["yes", "yes", "yes", "yes", "yes", "no"]
    assert "A mark was found" in page.inner_text("#summary")
    assert page.evaluate("document.activeElement.id") == "result-title"
    for item in page.query_selector_all("#answers > li"):
        assert item.query_selector("svg[aria-hidden=true]")
        assert item.inner_text().count("\n") >= 2, "each has a title, a verdict in words and a sentence"


def test_nothing_found_never_says_real_and_a_bad_file_is_told(page: Page, files: Path) -> None:
    page.set_input_files("#file", files / "plain.jpg")
    page.wait_for_selector("#result:visible")
    assert page.inner_text("#summary").strip() == NOT_REAL
    assert verdicts(page)[0] == "no"
    page.set_input_files("#file", files / "notes.txt")
    page.wait_for_selector("#banner:visible")
    assert "by its content is none of them" in page.inner_text("#banner")
    assert page.is_hidden("#result")
    assert page.is_hidden("#work")


def test_the_file_is_reached_with_the_keyboard_and_can_be_dropped(page: Page, files: Path) -> None:
    page.keyboard.press("Tab")
    for _ in range(6):
        if page.evaluate("document.activeElement.id") == "file":
            break
        page.keyboard.press("Tab")
    # From here Enter and Space are the browser's own; its window for choosing is not for a test without a screen.
    assert page.evaluate("document.activeElement.id") == "file"
    page.set_input_files("#file", files / "notes.txt")
    page.wait_for_selector("#banner:visible")
    page.evaluate(
        """() => {
            const files = new DataTransfer();
            files.items.add(new File(["Dear reader"], "letter.txt"));
            dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true }));
        }"""
    )
    page.wait_for_selector("#work:visible, #banner:visible")
    page.wait_for_selector("#banner:visible")
