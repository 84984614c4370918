"""What one session keeps: its newest picture, and a recording while there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from livefake.errors import ConsentError, LivefakeError, NotFound
from livefake.media.recorder import Phase, Recorder, Recording
from livefake.media.recordings import Recordings
from livefake.trust.consent import Output
from livefake.trust.gate import ConsentGate
from livefake.trust.seal import Sealed
from livefake.trust.watermark import Payload

__all__ = ["Take"]


class Take:
    """The sink of a session that keeps something; starting, stopping and changing clothes may come from any thread.

    A recording is made under one grant at most, the one of the person whose face was worn when it began, and that
    person's gate watches over it.

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
            self._recorder = self._folder().start(self._payload, "" if watching is None else watching.grant)
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
        """Take the newest picture. Returns at once."""
        self._newest = sealed
        if self._recorder is not None:
            self._recorder.show(sealed)

    async def close(self) -> None:
        """End the recording. Safe to call twice."""
        self._newest = None
        if self._recorder is not None:
            await self._recorder.close()

    def _folder(self) -> Recordings:
        if self._recordings is None:
            raise LivefakeError("This service keeps nothing.", "Start it with livefake serve.")
        return self._recordings
