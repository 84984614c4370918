"""A real OBS plays the transport stream of a live session: what its program shows is swapped, labelled and marked."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from benchmarks.browser import chromium, go_live, grab, serve, write_camera
from benchmarks.browser import missing as missing_browser
from benchmarks.obs import Obs, missing, obs
from livefake.frame import Bytes, Frame
from livefake.resources import models_folder
from livefake.trust.watermark.detect import Detector, Reading
from tests.browserkit import labelled
from tests.footage import CLIP, footage
from tests.identity import descriptor, distance

pytestmark = [
    pytest.mark.browser,
    pytest.mark.models,
    pytest.mark.programs,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing() or missing_browser()), reason=missing() or missing_browser()),
    # Playwright's synchronous interface leaves its event loop to the interpreter's exit.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PERSONA = "edgar"
WIDTH, HEIGHT = 640, 360


@pytest.fixture(scope="module")
def performer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of somebody who is live as Edgar."""
    folder = tmp_path_factory.mktemp("performer")
    camera = folder / "camera.y4m"
    write_camera(CLIP, camera, (WIDTH, HEIGHT), frames=240)
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("LIVEFAKE_DATA", str(folder / "data"))
        with serve(["--capacity", "1"]) as server, chromium(playwright, camera) as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            go_live(page, server.url, persona=PERSONA)
            yield page


@pytest.fixture(scope="module")
def program(performer: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Obs]:
    """OBS with the performer's transport stream as its only source."""
    with obs(tmp_path_factory.mktemp("obs")) as running:
        running.play(performer.input_value("#feed-url"))
        yield running


def pictures(program: Obs, page: Page, count: int) -> tuple[list[Bytes], list[Bytes]]:
    """What OBS shows, once it shows something, and what the performer's page shows then.

    Returns:
        Both (360, 640, 3) uint8 BGR; the source's own size is the upper left of OBS's program.
    """
    for _ in range(300):
        assert page.evaluate("livefake.stats().state") != "lost", page.inner_text("#cover")
        if program.screenshot()[:HEIGHT, :WIDTH].std() > 10:
            break
        page.wait_for_timeout(100)
    else:
        raise TimeoutError("OBS shows nothing of the transport stream")
    shots, returned = [], []
    for _ in range(count):
        page.wait_for_timeout(60)
        shots.append(np.ascontiguousarray(program.screenshot()[:HEIGHT, :WIDTH]))
        returned.append(grab(page, "#remote"))
    return shots, returned


def read_mark(shots: list[Bytes]) -> Reading:
    detector = Detector()
    for shot in shots:
        detector.add(Frame.from_bgr(shot).y)
    return detector.read()


def test_obs_shows_the_swapped_labelled_and_marked_picture(performer: Page, program: Obs) -> None:
    shots, returned = pictures(program, performer, 20)
    own = descriptor(footage(1)[0].bgr())
    persona = descriptor(np.asarray(cv2.imread(str(models_folder() / "personas" / PERSONA / "face.png")), np.uint8))
    assert own is not None
    assert persona is not None
    seen = [found for shot in shots[::3] if (found := descriptor(shot)) is not None]
    assert len(seen) >= 6
    assert np.median([distance(found, persona) for found in seen]) < 0.5
    assert np.median([distance(found, own) for found in seen]) > 0.6

    for shot in shots:
        assert labelled(shot)

    reading = read_mark(shots)
    assert reading.present
    assert reading.payload == read_mark(returned).payload, "the mark of this very session"
    assert len({shot.tobytes() for shot in shots}) > 10, "the picture moves"
