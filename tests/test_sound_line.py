"""The line of samples that encoders get: where each chunk belongs, unbroken, whatever clocks and hands do."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from livefake.frame import RTP_CLOCK
from livefake.media.encode.feed import Encoded
from livefake.media.encode.stretch import Stretch
from livefake.media.mpegts import TsMuxer
from livefake.media.packet import TICKS
from livefake.media.sound.aac import AacEncoder
from livefake.media.sound.bus import RATE, Chunk
from livefake.media.sound.line import Line

PIECE = 960
MS = 1_000_000


def tone(index: int) -> Chunk:
    """20 ms of 200 Hz that goes on from piece to piece."""
    wave = np.rint(np.sin(np.arange(PIECE) * 2 * np.pi * 200 / RATE) * 8000).astype(np.int16)
    return Chunk(np.stack([wave, wave], 1), index * 20 * MS)


def offsets(places: list[int]) -> tuple[list[float], NDArray[np.int16]]:
    """How much later than it belongs each chunk lies, milliseconds, and the whole sound."""
    line, away, heard = Line(), [], []
    for index, at in enumerate(places):
        frame = line.place(tone(index), at)
        if frame is not None:
            away.append(((frame.pts or 0) - at) * 1000 / RATE)
            heard.append(frame.to_ndarray().reshape(-1, 2))
    return away, np.concatenate(heard)


@settings(max_examples=8)
@given(st.floats(-2e-4, 2e-4), st.integers(0, 99))
def test_a_clock_that_drifts_never_takes_the_sound_away(drift: float, seed: int) -> None:
    jitter = np.random.default_rng(seed).integers(-480, 481, 3000)
    places = [round(index * PIECE * (1 + drift)) + int(late) for index, late in enumerate(jitter)]
    away, heard = offsets([0, *places[1:]])
    assert abs(np.median(away[-250:])) <= 10
    assert np.abs(np.diff(heard.astype(np.int32), axis=0)).max() <= 8000 * 2 * np.pi * 200 / RATE * 1.3, "no click"


@pytest.mark.parametrize("wrong", [-45, -20, 20, 45])
def test_a_wrong_beginning_is_made_good_unheard(wrong: int) -> None:
    step = wrong * RATE // 1000
    away, heard = offsets([0] + [PIECE * index + step for index in range(1, 500)])
    assert abs(away[1] + wrong) < 1
    assert abs(away[-1]) <= 3
    assert np.abs(np.diff(heard.astype(np.int32), axis=0)).max() <= 8000 * 2 * np.pi * 200 / RATE * 1.3


def test_sound_in_step_is_untouched() -> None:
    away, heard = offsets([PIECE * index + (index % 3 - 1) * 240 for index in range(200)])
    assert max(np.abs(away)) <= 10
    assert np.array_equal(heard, np.concatenate([tone(0).samples] * 200))


def test_a_gap_is_a_gap() -> None:
    line = Line()
    for index in range(10):
        line.place(tone(index), PIECE * index)
    frame = line.place(tone(10), PIECE * 60)
    assert frame is not None
    assert frame.pts == PIECE * 60
    assert line.place(tone(11), PIECE * 20) is None


def loud(data: bytes) -> float:
    """When the sound of a file becomes loud, seconds by its own time."""
    with av.open(io.BytesIO(data), "r") as container:
        for frame in container.decode(audio=0):
            hits = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.05)
            if len(hits):
                return (frame.time or 0.0) + float(hits[0]) / RATE
    raise AssertionError("nothing is loud")


def beep(index: int) -> Chunk:
    """Silence, and from one second on 1 kHz that begins at its loudest."""
    wave = np.cos(np.arange(PIECE) * 2 * np.pi * 1000 / RATE) * (12_000 if index >= 50 else 0)
    return Chunk(np.repeat(np.rint(wave).astype(np.int16)[:, None], 2, 1), index * 20 * MS)


def test_the_transport_stream_has_sound_where_it_belongs() -> None:
    muxer, data = TsMuxer(sound=True), b""
    for index in range(100):
        data += muxer.picture(Encoded(b"\0\0\0\1\x65data", True, index * 1800, index * 20 * MS, 192, 128))
        data += muxer.chunk(beep(index))
    muxer.close()
    with av.open(io.BytesIO(data), "r") as container:
        first = next(packet.pts * packet.time_base for packet in container.demux(video=0) if packet.pts is not None)
    assert loud(data) - float(first) == pytest.approx(1.0, abs=0.004)


def test_the_film_has_sound_where_it_belongs() -> None:
    encoder, out = AacEncoder(), io.BytesIO()
    with av.open(out, "w", format="mpegts") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "stereo"
        for index in range(100):
            for packet in encoder.encode(beep(index), index * 20 * TICKS // 1000):
                made: av.Packet[Any] = av.Packet(packet.data)
                made.stream, made.time_base = stream, Fraction(1, TICKS)
                made.pts = made.dts = packet.pts + TICKS
                container.mux(made)
    encoder.close()
    with av.open(io.BytesIO(out.getvalue()), "r") as container:
        first = next(packet.pts * packet.time_base for packet in container.demux(audio=0) if packet.pts is not None)
    assert loud(out.getvalue()) - float(first) == pytest.approx(1.0, abs=0.004)


def test_cards_do_not_move_the_sound() -> None:
    stretch = Stretch()
    stretch.see(0, 500 * MS, card=True)
    assert stretch.ticks(500 * MS) == 0
    for index in range(1, 40):
        stretch.see(index * 3000, 400 * MS + index * 100 * MS // 3)
    before = stretch.ticks(3000 * MS)
    for index in range(40, 100):
        stretch.see(index * 3000, 500 * MS + index * 100 * MS // 3, card=True)
    assert stretch.ticks(3000 * MS) == before
    assert before is not None
    assert abs(before - 2600 * MS * RTP_CLOCK.denominator // 10**9) <= 1
    assert abs((stretch.instant(before) or 0) - 3000 * MS) <= 20_000
