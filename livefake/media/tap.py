"""Where the encoder's output can be looked at: encoded pictures of one stream, in one contiguous run from a key frame.

Encoded pictures build on each other. A tap therefore takes nothing before a key frame, for which it asks the encoder,
and what does not fit ends the run: everything that waits is dropped, and the next key frame begins another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from livefake.clock import Clock, Nanos

__all__ = ["PLACES", "Sent", "Tap", "Ticket"]

PLACES: Final = 60
"""Encoded pictures that may wait: two seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class Sent:
    """An encoded picture as it left the encoder.

    Attributes:
        codec: FFmpeg's name of the decoder.
        data: the picture.
        key: it can be decoded without any other.
        size: (width, height) in pixels.
        card: it is a hold card.
        at: when it was encoded.
    """

    codec: str
    data: bytes
    key: bool
    size: tuple[int, int]
    card: bool
    at: Nanos


class Tap:
    """The run of one stream; filled by the encoder's thread, emptied by a reader's.

    Args:
        clock: stamps the pictures.

    Attributes:
        broken: runs that ended because the reader was too slow.
    """

    def __init__(self, clock: Clock) -> None:
        self.broken = 0
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[Sent] = deque()
        self._stir: Callable[[], None] | None = None
        self._open = False
        self._running = False
        self._closed = False

    @property
    def depth(self) -> int:
        """Pictures that wait."""
        return len(self._waiting)

    @property
    def closed(self) -> bool:
        """Whether the stream is over."""
        return self._closed

    @property
    def wants_key(self) -> bool:
        """Whether the encoder should make its next picture a key frame."""
        return self._open and not self._running

    def open(self, stir: Callable[[], None]) -> None:
        """Take pictures from the next key frame on.

        Args:
            stir: called after each picture, on the encoder's thread; must return at once.
        """
        with self._lock:
            self._stir = stir
            self._open = not self._closed
            self._running = False

    def rest(self) -> None:
        """Take nothing until ``open`` is called again; what waits is dropped."""
        with self._lock:
            self._open = self._running = False
            self._waiting.clear()

    def renew(self) -> None:
        """Drop what waits, and begin again with another key frame."""
        with self._lock:
            self._running = False
            self._waiting.clear()

    def close(self) -> None:
        """The stream is over. Safe to call twice."""
        with self._lock:
            self._open = self._running = False
            self._closed = True
            self._waiting.clear()

    def put(self, codec: str, data: bytes, *, key: bool, size: tuple[int, int], card: bool) -> None:
        """Offer what was just encoded; returns at once."""
        with self._lock:
            self._running = self._open and (self._running or key)
            if not self._running or not data:
                return
            if len(self._waiting) >= PLACES:
                self._waiting.clear()
                self._running = False
                self.broken += 1
                return
            self._waiting.append(Sent(codec, data, key, size, card, self._clock()))
            stir = self._stir
        if stir is not None:
            stir()

    def take(self) -> Sent | None:
        """The oldest picture of the run; None when there is none."""
        with self._lock:
            return self._waiting.popleft() if self._waiting else None


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """What a picture carries through the encoder, so that its code reaches the tap of its own stream.

    FFmpeg's wrapper keeps such an object by its address: every picture needs one of its own.
    """

    tap: Tap
    card: bool
