"""What a listener hears: at the time of its picture, whole, and without a click."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from av.audio.codeccontext import AudioCodecContext
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from livefake.clock import FakeClock
from livefake.media.encode.delay import Delay
from livefake.media.sound.bus import PIECE, RATE, Chunk, SoundBus
from livefake.media.sound.playout import Playout
from livefake.media.sound.track import LEAD, SoundTrack
from livefake.media.stamped import MediaClock

MS = 1_000_000
STEP = 20 * MS
LOUD = 8000
TONE = 200
"""Hertz: a whole number of periods in a piece, so that pieces fit to each other whichever follows which."""


def tone(index: int, level: int = LOUD) -> Chunk:
    """Piece ``index`` of a tone that began at 0."""
    wave = np.rint(np.sin(np.arange(PIECE) * 2 * np.pi * TONE / RATE) * level).astype(np.int16)
    return Chunk(np.stack([wave, wave], 1), index * STEP)


def steepest(heard: list[NDArray[np.int16]]) -> int:
    """The largest step from one sample to the next: a click has one that no tone of this height has."""
    return int(np.abs(np.diff(np.concatenate(heard).astype(np.int32), axis=0)).max())


SMOOTH = int(LOUD * 2 * np.pi * TONE / RATE * 1.6)


def test_sound_passes_untouched_when_it_comes_in_time() -> None:
    bus = SoundBus()
    playout = Playout(bus.tap("test"))
    heard = []
    for index in range(50):
        bus.put(tone(index))
        heard.append(playout.next(index * STEP))
    assert all(np.array_equal(got, tone(index).samples) for index, got in enumerate(heard) if index)
    assert not heard[0][0].any(), "it rises from silence"


@given(st.lists(st.integers(-60, 60), min_size=10, max_size=30), st.sampled_from([LOUD, 50]))
def test_a_delay_that_changes_is_followed_without_a_click(changes: list[int], level: int) -> None:
    bus = SoundBus()
    playout = Playout(bus.tap("test"))
    heard: list[NDArray[np.int16]] = []
    index, tick, delay, away = 0, 0, 200, []
    for change in changes:
        delay = min(max(delay + change, 100), 300)
        for _ in range(12):
            # The sound itself is there 60 ms after its picture.
            while index * 20 + 60 <= tick * 20:
                bus.put(tone(index, level))
                index += 1
            heard.append(playout.next((tick * 20 - delay) * MS))
            tick += 1
        head = playout._tap.peek()
        assert head is not None
        away.append(head.arrived / MS + delay - tick * 20)
    assert all(abs(lag) <= 33 for lag in away), away
    assert steepest(heard) <= SMOOTH * level / LOUD + 2


def test_sound_that_comes_after_its_picture_is_played_as_it_comes() -> None:
    bus = SoundBus()
    playout = Playout(bus.tap("test"))
    heard = []
    for tick in range(100):
        if tick >= 2:
            bus.put(tone(tick - 2))
        heard.append(playout.next(tick * STEP))
    assert all(got.any() for got in heard[3:])
    assert steepest(heard) <= SMOOTH


def test_sound_that_ends_and_comes_back_fades() -> None:
    bus = SoundBus()
    playout = Playout(bus.tap("test"))
    heard = []
    for tick in range(100):
        if not 30 <= tick < 60:
            bus.put(tone(tick))
        heard.append(playout.next(tick * STEP))
    assert not any(got.any() for got in heard[31:60])
    assert np.array_equal(heard[70], tone(70).samples)
    assert steepest(heard) <= SMOOTH


def test_an_offset_by_hand_is_a_pause_and_not_an_echo() -> None:
    bus = SoundBus()
    playout = Playout(bus.tap("test"))
    heard = []
    for tick in range(60):
        bus.offset_ms = 400 if tick >= 20 else 0
        bus.put(tone(tick))
        heard.append(playout.next(tick * STEP))
    assert not any(got.any() for got in heard[22:39])
    assert np.array_equal(heard[45], tone(0).samples)
    assert steepest(heard) <= SMOOTH


def levels(packets: list[av.Packet[Any]]) -> list[float]:
    """How loud each packet is."""
    decoder = AudioCodecContext.create("libopus", "r")
    decoder.format, decoder.layout, decoder.sample_rate = "s16", "stereo", RATE
    return [
        float(np.abs(frame.to_ndarray().astype(np.int32)).max()) for each in packets for frame in decoder.decode(each)
    ]


def lateness(ahead: list[int], *, pieces: int = 3000, stall: int = 0, drift: float = 0.0) -> tuple[list[float], int]:
    """How far what is heard is from a steady line, milliseconds, and how often there was nothing to hear."""
    bus, chance = SoundBus(), np.random.default_rng(7)
    playout = Playout(bus.tap("test"))
    away, silent, index = [], 0, 0
    comes = [round(each * 20 * (1 + drift)) + int(late) for each, late in enumerate(chance.choice(ahead, pieces))]
    comes = list(np.maximum.accumulate(comes))
    for tick in range(pieces):
        now = tick * 20
        while index < pieces and comes[index] <= now and not (stall and stall <= now < stall + 3000):
            bus.put(Chunk(tone(0).samples, round(index * 20 * (1 + drift)) * MS))
            index += 1
        heard = playout.next(now * MS)
        silent += not heard.any()
        away.append(now - playout.instant / MS)
    return away, silent


def test_sound_that_comes_unsteadily_waits_as_long_as_it_needs_to() -> None:
    away, silent = lateness([30] * 8 + [60, 75])
    assert 70 <= np.median(away[500:]) <= 110
    assert max(away[500:]) - min(away[500:]) <= 60
    assert silent <= 30


def test_what_comes_much_later_than_all_the_rest_delays_nothing() -> None:
    away, _ = lateness([30] * 199 + [140])
    assert np.median(away[500:]) <= 70


@pytest.mark.parametrize("drift", [-2e-4, 2e-4])
def test_neither_a_clock_that_drifts_nor_a_pause_makes_sound_late(drift: float) -> None:
    away, _ = lateness([25, 30, 35], stall=20_000, drift=drift)
    begun, ended = np.median(away[200:700]), np.median(away[-500:])
    assert abs(begun - ended) <= 12


def test_a_microphone_that_starts_late_is_in_step_from_its_beginning() -> None:
    bus = SoundBus()
    playout = Playout(bus.tap("test"))
    away = []
    for tick in range(1000):
        if tick >= 500:
            bus.put(Chunk(tone(0).samples, (tick - 2) * STEP))
        playout.next(tick * STEP)
        away.append(tick * 20 - playout.instant / MS)
    assert max(away[520:]) <= 75
    assert min(away[520:]) >= 30


async def test_the_track_keeps_its_own_time() -> None:
    clock, slept = FakeClock(start=5 * MS), []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds * 1000)

    bus = SoundBus()
    track = SoundTrack(bus.tap("test"), lambda: 60 * MS + LEAD, MediaClock(0), clock, sleep)
    for index in range(4):
        bus.put(Chunk(tone(0).samples, index * STEP))
    frames, told = [], []
    for _ in range(5):
        frames.append(await track.recv())
        told.append(((track.ntp or 0) - MediaClock(0).ntp(0)) * 1000 / (1 << 32))
    assert [frame.pts for frame in frames] == [index * 960 for index in range(5)]
    assert slept == pytest.approx([0.02] * 4)
    # At 5, 25 and 45 ms the pictures of 60 ms earlier are shown, and at 65 ms that of 5 ms.
    assert [level > 500 for level in levels(frames)] == [False, False, False, True, True]
    assert told == pytest.approx([place - 6.5 for place in (-55, -35, -15, 0, 20)])
    clock.advance(1000)
    held_up = await track.recv()
    assert held_up.pts == 960 * 54
    assert len(slept) == 4
    bus.close()
    with pytest.raises(MediaStreamError):
        await track.recv()


def test_the_usual_delay() -> None:
    delay = Delay()
    assert delay.nanos == 0
    delay.see(80 * MS)
    assert delay.nanos == 80 * MS
    delay.see(5000 * MS)
    delay.see(-1)
    assert delay.nanos == 80 * MS, "a picture that waited for somebody says nothing"
    for _ in range(100):
        delay.see(40 * MS)
    assert abs(delay.nanos - 40 * MS) < MS
