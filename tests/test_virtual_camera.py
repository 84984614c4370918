"""The virtual camera: on a real PipeWire, seen by a real browser."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from playwright.async_api import async_playwright

from benchmarks.browser import chromium_path, missing
from livefake.clock import monotonic
from livefake.errors import LivefakeError
from livefake.frame import Bytes
from livefake.media.virtualcam.build import build_helper, why_not
from livefake.media.virtualcam.choose import open_camera, why_no_camera
from livefake.media.virtualcam.device import CameraSink
from livefake.outputs import OutputKind, Outputs, OutputState
from livefake.ways.camera import camera_in
from tests.desktopkit import missing_desktop, pipewire, portal
from tests.streamkit import Show, card, playing

desktop = pytest.mark.skipif(bool(missing_desktop()), reason=missing_desktop())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with pipewire(tmp_path_factory.mktemp("desktop")) as environment, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", environment["XDG_RUNTIME_DIR"])
        yield environment


@pytest.fixture
async def outputs(cache: Path) -> AsyncIterator[tuple[Show, Outputs]]:
    async with playing(Show()) as show:
        made = Outputs(show.taps, {OutputKind.VIRTUAL_CAMERA: camera_in(cache, monotonic)}, clock=monotonic)
        try:
            yield show, made
        finally:
            await made.close()


async def runs(outputs: Outputs) -> None:
    async with asyncio.timeout(30):
        while (report := outputs.reports()[0]).state is not OutputState.RUNNING:
            assert not report.problem, report.problem
            await asyncio.sleep(0.05)


def nodes(environment: dict[str, str]) -> list[str]:
    dump = subprocess.run(["pw-dump"], env=environment, capture_output=True, check=True).stdout
    found = [entry for entry in json.loads(dump) if entry["type"] == "PipeWire:Interface:Node"]
    properties = [entry["info"]["props"] for entry in found]
    return [each["node.name"] for each in properties if each.get("media.class") == "Video/Source"]


_LOOK = """async () => {
  // The browser hears of cameras a little after its start.
  const ask = (left) => navigator.mediaDevices.getUserMedia({video: true}).catch(async (error) => {
    if (!left || error.name !== 'NotFoundError') throw error;
    await new Promise((done) => setTimeout(done, 500));
    return ask(left - 1);
  });
  const stream = await ask(30);
  const video = document.createElement('video');
  video.muted = true; video.srcObject = stream; document.body.append(video);
  await video.play();
  await new Promise((done) => setTimeout(done, 1500));
  const context = document.createElement('canvas').getContext('2d');
  context.drawImage(video, 0, 0, 300, 150);
  const grey = (x) => context.getImageData(x, 75, 1, 1).data[1];
  return {label: stream.getVideoTracks()[0].label, size: [video.videoWidth, video.videoHeight],
          left: grey(75), right: grey(225)};
}"""


@desktop
@pytest.mark.programs
@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(bool(missing()), reason=missing())
async def test_a_browser_finds_the_camera_and_sees_the_sealed_picture(
    environment: dict[str, str], outputs: tuple[Show, Outputs], tmp_path: Path
) -> None:
    show, made = outputs
    made.add(OutputKind.VIRTUAL_CAMERA, "livefake")
    await runs(made)
    page_file = tmp_path / "page.html"
    page_file.write_text("<!doctype html><title>camera</title><body>")
    with portal(environment):
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium_path(),
                headless=False,
                env=dict(environment),
                args=[
                    "--no-sandbox",
                    "--disable-gpu",
                    "--enable-features=WebRtcPipeWireCamera",
                    "--use-fake-ui-for-media-stream",
                ],
            )
            page = await browser.new_page()
            await page.goto(page_file.as_uri())
            seen = await asyncio.wait_for(page.evaluate(_LOOK), 45)
            await browser.close()
    assert seen["label"] == "livefake"
    assert seen["size"] == [320, 240]
    # 200 of 16..235 is 214 of 0..255.
    assert (abs(seen["left"] - 214) < 12, seen["right"] < 12) == (True, True)
    assert show.allowed == ["virtual-camera"]


@desktop
@pytest.mark.programs
async def test_the_camera_comes_goes_and_keeps_its_size(
    environment: dict[str, str], outputs: tuple[Show, Outputs]
) -> None:
    show, made = outputs
    report = made.add(OutputKind.VIRTUAL_CAMERA, "another name")
    await runs(made)
    assert nodes(environment) == ["another name"]
    show.size = (640, 360)
    before = made.reports()[0].frames
    async with asyncio.timeout(15):
        while made.reports()[0].frames < before + 5:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.05)
    assert made.reports()[0].restarts == 0
    await made.remove(report.id)
    assert nodes(environment) == []
    assert (show.allowed, show.sinks) == ([], [])


async def test_pictures_are_fitted_into_the_first_ones_size_and_a_failure_is_told() -> None:
    class Device:
        """The edge: a device that takes three pictures."""

        taken: list[tuple[tuple[int, ...], int]] = []  # noqa: RUF012

        def __init__(self, width: int, height: int) -> None:
            assert (width, height) == (320, 240)

        def send(self, i420: Bytes) -> None:
            if len(self.taken) == 3:
                raise LivefakeError("It is full.")
            self.taken.append((i420.shape, int(i420[0, 0])))

        def close(self) -> None:
            self.taken.append(((), 0))

    loop = asyncio.get_running_loop()
    ended: asyncio.Future[LivefakeError | None] = loop.create_future()

    def tell(problem: LivefakeError | None) -> None:
        loop.call_soon_threadsafe(ended.set_result, problem)

    sink = CameraSink("test", Device, tell, clock=monotonic)
    with pytest.raises(TypeError, match="sealed"):
        sink.show(card(200).frame)  # type: ignore[arg-type]
    for count, (width, height) in enumerate([(320, 240), (640, 240), (320, 240), (320, 240)]):
        sink.show(card(200, width=width, height=height))
        async with asyncio.timeout(10):
            while sink.shown < min(count + 1, 3):  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.01)
    assert str(await asyncio.wait_for(ended, 10)) == "It is full."
    shape = (360, 320)
    assert Device.taken == [(shape, 200), (shape, 16), (shape, 200), ((), 0)]
    await sink.close()


def test_where_there_is_no_pipewire_both_refusals_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    refusals = why_no_camera(cache)
    assert "PipeWire does not run" in refusals[0]
    with pytest.raises(LivefakeError, match="no virtual camera here") as raised:
        open_camera(cache, "test", 320, 240)
    assert "PipeWire does not run" in str(raised.value)
    assert "pyvirtualcam" in str(raised.value)


def test_a_missing_compiler_is_told_with_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LivefakeError, match=r"needs cc and pkg-config\. Install them; on Debian: gcc"):
        build_helper(tmp_path / "cache")
    assert why_not(tmp_path / "cache") is not None


def test_pyvirtualcam_is_the_second_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    class Camera:
        """The edge: a device as pyvirtualcam offers it."""

        def __init__(self, width: int, height: int, fps: float, *, fmt: str) -> None:
            assert (width, height, fps, fmt) == (320, 240, 30, "I420")
            self.sent: list[int] = []

        def send(self, i420: Bytes) -> None:
            if self.sent:
                raise RuntimeError("gone")
            self.sent.append(i420.size)

        def close(self) -> None:
            self.sent.clear()

    package = ModuleType("pyvirtualcam")
    package.Camera = Camera  # type: ignore[attr-defined]
    package.PixelFormat = SimpleNamespace(I420="I420")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyvirtualcam", package)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    camera = open_camera(cache, "test", 320, 240)
    camera.send(card(200).frame.i420)
    with pytest.raises(LivefakeError, match="takes no more pictures"):
        camera.send(card(200).frame.i420)
    camera.close()
