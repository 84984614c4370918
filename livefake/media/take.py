"""What one session keeps: its newest picture, and a recording while there is one."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable

from livefake.errors import ConsentError, LivefakeError, NotFound
from livefake.media.encode.coder import Format
from livefake.media.encode.feed import Feed
from livefake.media.encode.hub import Broadcast
from livefake.media.recorder import Phase, Recorder, Recording
from livefake.media.recordings import Recordings
from livefake.media.sound.bus import SoundBus, SoundTap
from livefake.trust.consent import Output
from livefake.trust.gate import ConsentGate
from livefake.trust.seal import Sealed
from livefake.trust.watermark import Payload

__all__ = ["Take"]

_log = logging.getLogger(__name__)


class Take:
    """The sink of a session that keeps something; starting, stopping and changing clothes may come from any thread.

    A recording takes the pictures of the session's shared encode, and the sound. Pictures of another size than before
    begin another film. A recording is made under one grant at most, the one of the person whose face was worn when it
    began, and that person's gate watches over it.

    Args:
        recordings: the folder; None where nothing can be kept.
        payload: what the mark in the session's pictures says.
    """

    name = "take"

    def __init__(self, recordings: Recordings | None, payload: Payload) -> None:
        self._recordings = recordings
        self._payload = payload
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._newest: Sealed | None = None
        self._broadcast: Broadcast | None = None
        self._sound: SoundBus | None = None
        self._pumped: Recorder | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    def record_from(self, broadcast: Broadcast, sound: SoundBus) -> None:
        """Tell where recordings get pictures and sound."""
        self._broadcast, self._sound = broadcast, sound

    @property
    def running(self) -> bool:
        """Whether pictures are being recorded."""
        return self._recorder is not None and self._recorder.report().phase is Phase.RECORDING

    @property
    def deepest(self) -> int:
        """Most pictures of the latest recording that ever waited for its encoder."""
        return 0 if self._recorder is None else self._recorder.deepest

    def report(self) -> Recording | None:
        """How the session's latest recording does; None before the first."""
        return None if self._recorder is None else self._recorder.report()

    def start(self, gate: Callable[[], ConsentGate | None]) -> None:
        """Begin to record; nothing changes while a recording runs.

        Args:
            gate: gives what watches over the persona that is worn, None for a fictional one.

        Raises:
            ConsentError: the person's grant does not cover recordings.
            Busy: there is too little room on the disk.
            LivefakeError: nothing can be written, or nothing can be signed.
        """
        with self._lock:
            if self.running:
                return
            watching = gate()
            self._recorder = self._begin("" if watching is None else watching.grant)
            if watching is not None:
                watching.also(Output.RECORDING)

    def stop(self, gate: Callable[[], ConsentGate | None]) -> None:
        """End the recording, if there is one; it is completed and signed meanwhile.

        Args:
            gate: see ``start``.
        """
        with self._lock:
            if self._recorder is not None:
                self._recorder.stop()
            watching = gate()
            if watching is not None:
                watching.no_longer(Output.RECORDING)

    def wear(self, gate: ConsentGate | None, change: Callable[[], None]) -> None:
        """Change the persona, if the recording allows it.

        Args:
            gate: of the new persona, None for a fictional one.
            change: does it.

        Raises:
            ConsentError: a recording runs that was not begun under this person's grant.
        """
        with self._lock:
            if gate is not None and self._recorder is not None and self.running:
                if gate.grant != self._recorder.grant:
                    raise ConsentError(
                        "A recording runs that was not begun with this person's consent.",
                        "End the recording first, then change the persona.",
                    )
                gate.also(Output.RECORDING)
            change()

    def still(self) -> bytes:
        """The newest picture as a signed JPEG.

        Raises:
            NotFound: there is no picture yet.
            ConsentError: it shows a real person whose grant does not cover keeping it.
            LivefakeError: it cannot be signed.
        """
        sealed = self._newest
        if sealed is None:
            raise NotFound("There is no picture yet.", "Try again in a moment.")
        return self._folder().still(sealed, self._payload)

    def show(self, sealed: Sealed) -> None:
        """Take the newest picture. Returns at once; called on the event loop."""
        self._newest = sealed
        recorder = self._recorder
        if recorder is not None and recorder is not self._pumped and self.running and self._broadcast is not None:
            self._pumped = recorder
            feed = self._broadcast.feed(Format.H264, self.name)
            sound = self._sound.tap(self.name) if recorder.sound and self._sound is not None else None
            pump = asyncio.get_running_loop().create_task(self._pump(recorder, feed, sound), name="recording")
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def close(self) -> None:
        """End the recording. Safe to call twice."""
        self._newest = None
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        if self._recorder is not None:
            await self._recorder.close()

    async def _pump(self, recorder: Recorder, feed: Feed, sound: SoundTap | None) -> None:
        """Bring pictures, and the sound that belongs to them, until the recording ends."""
        try:
            while (picture := await feed.take()) is not None and recorder.report().phase is Phase.RECORDING:
                if not recorder.fits(picture):
                    await asyncio.to_thread(self._another, recorder)
                    return
                if recorder.put(picture):
                    feed.ask_for_key_frame()
                while sound is not None and (chunk := sound.peek()) is not None and chunk.arrived <= picture.instant:
                    sound.take_now()
                    recorder.hear(chunk)
        finally:
            feed.close()
            if sound is not None:
                sound.close()

    def _another(self, recorder: Recorder) -> None:
        """End a film whose size no longer fits, and begin another."""
        with self._lock:
            if recorder is not self._recorder or not self.running:
                return
            recorder.stop()
            try:
                self._recorder = self._begin(recorder.grant)
            except LivefakeError as error:
                _log.warning("The recording ended when the picture changed its size: %s", error)
                recorder.stop(f"The recording ended when the picture changed its size. {error}")

    def _begin(self, grant: str) -> Recorder:
        sound = self._sound is not None and self._sound.present
        return self._folder().start(self._payload, grant, sound=sound)

    def _folder(self) -> Recordings:
        if self._recordings is None:
            raise LivefakeError("This service keeps nothing.", "Start it with livefake serve.")
        return self._recordings
