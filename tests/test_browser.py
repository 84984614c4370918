"""The whole path in a real Chromium: camera in, swapped, labelled and marked picture out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright

from benchmarks.browser import Server, chromium, go_live, grab, write_camera
from livefake.frame import Frame
from livefake.media.picture import to_frame
from livefake.resources import models_folder
from livefake.trust.provenance import State, read_provenance
from livefake.trust.watermark.detect import Detector
from tests.browserkit import REAL_BROWSER, hear, labelled, stop
from tests.footage import CLIP, footage
from tests.identity import descriptor, distance

pytestmark = [
    *REAL_BROWSER,
    pytest.mark.models,
]

PERSONA = "edgar"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that must not complain."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    fresh = context.new_page()
    complaints = hear(fresh)
    yield fresh
    context.close()
    assert complaints == []


def test_the_returned_picture_is_swapped_labelled_and_marked_at_20_frames_a_second(page: Page, server: Server) -> None:
    go_live(page, server.url, persona=PERSONA)
    # Whatever else the machine does for a moment, it must manage the rate for one window of five seconds.
    rates: list[float] = []
    while len(rates) < 6 and max(rates, default=0) < 20:
        before = page.evaluate("livefake.stats()")
        page.wait_for_timeout(5000)
        after = page.evaluate("livefake.stats()")
        rates.append((after["remoteFrames"] - before["remoteFrames"]) / 5)
    assert max(rates) >= 20
    assert (after["width"], after["height"]) == (640, 360)
    pictures = []
    for _ in range(40):
        pictures.append(grab(page, "#remote"))
        page.wait_for_timeout(60)
    stop(page)

    performer = descriptor(footage(1)[0].bgr())
    persona = descriptor(np.asarray(cv2.imread(str(models_folder() / "personas" / PERSONA / "face.png")), np.uint8))
    assert performer is not None
    assert persona is not None
    seen = [found for picture in pictures[::4] if (found := descriptor(picture)) is not None]
    assert len(seen) >= 6
    assert np.median([distance(found, persona) for found in seen]) < 0.5
    assert np.median([distance(found, performer) for found in seen]) > 0.6

    for picture in pictures:
        assert labelled(picture)

    detector = Detector()
    for picture in pictures:
        detector.add(Frame.from_bgr(picture).y)
    reading = detector.read()
    assert reading.present
    assert reading.payload is not None


def test_obs_gets_the_picture_alone_without_a_cookie(page: Page, browser: Browser, server: Server) -> None:
    go_live(page, server.url)
    address = page.input_value("#view-url")
    assert server.token not in address
    stranger = browser.new_context(viewport={"width": 640, "height": 360})
    view = stranger.new_page()
    view.goto(address)
    for _ in range(100):
        if view.evaluate("document.querySelector('video').videoWidth") == 640:
            break
        view.wait_for_timeout(100)
    view.wait_for_timeout(500)
    shown = grab(view, "video")
    assert shown.shape == (360, 640, 3)
    assert shown.std() > 10
    assert view.evaluate("document.body.innerText.trim()") == ""
    stranger.close()
    stop(page)


def test_a_newcomer_without_a_camera_tries_the_clip(page: Page, server: Server) -> None:
    go_live(page, server.url, source="clip")
    page.click(f"label:has(input[name=live-persona][value={PERSONA}])")
    page.wait_for_timeout(1500)
    stats = page.evaluate("livefake.stats()")
    assert stats["state"] == "live"
    assert stats["remoteFrames"] > 10
    stop(page)


def test_a_recording_has_a_red_sign_and_ends_as_a_signed_film(page: Page, server: Server, data: Path) -> None:
    go_live(page, server.url, source="clip")
    assert not page.is_visible("#rec")
    page.click("#record")
    page.wait_for_selector("#rec:visible")
    assert page.inner_text("#record") == "Stop recording"
    red, green, blue = page.evaluate("getComputedStyle(document.querySelector('#rec')).backgroundColor.match(/\\d+/g)")
    assert int(red) > 3 * max(int(green), int(blue))
    page.wait_for_timeout(2500)
    with page.expect_download() as download:
        page.click("#snapshot")
    still = data / "still.jpg"
    download.value.save_as(still)
    page.click("#record")
    page.wait_for_selector("#kept:has-text('saved and signed')")
    assert not page.is_visible("#rec")
    said = page.inner_text("#kept")
    stop(page)
    [film] = (data / "recordings").iterdir()
    assert str(film) in said
    trusted = (data / "provenance" / "root.pem").read_text()
    detector = Detector()
    with av.open(str(film)) as container:
        for picture in container.decode(video=0):
            detector.add(to_frame(picture, 0).y)
    seen = {read_provenance(path, trusted=trusted) for path in (film, still)}
    assert {found.state for found in seen} == {State.VALID}
    assert {found.payload for found in seen} == {detector.read().payload}


def test_nothing_starts_without_consent(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.wait_for_selector("#consent")
    page.click("#go", force=True)
    page.wait_for_timeout(500)
    assert page.evaluate("livefake.stats().state") == "setup"


def test_when_the_face_vanishes_the_browser_sees_the_card_and_never_the_camera(
    playwright: Playwright, server: Server, tmp_path: Path
) -> None:
    camera = tmp_path / "camera.y4m"
    write_camera(CLIP, camera, (640, 360), frames=150, empty=range(75, 150))
    with chromium(playwright, camera) as browser:
        page = browser.new_page()
        go_live(page, server.url, persona=PERSONA)
        states, pictures = set(), []
        for _ in range(60):
            states.add(page.evaluate("livefake.stats().state"))
            pictures.append(grab(page, "#remote"))
            page.wait_for_timeout(100)
        stop(page)
    # The card's own state lasts 0.8 s before a person is asked to resume: a busy page may not see it, its pictures do.
    assert "live" in states
    assert states & {"card", "paused"}
    cards = 0
    for picture in pictures:
        assert labelled(picture), "no picture without the label"
        # The empty camera is one flat grey; the card is dark, the room of the clip is neither.
        middle = picture[100:330, 40:600].reshape(-1, 3)
        assert not (middle.std() < 12 and 100 < middle.mean() < 156), "the camera's own picture got out"
        cards += bool(middle.mean() < 60)
    assert cards >= 3


def test_a_full_house_is_told_and_a_browser_that_leaves_makes_room(browser: Browser, server: Server) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    first, second = (context.new_page() for context in contexts)
    go_live(first, server.url)
    second.goto(server.url)
    second.check("#consent")
    second.click("#go")
    second.wait_for_selector("#banner:visible")
    assert "place" in second.inner_text("#banner")
    contexts[0].close()
    second.wait_for_timeout(6000)
    go_live(second, server.url)
    contexts[1].close()


def test_the_page_works_with_the_keyboard_and_on_a_phone(browser: Browser, server: Server, tmp_path: Path) -> None:
    context = browser.new_context(viewport={"width": 375, "height": 812})
    phone = context.new_page()
    phone.goto(server.url)
    phone.wait_for_selector("#consent")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 375
    phone.focus("#consent")
    phone.keyboard.press("Space")
    assert phone.is_checked("#consent")
    phone.focus("#go")
    phone.keyboard.press("Enter")
    for _ in range(150):
        if phone.evaluate("livefake.stats().state") == "live":
            break
        phone.wait_for_timeout(100)
    assert phone.evaluate("livefake.stats().state") == "live"
    assert phone.evaluate("document.documentElement.scrollWidth") <= 375
    context.close()
