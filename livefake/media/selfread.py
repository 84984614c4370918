"""A thread that decodes what a session's encoders have sent, and reads the session's mark in it."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from livefake.clock import Clock, Nanos, nanos
from livefake.frame import Bytes
from livefake.media.tap import Sent, Tap
from livefake.trust.selfread import MISSES, Allowance, Judge, Step, Window
from livefake.trust.watermark import Payload
from livefake.trust.watermark.detect import Detector

if TYPE_CHECKING:
    from av import VideoCodecContext, VideoFrame

__all__ = ["MarkReads", "SelfReader"]

_log = logging.getLogger(__name__)

_GRACE: Final[Nanos] = nanos(2000)
"""An encoder's first pictures, and those after a change of size, are coarse until it has found its rate."""

_IDLE_SECONDS: Final = 0.25
_NICE: Final = 10
"""Low, but not the lowest: a thread that waits its turn for long while it holds Python's lock stops all others."""


@dataclass(frozen=True, slots=True)
class MarkReads:
    """How often a session's own mark was looked for, and what that took.

    Attributes:
        read: it was there.
        missed: it was not, or it was another one.
        early: it was not, in the first pictures of a stream or of a size; those do not count.
        skipped: runs of pictures that were given up because the processor had no time for them.
        cpu: processor time of all readings, nanoseconds.
        last: when the mark was last read, on the session's clock; None if never.
    """

    read: int = 0
    missed: int = 0
    early: int = 0
    skipped: int = 0
    cpu: Nanos = 0
    last: Nanos | None = None

    def counts(self) -> dict[str, int]:
        """The counts by the name of the result."""
        return {"read": self.read, "missed": self.missed, "early": self.early, "skipped": self.skipped}


class _Stream:
    """What is known about one outgoing stream. For one thread.

    Attributes:
        tap: its encoded pictures.
        judge: what follows from the readings.
        reads: the readings so far.
    """

    def __init__(self, tap: Tap, payload: Payload) -> None:
        self.tap = tap
        self.judge = Judge()
        self.reads = MarkReads()
        self._payload = payload
        self._window = Window()
        self._sum: Detector | None = None
        self._failures = 0
        self._decoder: VideoCodecContext | None = None
        self._codec = ""
        self._kind: tuple[tuple[int, int], bool] | None = None
        self._since: Nanos = 0

    def work(self) -> None:
        """Decode everything that waits, and look at what the window chooses."""
        while (sent := self.tap.take()) is not None:
            self._meet(sent)
            try:
                self._look(self._decode(sent), sent)
            except Exception:  # whatever it is, the mark was not read, and the thread goes on
                _log.exception("A sent picture could not be read back")
                self._give_up(sent)
        if self.tap.broken != self.reads.skipped:
            self.reads = replace(self.reads, skipped=self.tap.broken)
            self._restart()

    def rest(self) -> None:
        """Leave out what comes until the tap is opened again."""
        self.tap.rest()
        self._restart()

    def _restart(self) -> None:
        self._window.restart()
        self._forget()

    def _forget(self) -> None:
        self._sum = None
        self._failures = 0

    def _meet(self, sent: Sent) -> None:
        """Begin anew where pictures change their kind: the sum is of one size, and a reading of one sort."""
        kind = (sent.size, sent.card)
        if self._kind == kind:
            return
        if self._kind is None or self._kind[0] != sent.size:
            self._since = sent.at
        self._kind = kind
        self._restart()

    def _decode(self, sent: Sent) -> Bytes:
        """The luma of a picture, (height, width) uint8."""
        import av
        from av.codec.context import Flags

        if self._decoder is None or self._codec != sent.codec:
            decoder = av.CodecContext.create(sent.codec, "r")
            assert isinstance(decoder, av.VideoCodecContext)
            decoder.flags |= Flags.low_delay
            decoder.thread_count = 1
            self._decoder, self._codec = decoder, sent.codec
        [picture] = self._decoder.decode(av.Packet(sent.data))
        return _luma(picture)

    def _give_up(self, sent: Sent) -> None:
        """What follows builds on what could not be decoded: a miss, and another key frame is needed."""
        self._decoder = None
        self._settle(sent, found=False)
        self._restart()
        self.tap.renew()

    def _look(self, luma: Bytes, sent: Sent) -> None:
        step = self._window.step(sent.at)
        if step is Step.SKIP:
            return
        if self._sum is None:
            # Nearly always one square of one picture is enough, and costs the least.
            if step is Step.READ and self._says(_read(_square(luma))):
                self._settle(sent, found=True)
                return
            self._sum = Detector()
        self._sum.add(luma)
        if step is Step.ADD:
            return
        if self._says(self._sum):
            self._settle(sent, found=True)
        elif step is Step.LAST:
            self._settle(sent, found=False)
            # What is hard to read stays in the sum for the next seconds, but not for so long that it outweighs them.
            self._failures += 1
            if self._failures >= MISSES:
                self._forget()

    def _says(self, detector: Detector) -> bool:
        return detector.read().payload == self._payload

    def _settle(self, sent: Sent, *, found: bool) -> None:
        """Count a reading, and let the judge know."""
        reads = self.reads
        if found:
            self._forget()
            self._window.found()
            self.judge.hit(card=sent.card)
            self.reads = replace(reads, read=reads.read + 1, last=sent.at)
        elif sent.at - self._since < _GRACE:
            self.reads = replace(reads, early=reads.early + 1)
        else:
            self.judge.miss(card=sent.card)
            self.reads = replace(reads, missed=reads.missed + 1)


class SelfReader:
    """Reads the mark of one session's streams about once a second, on a thread of low priority.

    A stream is decoded without a break, from a key frame on, as long as the allowance lasts: 3 % of one core. Where
    decoding takes more than that, all streams rest until it is saved up again, a few seconds, and are asked for
    another key frame. A stream in doubt is never left alone.

    Args:
        payload: what the session's mark says.
        clock: the service's monotonic clock, which also stamps the taps' pictures.
        cpu_clock: processor time of the calling thread.
    """

    def __init__(self, payload: Payload, *, clock: Clock, cpu_clock: Clock = time.thread_time_ns) -> None:
        self._payload = payload
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._allowance = Allowance(clock())
        self._lock = threading.Lock()
        self._streams: tuple[_Stream, ...] = ()
        self._past = MarkReads()
        self._stirred = threading.Event()
        self._resting = False
        self._retry = False
        self._closing = False
        self._thread: threading.Thread | None = None

    @property
    def held(self) -> bool:
        """Whether the mark of a stream that is still open could not be read: nothing but cards may be shown."""
        return any(stream.judge.held for stream in self._open())

    @property
    def lost(self) -> bool:
        """Whether it has failed so often that somebody has to decide; see ``retry``."""
        return any(stream.judge.lost for stream in self._open())

    @property
    def reads(self) -> MarkReads:
        """All readings so far, of streams that are over too."""
        with self._lock:
            return _added(self._past, *(stream.reads for stream in self._streams))

    def watch(self, tap: Tap) -> None:
        """Read that stream too from now on, until its tap is closed."""
        with self._lock:
            self._streams = (*self._streams, _Stream(tap, self._payload))
        if not self._resting:
            tap.open(self._stirred.set)
        self._stirred.set()

    def retry(self) -> None:
        """Let streams that are lost prove themselves again: somebody's decision."""
        self._retry = True
        self._stirred.set()

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="mark reader", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait for the thread. Safe to call twice."""
        self._closing = True
        self._stirred.set()
        if self._thread is not None:
            self._thread.join()
        for stream in self._streams:
            stream.rest()

    def turn(self) -> None:
        """Read what waits in all streams, once; the thread does nothing else, again and again."""
        before = self._cpu_clock()
        if self._retry:
            self._retry = False
            for stream in self._streams:
                stream.judge.retry()
        for stream in self._streams:
            stream.work()
        cost = self._cpu_clock() - before
        with self._lock:
            over = [stream for stream in self._streams if stream.tap.closed]
            self._past = replace(_added(self._past, *(stream.reads for stream in over)), cpu=self._past.cpu + cost)
            self._streams = tuple(stream for stream in self._streams if not stream.tap.closed)
        self._allowance.spend(cost, self._clock())
        self._ration(self._clock())

    def _ration(self, now: Nanos) -> None:
        """Let all streams rest when the allowance is spent, and go on when it is saved up."""
        doubt = any(stream.judge.in_doubt for stream in self._streams)
        if not self._resting and not doubt and self._allowance.spent(now):
            self._resting = True
            for stream in self._streams:
                stream.rest()
        elif self._resting and self._allowance.full(now):
            self._resting = False
            for stream in self._streams:
                stream.tap.open(self._stirred.set)

    def _open(self) -> list[_Stream]:
        return [stream for stream in self._streams if not stream.tap.closed]

    def _run(self) -> None:
        _step_back()
        while not self._closing:
            self._stirred.wait(_IDLE_SECONDS)
            self._stirred.clear()
            self.turn()


def _step_back() -> None:
    """Give this thread a low priority, where threads have one of their own (Linux)."""
    if hasattr(os, "setpriority"):
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _luma(picture: VideoFrame) -> Bytes:
    plane = picture.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: picture.height, : picture.width]


def _square(luma: Bytes) -> Bytes:
    """The middle of a picture. Its short side is the picture's, which sets the scale of the mark."""
    height, width = luma.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return luma[top : top + side, left : left + side]


def _read(luma: Bytes) -> Detector:
    detector = Detector()
    detector.add(luma)
    return detector


def _added(*parts: MarkReads) -> MarkReads:
    lasts = [part.last for part in parts if part.last is not None]
    return MarkReads(
        read=sum(part.read for part in parts),
        missed=sum(part.missed for part in parts),
        early=sum(part.early for part in parts),
        skipped=sum(part.skipped for part in parts),
        cpu=sum(part.cpu for part in parts),
        last=max(lasts, default=None),
    )
