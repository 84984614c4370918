"""FFmpeg publishes the demo clip over WHIP, and viewers get it over WHEP: swapped, labelled and marked."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import av
import cv2
import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from benchmarks.browser import Server
from livefake.frame import Frame
from livefake.media.picture import to_frame
from livefake.resources import models_folder
from livefake.trust.watermark.detect import Detector
from tests.browserkit import labelled
from tests.footage import CLIP, footage
from tests.identity import descriptor, distance


def _ffmpeg() -> tuple[str, str]:
    """An FFmpeg that publishes over WHIP; else what is missing."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError:
        return "", "imageio-ffmpeg is not installed; it brings an FFmpeg that knows WHIP"
    program = str(get_ffmpeg_exe())
    known = subprocess.run([program, "-hide_banner", "-muxers"], capture_output=True, text=True, check=False).stdout
    return (program, "") if " whip " in known else (program, f"{program} does not know WHIP")


FFMPEG, MISSING = _ffmpeg()

pytestmark = [
    pytest.mark.programs,
    pytest.mark.models,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
]

PERSONA = "edgar"
SDP = {"Content-Type": "application/sdp"}


@pytest.fixture
async def page(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    base = server.url.partition("/?")[0]
    headers = {"Authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30) as client:
        yield client


async def made(page: httpx.AsyncClient) -> dict[str, Any]:
    notice = (await page.get("/api/notice")).json()
    consent = {"notice": notice["id"], "accepted": True}
    answer = await page.post("/api/keys", json={"persona": PERSONA, "consent": consent})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def key(page: httpx.AsyncClient) -> AsyncIterator[dict[str, Any]]:
    body = await made(page)
    yield body
    await page.delete(f"/api/keys/{body['entry']['id']}")


@contextmanager
def published(key: dict[str, Any], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """FFmpeg, playing the clip over and over in real time."""
    picture = "-vf scale=640:360 -c:v libx264 -preset ultrafast -tune zerolatency -profile:v baseline -bf 0 -g 30"
    sound = "-c:a libopus -ar 48000 -ac 2"
    command = [FFMPEG, "-hide_banner", "-re", "-stream_loop", "-1", "-i", str(CLIP), "-threads", "1"]
    command += [*picture.split(), *sound.split(), "-f", "whip", "-authorization", key["key"], key["url"]]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=dict(os.environ, AV_LOG_FORCE_NOCOLOR="1"),
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


async def until(page: httpx.AsyncClient, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The one key's entry once it fits."""
    for _ in range(150):
        [entry] = (await page.get("/api/keys")).json()
        if fits(entry):
            return dict(entry)
        await asyncio.sleep(0.2)
    raise AssertionError(f"it stayed {entry}")


async def live(page: httpx.AsyncClient) -> dict[str, Any]:
    """The one key's entry once its session shows swapped pictures."""
    entry = await until(page, lambda entry: entry["session"] is not None)
    for _ in range(150):
        state = (await page.get(f"/api/sessions/{entry['session']}")).json()
        if state["state"] == "live":
            return entry
        await asyncio.sleep(0.2)
    raise AssertionError(f"the session stayed {state}")


class Viewer:
    """A WHEP player that keeps what it is shown."""

    def __init__(self) -> None:
        self.pictures: list[Frame] = []
        self.place = ""
        self.ended = asyncio.Event()
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._task: asyncio.Task[None] | None = None

    async def join(self, page: httpx.AsyncClient, entry: dict[str, Any]) -> None:
        transceiver = self._connection.addTransceiver("video", "recvonly")
        await self._connection.setLocalDescription(await self._connection.createOffer())
        path = f"/whep/{entry['view_url'].rpartition('/')[2]}"
        answer = await page.post(path, content=self._connection.localDescription.sdp, headers=SDP)
        assert answer.status_code == 201, answer.text
        self.place = answer.headers["location"]
        await self._connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        self._task = asyncio.create_task(self._look(transceiver.receiver.track))

    async def sees(self, count: int) -> None:
        """Wait for that many more pictures."""
        wanted = len(self.pictures) + count
        for _ in range(600):
            if len(self.pictures) >= wanted:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"the viewer got {len(self.pictures)} pictures, and should have got {wanted}")

    async def close(self) -> None:
        await self._connection.close()
        if self._task is not None:
            await self._task

    async def _look(self, track: Any) -> None:
        try:
            while True:
                picture = await track.recv()
                assert isinstance(picture, av.VideoFrame)
                self.pictures.append(to_frame(picture, 0))
        except MediaStreamError:
            self.ended.set()


@asynccontextmanager
async def viewing(page: httpx.AsyncClient, entry: dict[str, Any]) -> AsyncIterator[Viewer]:
    viewer = Viewer()
    try:
        await viewer.join(page, entry)
        yield viewer
    finally:
        await viewer.close()


def check_pictures(pictures: list[Frame]) -> None:
    performer = descriptor(footage(1)[0].bgr())
    persona = descriptor(np.asarray(cv2.imread(str(models_folder() / "personas" / PERSONA / "face.png")), np.uint8))
    assert performer is not None
    assert persona is not None
    shown = [picture.bgr() for picture in pictures]
    seen = [found for picture in shown[::8] if (found := descriptor(picture)) is not None]
    assert len(seen) >= 3
    assert np.median([distance(found, persona) for found in seen]) < 0.5
    assert np.median([distance(found, performer) for found in seen]) > 0.6
    for picture in shown:
        assert labelled(picture)
    detector = Detector()
    for frame in pictures:
        detector.add(frame.y)
    assert detector.read().present


async def test_viewers_come_and_go_and_a_program_that_stops_ends_its_session(
    page: httpx.AsyncClient, key: dict[str, Any], tmp_path: Path
) -> None:
    with published(key, tmp_path / "log") as program:
        entry = await live(page)
        async with viewing(page, entry) as first:
            await first.sees(5)
            async with viewing(page, entry) as second:
                await second.sees(20)
                assert (await page.delete(second.place)).status_code == 204
            # Longer than the answers would take that FFmpeg does not give, see ``PublisherPeer``.
            await first.sees(80)
            assert (await page.get("/api/status")).json()["open"] == 1
            program.send_signal(signal.SIGINT)
            await until(page, lambda entry: entry["session"] is None)
            await asyncio.wait_for(first.ended.wait(), 20)
    # Only now: it takes a while, in which nobody would answer for the viewers.
    check_pictures(first.pictures[-60:])
    check_pictures(second.pictures)


async def test_a_key_revoked_mid_stream_stops_program_and_viewer(
    page: httpx.AsyncClient, key: dict[str, Any], tmp_path: Path
) -> None:
    with published(key, tmp_path / "log"):
        entry = await live(page)
        async with viewing(page, entry) as viewer:
            await viewer.sees(5)
            assert (await page.delete(f"/api/keys/{entry['id']}")).status_code == 204
            assert (await page.get("/api/status")).json()["open"] == 0
            await asyncio.wait_for(viewer.ended.wait(), 20)
        for _ in range(100):
            if b"Error muxing a packet" in (tmp_path / "log").read_bytes():
                break
            await asyncio.sleep(0.1)
        assert b"Error muxing a packet" in (tmp_path / "log").read_bytes(), "nobody takes what it sends"
    assert (await page.get("/api/keys")).json() == []
