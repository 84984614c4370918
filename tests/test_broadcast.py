"""One encode for many takers: what each of them gets, and what happens to one that is slow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import av
import numpy as np
import pytest

from livefake.clock import FakeClock
from livefake.frame import Frame
from livefake.media.encode.coder import Format, make_coder
from livefake.media.encode.feed import Encoded, Feed
from livefake.media.encode.hub import Broadcast
from livefake.media.webrtc.bitrate import Bitrate
from livefake.trust.seal import Seal, Sealed
from tests.album import a_face

WIDTH, HEIGHT = 192, 128


def card(level: int, index: int, *, width: int = WIDTH) -> Sealed:
    """A sealed picture of one grey."""
    i420 = np.full((HEIGHT * 3 // 2, width), level, np.uint8)
    i420[HEIGHT:] = 128
    frame = Frame(i420, index * 3000, index * 33_333_333)
    frame.done |= {"card", "label", "watermark"}
    return Seal(1).card(frame)


def encoded(*, key: bool, ticks: int = 0) -> Encoded:
    return Encoded(b"data", key, ticks, 0, WIDTH, HEIGHT)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(start=1)


@pytest.fixture
async def broadcast(clock: FakeClock) -> AsyncIterator[Broadcast]:
    made = Broadcast(bitrate=Bitrate(), clock=clock)
    yield made
    await made.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("encode-")]


async def take(feed: Feed) -> Encoded:
    picture = await asyncio.wait_for(feed.take(), 10)
    assert picture is not None
    return picture


async def play(broadcast: Broadcast, clock: FakeClock, count: int, *feeds: Feed, start: int = 0) -> list[Encoded]:
    """Show pictures, each once the one before it was encoded; what the first feed got."""
    got = []
    for index in range(start, start + count):
        clock.advance(33)
        broadcast.show(card(60 + index, index))
        taken = [await take(feed) for feed in feeds]
        got.append(taken[0])
    return got


@pytest.mark.parametrize("format", list(Format))
async def test_a_feed_can_be_decoded(broadcast: Broadcast, clock: FakeClock, format: Format) -> None:
    feed = broadcast.feed(format, "test")
    pictures = await play(broadcast, clock, 5, feed)
    assert [picture.key for picture in pictures] == [True, False, False, False, False]
    assert [picture.ticks for picture in pictures] == [0, 2970, 5940, 8910, 11880]
    decoder = av.CodecContext.create(format.lower(), "r")
    assert isinstance(decoder, av.VideoCodecContext)
    levels = []
    for picture in pictures:
        for frame in decoder.decode(av.Packet(picture.data)):
            assert isinstance(frame, av.VideoFrame)
            levels.append(round(float(frame.to_ndarray()[:HEIGHT].mean())))
    assert len(levels) >= 4
    assert all(abs(level - 60 - index) < 6 for index, level in enumerate(levels))


async def test_an_encoded_picture_says_whose_it_is_and_how_long_it_took(broadcast: Broadcast, clock: FakeClock) -> None:
    feed = broadcast.feed(Format.H264, "test")
    assert broadcast.delay(Format.H264) == broadcast.delay(Format.VP8) == 0
    i420 = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    frame = Frame(i420, 0, clock(), grant="theirs")
    frame.done |= {"blend", "label", "watermark"}
    frame.faces = (a_face(),)
    clock.advance(60)
    broadcast.show(Seal(1)(frame))
    picture = await take(feed)
    assert (picture.grant, picture.card) == ("theirs", False)
    assert broadcast.delay(Format.H264) == 60_000_000
    clock.advance(33)
    broadcast.show(card(60, 1))
    assert (await take(feed)).card
    assert broadcast.delay(Format.H264) == 60_000_000, "a card was drawn just now"


async def test_all_takers_of_a_format_share_one_encode(broadcast: Broadcast, clock: FakeClock) -> None:
    one, two = broadcast.feed(Format.H264, "one"), broadcast.feed(Format.H264, "two")
    await play(broadcast, clock, 4, one, two)
    (hub,) = broadcast.hubs
    assert hub.encoded == 4
    assert (one.taken, two.taken) == (4, 4)


async def test_nothing_is_encoded_for_nobody(broadcast: Broadcast, clock: FakeClock) -> None:
    broadcast.show(card(60, 0))
    assert broadcast.hubs == ()
    feed = broadcast.feed(Format.H264, "test")
    # What was shown last comes at once: a session that holds shows nothing new for a while.
    assert (await take(feed)).key
    feed.close()
    assert broadcast.hubs == ()
    assert await feed.take() is None
    again = broadcast.feed(Format.H264, "again")
    clock.advance(33)
    assert (await take(again)).key


async def test_a_latecomer_begins_with_a_key_frame(broadcast: Broadcast, clock: FakeClock) -> None:
    early = broadcast.feed(Format.H264, "early")
    await play(broadcast, clock, 3, early)
    clock.advance(1000)
    late = broadcast.feed(Format.H264, "late")
    assert (await take(late)).key
    assert (await take(early)).key


async def test_many_who_ask_at_once_share_a_key_frame(broadcast: Broadcast, clock: FakeClock) -> None:
    feed = broadcast.feed(Format.H264, "test")
    keys = 0
    for index in range(30):
        feed.ask_for_key_frame()
        keys += (await play(broadcast, clock, 1, feed, start=index))[0].key
    # 30 pictures are 0.99 s, and half a second lies between two.
    assert keys == 2


async def test_another_size_makes_a_new_key_frame(broadcast: Broadcast, clock: FakeClock) -> None:
    feed = broadcast.feed(Format.H264, "test")
    await play(broadcast, clock, 2, feed)
    clock.advance(33)
    broadcast.show(card(70, 2, width=256))
    picture = await take(feed)
    assert (picture.key, picture.width) == (True, 256)


async def test_a_slow_taker_loses_up_to_the_next_key_frame_and_nobody_else_does() -> None:
    asked: list[str] = []
    feed = Feed("slow", ask=lambda: asked.append("key"), leave=lambda _: None, places=3)
    assert asked == ["key"]
    for index in range(5):
        feed.put(encoded(key=index == 0, ticks=index))
    # The fourth found three waiting: all were dropped, and so is what cannot be decoded without them.
    assert (feed.depth, feed.dropped, feed.deepest) == (0, 5, 3)
    assert len(asked) == 3
    feed.put(encoded(key=True, ticks=5))
    assert (await take(feed)).ticks == 5


async def test_a_closed_feed_takes_nothing_and_tells_once() -> None:
    left: list[Feed] = []
    feed = Feed("test", ask=lambda: None, leave=left.append)
    feed.put(encoded(key=True))
    feed.close()
    feed.close()
    feed.put(encoded(key=True))
    assert left == [feed]
    assert await feed.take() is None
    assert feed.dropped == 1


async def test_a_taker_that_waits_is_woken_by_the_end(broadcast: Broadcast) -> None:
    waiting = asyncio.create_task(broadcast.feed(Format.H264, "test").take())
    await asyncio.sleep(0)
    await broadcast.close()
    assert await waiting is None
    assert await broadcast.feed(Format.H264, "late").take() is None


async def test_an_encoder_that_fails_is_replaced(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    made = 0

    class Fragile:
        """Fails at its third picture, as an encoder does whose device was taken away."""

        def __init__(self, format: Format, width: int, height: int, rate: int) -> None:
            nonlocal made
            made += 1
            self._coder = make_coder(format, width, height, rate)
            self._left = 2

        @property
        def size(self) -> tuple[int, int]:
            return self._coder.size

        def encode(self, picture: av.VideoFrame, *, key: bool) -> tuple[bytes, bool]:
            self._left -= 1
            if self._left < 0:
                raise OSError("the device has gone")
            return self._coder.encode(picture, key=key)

    broadcast = Broadcast(bitrate=Bitrate(), clock=clock, coders=Fragile)
    feed = broadcast.feed(Format.H264, "test")
    await play(broadcast, clock, 2, feed)
    clock.advance(33)
    broadcast.show(card(60, 2))
    while made < 2:
        clock.advance(33)
        broadcast.show(card(60, 3))
        await asyncio.sleep(0.02)
    assert (await take(feed)).key
    assert "could not be encoded" in caplog.text
    await broadcast.close()


async def test_only_sealed_pictures_are_taken(broadcast: Broadcast) -> None:
    broadcast.feed(Format.H264, "test")
    frame = Frame(np.zeros((96, 64), np.uint8), 0, 0)
    with pytest.raises(TypeError):
        broadcast.show(frame)  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(TypeError):
        broadcast.hubs[0].show(frame)  # type: ignore[arg-type]
