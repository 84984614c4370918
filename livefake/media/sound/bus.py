"""One microphone, any number of takers: bounded, muted and shifted in one place."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.clock import Nanos, nanos

__all__ = ["CHANNELS", "PIECE", "RATE", "Chunk", "SoundBus", "SoundTap"]

RATE: Final = 48_000
"""Samples a second of all sound in here."""
CHANNELS: Final = 2
PIECE: Final = 960
"""Samples of a usual chunk: 20 ms."""

_PLACES: Final = 100
"""Chunks that may wait: two seconds of 20 ms each."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A little sound.

    Attributes:
        samples: (n, 2) int16, 48 000 a second.
        arrived: when the picture arrived that belongs to its first sample, by the service's monotonic clock.
    """

    samples: NDArray[np.int16] = field(repr=False)
    arrived: Nanos


class SoundTap:
    """Sound for one taker; every method belongs on the event loop. A taker that falls behind loses the oldest."""

    def __init__(self, name: str, leave: Callable[[SoundTap], None], places: int = _PLACES) -> None:
        self.name = name
        self.dropped = 0
        self.closed = False
        self._leave = leave
        self._waiting: deque[Chunk] = deque()
        self._places = places
        self._stirred = asyncio.Event()

    def put(self, chunk: Chunk) -> None:
        """Let a chunk wait. Returns at once."""
        if self.closed:
            return
        if len(self._waiting) >= self._places:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(chunk)
        self._stirred.set()

    def peek(self) -> Chunk | None:
        """The oldest chunk that waits, left where it is; None when none does."""
        return self._waiting[0] if self._waiting else None

    @property
    def newest(self) -> Chunk | None:
        """The newest chunk that waits, left where it is; None when none does."""
        return self._waiting[-1] if self._waiting else None

    def take_now(self) -> Chunk | None:
        """The oldest chunk that waits; None when none does."""
        return self._waiting.popleft() if self._waiting else None

    async def take(self) -> Chunk | None:
        """Wait for the next chunk; None once the tap is closed."""
        while not self._waiting and not self.closed:
            self._stirred.clear()
            await self._stirred.wait()
        return self.take_now()

    def close(self) -> None:
        """Take nothing more and wake the taker. Safe to call twice."""
        if self.closed:
            return
        self.closed = True
        self._waiting.clear()
        self._stirred.set()
        self._leave(self)


class SoundBus:
    """Hands a session's sound to all who take it; every method belongs on the event loop.

    Attributes:
        present: whether there is a microphone, or ever was any sound.
        muted: silence goes out in place of the sound, so that takers keep their time.
        offset_ms: added to the sound's time by hand, milliseconds; positive makes it later.
    """

    def __init__(self) -> None:
        self.present = False
        self.muted = False
        self.offset_ms = 0.0
        self._level = 0.0
        self._taps: list[SoundTap] = []
        self._closed = False

    @property
    def level(self) -> float:
        """How loud the last chunk was that came in, muted or not: root mean square, 0..1."""
        return self._level

    @property
    def taps(self) -> tuple[SoundTap, ...]:
        """Those who take the sound."""
        return tuple(self._taps)

    def put(self, chunk: Chunk) -> None:
        """Hand a chunk to everybody. Returns at once.

        Raises:
            ValueError: it is not (n, 2) int16.
        """
        samples = chunk.samples
        if samples.ndim != 2 or samples.shape[1] != CHANNELS or samples.dtype != np.int16:
            raise ValueError(f"sound should be (n, {CHANNELS}) int16, got {samples.shape} {samples.dtype}")
        if not samples.size:
            return
        self.present = True
        self._level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float32)))) / 32_768
        out = Chunk(np.zeros_like(samples) if self.muted else samples, chunk.arrived + nanos(self.offset_ms))
        for tap in self.taps:
            tap.put(out)

    def tap(self, name: str) -> SoundTap:
        """A new taker's tap.

        Args:
            name: of the taker, for people.
        """
        tap = SoundTap(name, self._taps.remove)
        self._taps.append(tap)
        if self._closed:
            tap.close()
        return tap

    def close(self) -> None:
        """Close every tap. Safe to call twice."""
        self._closed = True
        for tap in self.taps:
            tap.close()
