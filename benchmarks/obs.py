"""A real OBS without a screen, driven over its own remote control, for end-to-end tests and delay measurements.

    python -m benchmarks.obs --seconds 20 --json obs.json

A browser performs with a frame number in the picture's lower edge; OBS plays the transport stream; the number in OBS's
screenshot, and when the performer's preview showed the same one, give the delay from preview to OBS.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from playwright.sync_api import sync_playwright
from websockets.sync.client import ClientConnection, connect

from benchmarks.browser import chromium, go_live, read_stamp, serve, stamp_script, write_camera
from livefake.frame import Bytes
from livefake.machine import describe_machine
from livefake.resources import models_folder

__all__ = ["SOURCE", "Obs", "missing", "obs"]

SOURCE: Final[Mapping[str, Any]] = {
    "is_local_file": False,
    "input_format": "mpegts",
    "buffering_mb": 0,
    "reconnect_delay_sec": 1,
    "hw_decode": False,
    "ffmpeg_options": "fflags=nobuffer flags=low_delay probesize=32768 analyzeduration=0",
}
"""Settings of a media source for the least delay, as docs/outputs.md tells them; ``input`` is the address."""

_GLOBAL: Final = """\
[General]
FirstRun=true
LastVersion=486539266
Pre19Defaults=false
Pre21Defaults=false
Pre23Defaults=false
Pre24.1Defaults=false
[BasicWindow]
PreviewEnabled=true
[Basic]
Profile=Untitled
ProfileDir=Untitled
SceneCollection=Untitled
SceneCollectionFile=Untitled
ConfigOnNewProfile=false
[OBSWebSocket]
FirstLoad=false
ServerEnabled=true
ServerPort={port}
AlertsEnabled=false
AuthRequired=false
"""
_PROFILE: Final = """\
[General]
Name=Untitled
[Video]
BaseCX=1280
BaseCY=720
OutputCX=1280
OutputCY=720
FPSType=0
FPSCommon=30
[Output]
Mode=Simple
"""
_START: Final = 60.0
_SIZE: Final = (640, 360)
"""Of the camera: OBS draws with the processor here, on the same two cores as everything else."""
_REQUEST: Final = 6
_HELLO: Final = {"op": 1, "d": {"rpcVersion": 1, "eventSubscriptions": 0}}


def missing() -> str:
    """What a test with OBS lacks on this machine, with the remedy; empty when nothing is missing."""
    for program, package in (("obs", "obs-studio"), ("Xvfb", "xvfb"), ("dbus-run-session", "dbus")):
        if shutil.which(program) is None:
            return f"there is no {program}; on Debian: apt install {package}"
    return ""


class Obs:
    """OBS's remote control (obs-websocket 5, docs/generated/protocol.md of its repository)."""

    def __init__(self, wire: ClientConnection) -> None:
        self._wire = wire
        self._count = 0
        self._read()
        self._wire.send(json.dumps(_HELLO))
        self._read()

    def ask(self, what: str, **fields: Any) -> dict[str, Any]:
        """Send a request and return the fields of the answer.

        Raises:
            RuntimeError: OBS refused.
        """
        self._count += 1
        request = {"requestType": what, "requestId": str(self._count), "requestData": fields}
        self._wire.send(json.dumps({"op": _REQUEST, "d": request}))
        answer = self._read()
        if not answer["requestStatus"]["result"]:
            raise RuntimeError(f"OBS refused {what}: {answer['requestStatus'].get('comment', '')}")
        data: dict[str, Any] = answer.get("responseData") or {}
        return data

    def play(self, address: str, name: str = "feed", **settings: Any) -> None:
        """Show an address with a media source."""
        scene = self.ask("GetCurrentProgramScene")["currentProgramSceneName"]
        chosen = {**SOURCE, "input": address, **settings}
        self.ask("CreateInput", sceneName=scene, inputName=name, inputKind="ffmpeg_source", inputSettings=chosen)

    def screenshot(self) -> Bytes:
        """What the program shows: (720, 1280, 3) uint8 BGR."""
        scene = self.ask("GetCurrentProgramScene")["currentProgramSceneName"]
        answer = self.ask("GetSourceScreenshot", sourceName=scene, imageFormat="jpg", imageCompressionQuality=92)
        data = base64.b64decode(answer["imageData"].partition(",")[2])
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise RuntimeError("OBS gave a screenshot that is no picture")
        return np.asarray(picture, np.uint8)

    def _read(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self._wire.recv(timeout=20))["d"]
        return data


@contextmanager
def obs(folder: Path) -> Iterator[Obs]:
    """Start OBS under a virtual screen, with settings of its own; end it afterwards.

    Args:
        folder: empty; its home.

    Raises:
        RuntimeError: it did not start.
    """
    port = _free_port()
    settings = folder / "home" / ".config" / "obs-studio"
    profile = settings / "basic" / "profiles" / "Untitled"
    profile.mkdir(parents=True)
    (settings / "basic" / "scenes").mkdir()
    (settings / "global.ini").write_text(_GLOBAL.format(port=port))
    (profile / "basic.ini").write_text(_PROFILE)
    runtime = folder / "run"
    runtime.mkdir(mode=0o700)
    # OpenCV points programs of this process's environment to its own Qt.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QT_")}
    environment = inherited | {
        "HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CONFIG_HOME": str(folder / "home" / ".config"),
        "QT_QPA_PLATFORM": "xcb",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "LP_NUM_THREADS": "2",
    }
    with ExitStack() as stack:
        screen = stack.enter_context(_screen())
        log = stack.enter_context((folder / "obs.log").open("w"))
        command = [
            "dbus-run-session",
            "--",
            "obs",
            "--minimize-to-tray",
            "--multi",
            "--disable-shutdown-check",
            "--disable-missing-files-check",
        ]
        stack.enter_context(_process(command, environment | {"DISPLAY": screen}, log.fileno()))
        yield Obs(_wire(stack, port, folder / "obs.log"))


@contextmanager
def _screen() -> Iterator[str]:
    """A virtual X screen; its name."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24", "+extension", "GLX", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=(write,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as screen:
        os.close(write)
        try:
            with os.fdopen(read) as told:
                number = told.readline().strip()
            if not number:
                raise RuntimeError("the virtual screen did not start")
            yield f":{number}"
        finally:
            screen.terminate()


@contextmanager
def _process(command: list[str], environment: Mapping[str, str], log: int) -> Iterator[None]:
    # A group of its own, so that what dbus-run-session starts ends with it.
    with subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True) as process:
        try:
            yield
        finally:
            os.killpg(process.pid, 9)


def _wire(stack: ExitStack, port: int, log: Path) -> ClientConnection:
    """Its remote control, as soon as it has one; the stack closes it."""
    end = time.monotonic() + _START
    while True:
        try:
            return stack.enter_context(connect(f"ws://127.0.0.1:{port}", max_size=None))
        except OSError as error:
            if time.monotonic() > end:
                raise RuntimeError(f"OBS did not start: {log.read_text()[-500:]}") from error
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def measure(seconds: float) -> dict[str, Any]:
    """Perform, play in OBS, and read the delay between the performer's preview and OBS's program.

    Args:
        seconds: how long to measure.

    Returns:
        Plain values: machine, delay percentiles, raw delays.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        playwright = stack.enter_context(sync_playwright())
        camera = folder / "camera.y4m"
        write_camera(models_folder() / "demo" / "performer.mp4", camera, _SIZE, frames=480, stamped=True)
        server = stack.enter_context(serve())
        page = stack.enter_context(chromium(playwright, camera)).new_page(viewport={"width": 1280, "height": 860})
        go_live(page, server.url)
        page.evaluate(_WATCH % stamp_script())
        studio = stack.enter_context(obs(folder / "obs"))
        studio.play(page.input_value("#feed-url"))
        width, height = _SIZE
        # OBS begins in its own time; a source of this size lies in the upper left of its program.
        for _ in range(300):
            if studio.screenshot()[:height, :width].std() > 10:
                break
            page.wait_for_timeout(100)
        else:
            raise RuntimeError("OBS shows nothing of the transport stream")
        page.wait_for_timeout(2000)
        delays: list[float] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = time.time()
            picture = studio.screenshot()
            at = (before + time.time()) / 2
            number = read_stamp(picture[:height, :width, 1])
            shown = page.evaluate("(number) => seen.get(number) ?? 0", number)
            if number >= 0 and 0 < at * 1000 - shown < 8000:
                delays.append(at * 1000 - shown)
            page.wait_for_timeout(130)
    return {
        "machine": describe_machine(),
        "screenshots": len(delays),
        "delay_ms": {name: float(np.percentile(delays, share)) for name, share in (("p50", 50), ("p95", 95))},
        "delays": [round(delay, 1) for delay in delays],
    }


_WATCH: Final = """
(() => {
  const read = %s, video = document.querySelector("#local");
  globalThis.seen = new Map();
  const step = (now, meta) => {
    const number = read(video);
    if (number >= 0) seen.set(number, performance.timeOrigin + meta.expectedDisplayTime);
    video.requestVideoFrameCallback(step);
  };
  video.requestVideoFrameCallback(step);
})()
"""


def main() -> None:
    """Parse the command line, measure, print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path, help="write everything, raw delays included, to this file")
    options = parser.parse_args()
    if lacking := missing():
        raise SystemExit(f"OBS cannot be measured: {lacking}")
    result = measure(options.seconds)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({name: value for name, value in result.items() if name != "delays"}, indent=2))


if __name__ == "__main__":
    main()
