"""The output that shows a session as a camera to other programs on this computer."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from livefake.clock import Clock
from livefake.errors import LivefakeError
from livefake.media.virtualcam.choose import open_camera, why_no_camera
from livefake.media.virtualcam.device import CameraSink, OpenDevice
from livefake.outputs import MakeOutput, Output, Reading, Taps
from livefake.trust.consent import Output as Shown

__all__ = ["NAME", "VirtualCamera", "camera_in"]

NAME: Final = "livefake"
"""Of the camera, where the target gives none."""
_LONGEST: Final = 40
_FAREWELL: Final = 7.0


class VirtualCamera:
    """One run of a virtual camera.

    Args:
        taps: where the pictures come from.
        name: of the camera.
        open: makes the device.
        clock: the service's monotonic clock.

    Raises:
        ConsentError: a real person's face is worn, and the grant does not cover virtual cameras.
    """

    def __init__(self, taps: Taps, name: str, open: OpenDevice, *, clock: Clock) -> None:
        self._session = taps.session
        self._loop = asyncio.get_running_loop()
        self._end: asyncio.Future[None] = self._loop.create_future()
        self._gone = asyncio.Event()
        self._closed = False
        taps.session.allow(Shown.VIRTUAL_CAMERA)
        self._sink = CameraSink(name, open, self._ended, clock=clock)
        taps.session.add(self._sink)

    @property
    def place(self) -> str:
        """The name of the camera."""
        return self._sink.name

    def read(self) -> Reading:
        """What it counted."""
        sink = self._sink
        return Reading(sink.shown, sink.dropped, 0, sink.delay_ms, sink.shown > 0 and not self._gone.is_set())

    async def run(self) -> None:
        """Show pictures until ``close`` is called.

        Raises:
            LivefakeError: there can be no camera, or it was taken away.
        """
        await self._end

    async def close(self) -> None:
        """Take the camera away. Safe to call twice."""
        if not self._closed:
            self._closed = True
            self._session.disallow(Shown.VIRTUAL_CAMERA)
        await self._session.remove(self._sink)
        await self._sink.close()
        # The camera's program may be being compiled; the thread ends by itself then.
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await self._gone.wait()

    def _ended(self, problem: LivefakeError | None) -> None:
        """On the sink's thread."""
        with suppress(RuntimeError):  # the service has ended meanwhile
            self._loop.call_soon_threadsafe(self._settle, problem)

    def _settle(self, problem: LivefakeError | None) -> None:
        self._gone.set()
        if self._end.done():
            return
        if problem is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(problem)
            # Nobody may be waiting any more, and what is told by the report is no news.
            self._end.exception()


def camera_in(cache: Path, clock: Clock) -> MakeOutput:
    """What makes virtual cameras.

    Args:
        cache: livefake's cache folder, for the compiled program.
        clock: the service's monotonic clock.
    """

    def make(taps: Taps, target: str) -> Output:
        refusals = why_no_camera(cache)
        if len(refusals) > 1:
            raise LivefakeError(f"There can be no virtual camera here. {' '.join(refusals)}")
        name = target.strip()[:_LONGEST] or NAME
        return VirtualCamera(taps, name, partial(open_camera, cache, name), clock=clock)

    return make
