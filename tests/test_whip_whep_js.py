"""The npm package whip-whep in a real Chromium, on a page of another site: it publishes, and others play."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import cv2
import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from benchmarks.browser import Server, grab
from livefake.frame import Bytes, Frame
from livefake.resources import models_folder
from livefake.trust.watermark.detect import Detector
from tests.browserkit import REAL_BROWSER, hear, labelled
from tests.footage import footage
from tests.identity import descriptor, distance
from tests.npmkit import unpacked

pytestmark = [*REAL_BROWSER, pytest.mark.programs, pytest.mark.models, pytest.mark.slow]

PERSONA = "edgar"
REFUSED: Final = "status of 401"
"""Chromium writes every refused request on the console, whatever the page does with it."""

PAGE: Final = """<!doctype html><link rel="icon" href="data:,"><title>player</title>
<video autoplay muted playsinline></video>
<script type="module">
import { WHIPClient } from "./whip.js";
import { WHEPClient } from "./whep.js";
const video = document.querySelector("video");
globalThis.publish = async (url, key) => {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360 }, audio: true });
  globalThis.pc = new RTCPeerConnection();
  for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: "sendonly" });
  globalThis.client = new WHIPClient();
  await client.publish(pc, url, key);
};
globalThis.play = async (url) => {
  globalThis.pc = new RTCPeerConnection();
  pc.addTransceiver("video", { direction: "recvonly" });
  pc.addTransceiver("audio", { direction: "recvonly" });
  video.srcObject = new MediaStream();
  pc.ontrack = ({ track }) => video.srcObject.addTrack(track);
  globalThis.client = new WHEPClient();
  await client.view(pc, url);
};
globalThis.decoded = async () => {
  const stats = pc.signalingState === "closed" ? [] : [...(await pc.getStats()).values()];
  return stats.find(({ type, kind }) => type === "inbound-rtp" && kind === "video")?.framesDecoded ?? 0;
};
globalThis.ready = true;
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another site than the service's own, with the package on its page: what is answered has to be allowed to it."""
    folder = tmp_path_factory.mktemp("npm")
    sha512 = "CP+Tht3O/N6QLebW5LxsNKgzFN5KX6WinLr1SLs74feagYu+Gqy+0dw48p5RQuE+FlrM4xyOlOdW2UOQwljImA=="
    if lacking := unpacked("whip-whep", "1.2.0", sha512, folder):
        pytest.skip(lacking)
    (folder / "package" / "index.html").write_text(PAGE)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder / "package"))) as files:
        thread = threading.Thread(target=files.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{files.server_port}/"
        files.shutdown()
        thread.join()


@pytest.fixture
def visit(browser: Browser, site: str) -> Iterator[Callable[[], Page]]:
    """Opens that page, for somebody else each time; none of them may complain."""
    heard: list[list[str]] = []
    contexts = []

    def opened() -> Page:
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        page.goto(site)
        heard.append(hear(page))
        page.wait_for_function("globalThis.ready")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [complaint for complaints in heard for complaint in complaints if REFUSED not in complaint] == []


@pytest.fixture
def service(server: Server) -> Iterator[httpx.Client]:
    base = server.url.partition("/?")[0]
    with httpx.Client(base_url=base, headers={"Authorization": f"Bearer {server.token}"}, timeout=30) as client:
        yield client


@pytest.fixture
def key(service: httpx.Client) -> Iterator[dict[str, Any]]:
    consent = {"notice": service.get("/api/notice").json()["id"], "accepted": True}
    answer = service.post("/api/keys", json={"persona": PERSONA, "consent": consent})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    yield body
    service.delete(f"/api/keys/{body['entry']['id']}")


def until(page: Page, fits: Callable[[], bool], what: str) -> None:
    for _ in range(200):
        if fits():
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"after 20 s {what}")


def entry(service: httpx.Client) -> dict[str, Any]:
    [only] = service.get("/api/keys").json()
    return dict(only)


def live(service: httpx.Client, page: Page) -> str:
    """Wait until the one key's session shows swapped pictures; the address for players."""

    def shows() -> bool:
        id = entry(service)["session"]
        return id is not None and service.get(f"/api/sessions/{id}").json()["state"] == "live"

    until(page, shows, "the session is not live")
    return f"{service.base_url}/whep/{entry(service)['view_url'].rpartition('/')[2]}"


def viewers(service: httpx.Client) -> int:
    found = re.search(r"^livefake_viewers_open (\d+)", service.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(found[1])


def plays(page: Page, more: int = 10) -> None:
    """Wait for that many more pictures."""
    before = page.evaluate("decoded()")
    until(page, lambda: page.evaluate("decoded()") >= before + more, f"fewer than {more} pictures came")


def goes_dark(page: Page) -> None:
    """Wait until the player's connection ends and brings nothing any more."""
    until(page, lambda: page.evaluate("pc.connectionState") in ("failed", "closed", "disconnected"), "it is connected")
    before = page.evaluate("decoded()")
    page.wait_for_timeout(700)
    assert page.evaluate("decoded()") == before


def check(pictures: list[Bytes]) -> None:
    """Swapped, labelled and marked."""
    performer = descriptor(footage(1)[0].bgr())
    persona = descriptor(np.asarray(cv2.imread(str(models_folder() / "personas" / PERSONA / "face.png")), np.uint8))
    assert performer is not None
    assert persona is not None
    seen = [found for picture in pictures[::6] if (found := descriptor(picture)) is not None]
    assert len(seen) >= 3
    assert np.median([distance(found, persona) for found in seen]) < 0.5
    assert np.median([distance(found, performer) for found in seen]) > 0.6
    detector = Detector()
    for picture in pictures:
        assert labelled(picture)
        detector.add(Frame.from_bgr(picture).y)
    assert detector.read().present


def test_it_publishes_and_plays_and_a_second_viewer_comes_and_goes(
    visit: Callable[[], Page], service: httpx.Client, key: dict[str, Any]
) -> None:
    program, first, second = visit(), visit(), visit()
    program.evaluate("([url, key]) => publish(url, key)", [key["url"], key["key"]])
    address = live(service, program)
    first.evaluate("(url) => play(url)", address)
    plays(first)
    second.evaluate("(url) => play(url)", address)
    plays(second)
    assert viewers(service) == 2
    assert first.evaluate("document.querySelector('video').srcObject.getAudioTracks().length") == 1
    pictures = []
    for _ in range(36):
        pictures.append(grab(second, "video"))
        second.wait_for_timeout(50)
    second.evaluate("client.stop()")
    until(second, lambda: viewers(service) == 1, "the service still counts two viewers")
    plays(first, 20)
    program.evaluate("client.stop()")
    until(program, lambda: entry(service)["session"] is None, "the session goes on without its program")
    goes_dark(first)
    # Only now: it takes a while, in which the machine has nothing left for the stream.
    check(pictures)


def test_a_key_revoked_mid_stream_stops_the_program_and_the_player(
    visit: Callable[[], Page], service: httpx.Client, key: dict[str, Any]
) -> None:
    program, player = visit(), visit()
    program.evaluate("([url, key]) => publish(url, key)", [key["url"], key["key"]])
    player.evaluate("(url) => play(url)", live(service, program))
    plays(player)
    assert service.delete(f"/api/keys/{key['entry']['id']}").status_code == 204
    assert service.get("/api/status").json()["open"] == 0
    goes_dark(player)
    until(program, lambda: program.evaluate("pc.connectionState") != "connected", "the program is connected")
    again = visit()
    refused = again.evaluate("([url, key]) => publish(url, key).then(() => '', String)", [key["url"], key["key"]])
    assert "401" in refused
