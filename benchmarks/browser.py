"""A real service and a real Chromium with a fake camera, for benchmarks and end-to-end tests."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Browser, Page, Playwright

from livefake.frame import Bytes

__all__ = [
    "BITS",
    "Server",
    "chromium",
    "chromium_path",
    "go_live",
    "grab",
    "hear_interrupts",
    "missing",
    "read_stamp",
    "serve",
    "stamp",
    "stamp_script",
    "write_camera",
]

BITS = 16
"""Frame numbers that the time code can tell apart, as a power of two."""

_BLOCKS = BITS + 4
_SHARE = 40


@dataclass(frozen=True, slots=True)
class Server:
    """A running service.

    Attributes:
        url: the address that it printed, token included.
        pid: its process.
        token: the secret part of the address.
    """

    url: str
    pid: int

    @property
    def token(self) -> str:
        return self.url.partition("token=")[2]

    def cpu_seconds(self) -> float:
        """Processor time that the process has used (proc(5), fields utime and stime)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serve(arguments: Sequence[str] = (), *, module: str = "livefake", quiet: bool = False) -> Iterator[Server]:
    """Start ``livefake serve`` on a free port; end it with Ctrl-C.

    Args:
        arguments: of the command.
        module: what Python runs; ``benchmarks.named`` names the threads for the system.
        quiet: keep what it logs to itself.

    Raises:
        RuntimeError: it did not print an address, or did not end cleanly.
    """
    command = [sys.executable, "-m", module, "serve", "--port", "0", *arguments]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - takes no lock
        # A group of its own: Ctrl-C on the terminal reaches this process only, which ends the service in its turn.
        process_group=0,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith("http"):
            raise RuntimeError(f"the service printed {line!r} instead of an address")
        yield Server(line, process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
    if code:
        raise RuntimeError(f"the service ended with the exit code {code}")


def hear_interrupts() -> None:
    """For a new process: Ctrl-C ends it, even when this one was started in the background, where shells ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def chromium_path() -> str | None:
    """The system's Chromium or Chrome; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for name in names if (path := shutil.which(name))), None)


def missing() -> str:
    """What a browser test lacks on this machine, with the remedy; empty when nothing is missing."""
    if chromium_path() is None:
        return "there is no Chromium; on Debian: apt install chromium"
    driver, _ = compute_driver_executable()
    if subprocess.run([driver, "--version"], capture_output=True, check=False).returncode:
        return "Playwright's driver does not run; on Debian: apt install libatomic1"
    return ""


@contextmanager
def chromium(playwright: Playwright, camera: Path | None = None, microphone: Path | None = None) -> Iterator[Browser]:
    """Chromium without a window.

    Args:
        playwright: a started Playwright.
        camera: .y4m file that plays as the camera, in a loop; Chromium's test picture if None.
        microphone: .wav file that plays as the microphone, in a loop; Chromium's beeps if None.
    """
    arguments = [
        "--no-sandbox",
        "--headless=new",
        "--disable-gpu",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--disable-background-networking",
        "--autoplay-policy=no-user-gesture-required",
    ]
    if camera is not None:
        arguments.append(f"--use-file-for-fake-video-capture={camera}")
    if microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}")
    browser = playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
    try:
        yield browser
    finally:
        browser.close()


def stamp(luma: Bytes, number: int) -> None:
    """Write a frame number as black and white blocks along the lower edge, in place.

    A white and a black block, the bits from the lowest, a black and a white block; a block is a fortieth of the
    picture's width.

    Args:
        luma: (H, W) uint8.
        number: 0 .. 2 ** BITS - 1.
    """
    side = luma.shape[1] // _SHARE
    bits = [1, 0, *((number >> bit) & 1 for bit in range(BITS)), 0, 1]
    for index, bit in enumerate(bits):
        luma[-side:, index * side : (index + 1) * side] = 235 if bit else 16


def read_stamp(luma: Bytes) -> int:
    """The number that ``stamp`` wrote, -1 where there is none.

    Args:
        luma: (H, W) uint8, of any size.
    """
    height, width = luma.shape
    side = width / _SHARE
    row = luma[int(height - side / 2)]
    bits = [int(row[int((index + 0.5) * side)] > 127) for index in range(_BLOCKS)]
    if (bits[0], bits[1], bits[-2], bits[-1]) != (1, 0, 0, 1):
        return -1
    return sum(bit << place for place, bit in enumerate(bits[2:-2]))


def stamp_script() -> str:
    """JavaScript: a function that reads the number from a video element, -1 where there is none."""
    return f"""
    (() => {{
      const canvas = document.createElement("canvas");
      canvas.width = {_BLOCKS}; canvas.height = 1;
      const context = canvas.getContext("2d", {{ willReadFrequently: true }});
      return (video) => {{
        const side = video.videoWidth / {_SHARE};
        if (!side) return -1;
        context.drawImage(video, 0, video.videoHeight - side * 0.75, side * {_BLOCKS}, side * 0.5, 0, 0, {_BLOCKS}, 1);
        const data = context.getImageData(0, 0, {_BLOCKS}, 1).data;
        const bit = (index) => (data[4 * index] > 127 ? 1 : 0);
        if (!(bit(0) && !bit(1) && !bit({_BLOCKS - 2}) && bit({_BLOCKS - 1}))) return -1;
        let number = 0;
        for (let index = 0; index < {BITS}; index += 1) number |= bit(index + 2) << index;
        return number;
      }};
    }})()
    """


def write_camera(
    clip: Path,
    target: Path,
    size: tuple[int, int],
    *,
    frames: int,
    stamped: bool = False,
    empty: Container[int] = (),
    change: Callable[[Bytes], Bytes] | None = None,
) -> None:
    """Turn a clip into a file that Chromium plays as a camera.

    Args:
        clip: any video.
        target: .y4m file to write (YUV4MPEG2, 4:2:0, 30 frames a second).
        size: width and height, even.
        frames: how many; the clip starts again when it ends.
        stamped: whether each frame carries its number.
        empty: numbers of frames that are a flat grey instead, as if nobody were there.
        change: makes another (H * 3 // 2, W) picture of each of the clip's.
    """
    width, height = size
    pictures: list[Bytes] = []
    with av.open(str(clip)) as container:
        for picture in container.decode(video=0):
            scaled = picture.reformat(width, height, "yuv420p", interpolation="AREA")
            i420 = np.ascontiguousarray(scaled.to_ndarray(), np.uint8)
            pictures.append(i420 if change is None else change(i420))
            if len(pictures) == frames:
                break
    with target.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(frames):
            # There and back again: the loop has no cut in it, which would look like another performer.
            place = number % (2 * len(pictures))
            frame = pictures[place if place < len(pictures) else 2 * len(pictures) - 1 - place].copy()
            if number in empty:
                frame.fill(128)
            if stamped:
                stamp(frame[:height], number)
            file.write(b"FRAME\n")
            file.write(frame.tobytes())


def go_live(
    page: Page, url: str, *, source: str = "camera", persona: str | None = None, microphone: bool = False
) -> None:
    """Walk through the page as a person does, until the returned picture is live.

    Raises:
        TimeoutError: it did not go live within 20 seconds.
    """
    page.goto(url)
    page.check(f"input[name=source][value={source}]", force=True)
    if persona is not None:
        page.check(f"input[name=persona][value={persona}]", force=True)
    if microphone:
        page.select_option("#microphone", "default")
    page.check("#consent")
    page.click("#go")
    for _ in range(200):
        if page.evaluate("livefake.stats().state") == "live":
            return
        page.wait_for_timeout(100)
    raise TimeoutError(f"the page is {page.evaluate('livefake.stats().state')} after 20 s")


def grab(page: Page, selector: str) -> Bytes:
    """What a video element shows now: (height, width, 3) uint8 BGR at the stream's own size."""
    # A connection that is being made anew has no picture for a moment.
    page.wait_for_function("(selector) => document.querySelector(selector).videoWidth > 0", arg=selector)
    data = page.evaluate(
        """(selector) => {
            const video = document.querySelector(selector);
            const canvas = document.createElement("canvas");
            canvas.width = video.videoWidth;
            canvas.height = video.videoHeight;
            canvas.getContext("2d").drawImage(video, 0, 0);
            return canvas.toDataURL("image/png").split(",")[1];
        }""",
        selector,
    )
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise RuntimeError(f"{selector} shows nothing")
    return np.asarray(picture, np.uint8)
