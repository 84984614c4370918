"""One encode of one session for everybody who wants that format."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

import av

from livefake.clock import Clock, Nanos
from livefake.flow.mailbox import Mailbox
from livefake.frame import RTP_CLOCK
from livefake.media.encode.coder import Coder, Format, MakeCoder, make_coder
from livefake.media.encode.delay import Delay
from livefake.media.encode.feed import Encoded, Feed
from livefake.media.tap import Tap
from livefake.media.timeline import Timeline
from livefake.media.webrtc.bitrate import Bitrate
from livefake.trust.seal import Sealed

__all__ = ["Broadcast", "Hub"]

_log = logging.getLogger(__name__)

_KEY_PAUSE: Final[Nanos] = 500_000_000
"""Between two key frames that were asked for: many takers that join or stumble at once share one."""
_PATIENCE: Final = 0.5


class Hub:
    """Encodes on a thread of its own, always the newest picture, and hands each result to every feed.

    Made on the event loop, used on it; the encoder's thread ends with ``close``.

    Args:
        format: of the stream.
        bitrate: bits a second by picture size.
        clock: the service's monotonic clock.
        coders: makes the encoder.
        empty: called when the last feed has left.
        watch: told the tap at which the encoder's output can be looked at.

    Attributes:
        tap: where the encoder's output can be looked at.
        delay: from the instant of a picture until the feeds have it.
        format: of the stream.
        encoded: pictures that were encoded.
    """

    def __init__(
        self,
        format: Format,
        *,
        bitrate: Bitrate,
        clock: Clock,
        coders: MakeCoder = make_coder,
        empty: Callable[[], None] = lambda: None,
        watch: Callable[[Tap], None] = lambda _: None,
    ) -> None:
        self.tap = Tap(clock)
        self.delay = Delay()
        self.format = format
        self.encoded = 0
        self._bitrate = bitrate
        self._clock = clock
        self._coders = coders
        self._empty = empty
        self._loop = asyncio.get_running_loop()
        self._newest: Mailbox[tuple[Sealed, int]] = Mailbox()
        self._timeline = Timeline()
        self._wanted = threading.Event()
        self._keyed: Nanos | None = None
        self._feeds: list[Feed] = []
        self._thread = threading.Thread(target=self._work, name=f"encode-{format}", daemon=True)
        self._thread.start()
        watch(self.tap)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """Those who take the stream."""
        return tuple(self._feeds)

    @property
    def mailbox(self) -> Mailbox[tuple[Sealed, int]]:
        """Where the newest picture waits for the encoder; its counters tell what was dropped."""
        return self._newest

    def feed(self, name: str) -> Feed:
        """A new taker's feed; it begins with a key frame."""
        feed = Feed(name, ask=self._wanted.set, leave=self._left)
        self._feeds.append(feed)
        return feed

    def show(self, sealed: Sealed) -> None:
        """Take the newest picture. Returns at once; called on the event loop.

        Raises:
            TypeError: it is not a ``Sealed``.
        """
        if not isinstance(sealed, Sealed):
            raise TypeError(f"an encoder takes sealed pictures only, got {type(sealed).__name__}")
        self._newest.put((sealed, self._timeline.place(sealed, self._clock())))

    async def close(self) -> None:
        """Close every feed and end the thread. Safe to call twice."""
        self._newest.close()
        self.tap.close()
        for feed in self.feeds:
            feed.close()
        await asyncio.to_thread(self._thread.join)

    def _left(self, feed: Feed) -> None:
        self._feeds.remove(feed)
        if not self._feeds:
            self._empty()

    def _work(self) -> None:
        coder: Coder | None = None
        while not self._newest.closed:
            waiting = self._newest.take(_PATIENCE)
            if waiting is None:
                continue
            try:
                coder, encoded = self._encode(coder, *waiting)
            except (av.FFmpegError, OSError, ValueError):
                # The next picture gets a new encoder; the takers see a gap, and then a key frame.
                _log.exception("A picture could not be encoded as %s", self.format)
                coder = None
                continue
            if encoded is not None:
                self.encoded += 1
                self._loop.call_soon_threadsafe(self._spread, encoded)

    def _encode(self, coder: Coder | None, sealed: Sealed, ticks: int) -> tuple[Coder, Encoded | None]:
        frame = sealed.frame
        if coder is None or coder.size != (frame.width, frame.height):
            rate = self._bitrate.of(frame.width, frame.height)
            coder = self._coders(self.format, frame.width, frame.height, rate)
        # The array of a sealed picture is read-only and encoders take their input as constant: no copy is needed.
        picture = av.VideoFrame.from_numpy_buffer(frame.i420, format="yuv420p")
        picture.pts, picture.time_base = ticks, RTP_CLOCK
        data, key = coder.encode(picture, key=self._key_due() or self.tap.wants_key)
        if not data:
            return coder, None
        size = (frame.width, frame.height)
        self.tap.put(self.format.lower(), data, key=key, size=size, card=sealed.card)
        return coder, Encoded(data, key, ticks, frame.arrived, *size, frame.grant, sealed.card, frame.taken)

    def _key_due(self) -> bool:
        now = self._clock()
        if not self._wanted.is_set() or (self._keyed is not None and now - self._keyed < _KEY_PAUSE):
            return False
        self._wanted.clear()
        self._keyed = now
        return True

    def _spread(self, encoded: Encoded) -> None:
        # A card was drawn just now, and says nothing about how long a picture takes.
        if not encoded.card:
            self.delay.see(self._clock() - encoded.instant)
        for feed in self.feeds:
            feed.put(encoded)


class Broadcast:
    """A session's sink for everything that is encoded once and taken by many; encodes only while somebody takes.

    Args:
        bitrate: bits a second by picture size.
        clock: the service's monotonic clock.
        coders: makes encoders.
    """

    name = "broadcast"

    def __init__(self, *, bitrate: Bitrate, clock: Clock, coders: MakeCoder = make_coder) -> None:
        self._bitrate = bitrate
        self._clock = clock
        self._coders = coders
        self._watch: Callable[[Tap], None] = lambda _: None
        self._hubs: dict[Format, Hub] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._last: Sealed | None = None
        self._closed = False

    def watch_with(self, watch: Callable[[Tap], None]) -> None:
        """From now on, tell somebody each encoder's tap when that encoder starts."""
        self._watch = watch

    @property
    def hubs(self) -> tuple[Hub, ...]:
        """The encodes that run now: one a format at most."""
        return tuple(self._hubs.values())

    def delay(self, format: Format) -> Nanos:
        """How long pictures take from their instant until the feeds of that format have them; 0 without any."""
        hub = self._hubs.get(format)
        return 0 if hub is None else hub.delay.nanos

    def feed(self, format: Format, name: str) -> Feed:
        """Take the session's pictures, encoded; the newest one comes at once, even while the session holds.

        Args:
            format: of the stream.
            name: of the taker, for people.
        """
        hub = self._hubs.get(format)
        if hub is None:
            hub = self._hubs[format] = Hub(
                format,
                bitrate=self._bitrate,
                clock=self._clock,
                coders=self._coders,
                empty=lambda: self._retire(format),
                watch=self._watch,
            )
        feed = hub.feed(name)
        if self._closed:
            feed.close()
        elif self._last is not None:
            hub.show(self._last)
        return feed

    def show(self, sealed: Sealed) -> None:
        """Pass the newest picture to the encoders. Returns at once.

        Raises:
            TypeError: it is not a ``Sealed``.
        """
        if not isinstance(sealed, Sealed):
            raise TypeError(f"a broadcast takes sealed pictures only, got {type(sealed).__name__}")
        self._last = sealed
        for hub in self.hubs:
            hub.show(sealed)

    async def close(self) -> None:
        """End every encode and every feed. Safe to call twice."""
        self._closed = True
        self._last = None
        for hub in self.hubs:
            await hub.close()
        await asyncio.gather(*self._closing)

    def _retire(self, format: Format) -> None:
        task = asyncio.get_running_loop().create_task(self._hubs.pop(format).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
