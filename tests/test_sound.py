"""The microphone's way: one bus, bounded taps, and the transport stream in which it lies beside its picture."""

from __future__ import annotations

import asyncio
import io

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.clock import FakeClock
from livefake.media.encode.coder import Format
from livefake.media.encode.feed import Encoded
from livefake.media.encode.hub import Broadcast
from livefake.media.encode.stretch import Stretch
from livefake.media.mpegts import TsMuxer, transport_stream
from livefake.media.sound.bus import Chunk, SoundBus
from livefake.media.webrtc.bitrate import Bitrate
from tests.test_broadcast import card

MS = 1_000_000


def chunk(at: int, level: int = 0, samples: int = 960) -> Chunk:
    """A chunk of a square wave, which arrived at that millisecond."""
    wave = np.where(np.arange(samples) % 48 < 24, level, -level).astype(np.int16)
    return Chunk(np.stack([wave, wave], 1), at * MS)


def test_everybody_gets_the_sound_untouched() -> None:
    bus = SoundBus()
    one, two = bus.tap("one"), bus.tap("two")
    sent = chunk(5, 1000)
    bus.put(sent)
    assert bus.present
    assert bus.level == pytest.approx(1000 / 32768, rel=1e-3)
    for tap in (one, two):
        got = tap.take_now()
        assert got is not None
        assert np.array_equal(got.samples, sent.samples)
        assert got.arrived == sent.arrived
    one.close()
    assert bus.taps == (two,)


def test_a_muted_microphone_keeps_its_time_and_its_meter() -> None:
    bus = SoundBus()
    tap = bus.tap("test")
    bus.muted, bus.offset_ms = True, 30.0
    bus.put(chunk(5, 1000))
    got = tap.take_now()
    assert got is not None
    assert not got.samples.any()
    assert got.arrived == 35 * MS
    assert bus.level > 0


async def test_a_slow_taker_loses_the_oldest() -> None:
    bus = SoundBus()
    tap = bus.tap("slow")
    for index in range(130):
        bus.put(chunk(index))
    assert tap.dropped == 30
    got = await tap.take()
    assert got is not None
    assert got.arrived == 30 * MS
    bus.close()
    assert await tap.take() is None
    assert await bus.tap("late").take() is None


@pytest.mark.parametrize("samples", [np.zeros(4, np.int16), np.zeros((4, 1), np.int16), np.zeros((4, 2), np.float32)])
def test_sound_of_another_form_is_refused(samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> None:
    with pytest.raises(ValueError, match=r"should be \(n, 2\) int16"):
        SoundBus().put(Chunk(samples, 0))


@given(st.lists(st.integers(-15, 15), min_size=60, max_size=90))
def test_sound_finds_its_picture_however_unsteadily_that_arrived(jitter: list[int]) -> None:
    stretch = Stretch()
    assert stretch.ticks(0) is None
    for index, early in enumerate(jitter):
        stretch.see(1000 + index * 3000, (100 + index * 100 // 3 + early) * MS)
    last = len(jitter) - 1
    ticks = stretch.ticks((100 + last * 100 // 3) * MS)
    assert ticks is not None
    assert abs(ticks - (1000 + last * 3000)) <= 16 * 90


def test_a_stream_that_begins_anew_is_followed_at_once() -> None:
    stretch = Stretch()
    for index in range(50):
        stretch.see(index * 3000, index * 33 * MS)
    stretch.see(900_000, 1700 * MS)
    assert stretch.ticks(1700 * MS) == 900_000


async def test_a_transport_stream_has_picture_and_sound_side_by_side() -> None:
    clock, bus = FakeClock(start=1), SoundBus()
    broadcast = Broadcast(bitrate=Bitrate(), clock=clock)
    feed, tap = broadcast.feed(Format.H264, "test"), bus.tap("test")
    sent = bytearray()

    async def read() -> None:
        async for data in transport_stream(feed, tap):
            sent.extend(data)

    reader = asyncio.create_task(read())
    # White and a tone from picture 30 on.
    sound = 0
    for index in range(60):
        clock.advance(100 / 3)
        at = index * 100 // 3
        while sound <= at:
            bus.put(chunk(sound, 8000 if sound >= 1000 else 0))
            sound += 20
        broadcast.show(card(220 if index >= 30 else 30, index))
        while feed.taken <= index:  # noqa: ASYNC110 - the feed belongs to the reader
            await asyncio.sleep(0.001)
    await broadcast.close()
    await reader
    assert tap.closed
    with av.open(io.BytesIO(bytes(sent)), "r") as container:
        pictures = [(frame.time, float(frame.to_ndarray()[:128].mean())) for frame in container.decode(video=0)]
    with av.open(io.BytesIO(bytes(sent)), "r") as container:
        sounds = [(frame.time, float(np.abs(frame.to_ndarray()).mean())) for frame in container.decode(audio=0)]
    assert len(pictures) >= 58
    white = next(at for at, level in pictures if level > 150)
    loud = next(at for at, level in sounds if level > 0.1)
    assert white is not None
    assert loud is not None
    assert abs(white - loud) < 0.04


def test_sound_before_the_first_picture_and_after_a_gap() -> None:
    muxer = TsMuxer(sound=True)
    assert muxer.chunk(chunk(0)) == b""
    muxer.picture(Encoded(b"\0\0\0\1\x65data", True, 0, 5000 * MS, 192, 128))
    assert muxer.chunk(chunk(10)) == b"", "five seconds before the first picture"
    got = b"".join(muxer.chunk(chunk(5000 + 20 * index)) for index in range(10))
    assert len(got) % 188 == 0
    assert got
    later = b"".join(muxer.chunk(chunk(7000 + 20 * index)) for index in range(10))
    assert later
    assert muxer.chunk(chunk(6000)) == b"", "what comes back in time is left out"
    muxer.close()
    silent = TsMuxer(sound=False)
    assert not silent.sound
    with pytest.raises(ValueError, match="without sound"):
        silent.chunk(chunk(0))
    silent.close()
