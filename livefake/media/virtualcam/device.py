"""What a camera device promises, and the sink that keeps one fed on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from livefake.clock import Clock, milliseconds
from livefake.errors import LivefakeError
from livefake.flow.mailbox import Mailbox
from livefake.frame import Bytes
from livefake.media.letterbox import fit
from livefake.trust.seal import Sealed

__all__ = ["CameraSink", "Device", "OpenDevice"]

_PATIENCE: Final = 0.5


class Device(Protocol):
    """A camera of one size that can be seen by other programs. Everything belongs on one thread that may wait."""

    def send(self, i420: Bytes) -> None:
        """Show a picture, (height * 3 // 2, width) uint8. Raises LivefakeError: the camera is gone."""
        ...

    def close(self) -> None:
        """Take the camera away. Safe to call twice."""
        ...


OpenDevice = Callable[[int, int], Device]
"""Makes a camera from its width and height. Raises LivefakeError: it cannot be had."""


class CameraSink:
    """Shows the newest sealed picture on a camera; older ones that wait are dropped.

    The first picture decides the size of the camera, because programs that look at it do not like it to change; others
    are fitted in with bars.

    Args:
        name: of the camera.
        open: makes it, on the sink's thread.
        ended: called on that thread when it ends: with what went wrong, or None after ``close``.
        clock: the service's monotonic clock.

    Attributes:
        shown: pictures that reached the camera.
        delay_ms: from the newest one's arrival until then.
    """

    def __init__(
        self, name: str, open: OpenDevice, ended: Callable[[LivefakeError | None], None], *, clock: Clock
    ) -> None:
        self.shown = 0
        self.delay_ms = 0.0
        self._name = name
        self._open = open
        self._ended = ended
        self._clock = clock
        self._newest: Mailbox[Sealed] = Mailbox()
        self._thread = threading.Thread(target=self._work, name="virtual-camera", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Of the camera."""
        return self._name

    @property
    def dropped(self) -> int:
        """Pictures that a newer one replaced before the camera took them."""
        return self._newest.dropped

    def show(self, sealed: Sealed) -> None:
        """Take the newest picture. Returns at once.

        Raises:
            TypeError: it is not a ``Sealed``.
        """
        if not isinstance(sealed, Sealed):
            raise TypeError(f"a camera takes sealed pictures only, got {type(sealed).__name__}")
        self._newest.put(sealed)

    async def close(self) -> None:
        """Let the thread take the camera away; does not wait for it. Safe to call twice."""
        self._newest.close()

    def _work(self) -> None:
        device: Device | None = None
        size = (0, 0)
        problem: LivefakeError | None = None
        try:
            while not self._newest.closed:
                sealed = self._newest.take(_PATIENCE)
                if sealed is None:
                    continue
                if device is None:
                    size = (sealed.frame.width, sealed.frame.height)
                    device = self._open(*size)
                device.send(fit(sealed.frame, *size))
                self.shown += 1
                self.delay_ms = milliseconds(self._clock() - sealed.frame.arrived)
        except LivefakeError as error:
            problem = error
        finally:
            self._newest.close()
            if device is not None:
                device.close()
            self._ended(problem)
