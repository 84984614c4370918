"""Listening to a code that is read aloud."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from livefake.trust.hearing import RATE, Hearing
from tests.actor import SECOND, voice


def hear(sound: NDArray[np.int16], *, piece: int = RATE // 10, since: int = 0) -> Hearing:
    hearing = Hearing(since)
    for start in range(0, len(sound), piece):
        hearing.hear(sound[start : start + piece], since + start * SECOND // RATE)
    return hearing


def tone(seconds: float, level: float, pitch: float = 120) -> NDArray[np.int16]:
    return np.asarray(np.sin(np.arange(round(seconds * RATE)) * 2 * np.pi * pitch / RATE) * level, np.int16)


def test_a_voice_is_heard() -> None:
    sound = voice(3, 1)
    hearing = hear(sound, since=7 * SECOND)
    assert hearing.heard
    assert 1.5 * SECOND < hearing.spoken < 2 * SECOND
    assert hearing.groups == 7
    assert 0.9 * SECOND < hearing.quiet < 1.2 * SECOND
    assert hearing.digest == hashlib.sha256(sound.tobytes()).hexdigest()


def test_a_steady_hum_and_silence_are_no_voice() -> None:
    hum, silence = hear(tone(4, 5000)), hear(np.zeros(4 * RATE, np.int16))
    assert hum.heard
    assert not silence.heard
    assert hum.spoken == silence.spoken == hum.groups == silence.groups == 0


def test_a_voice_over_a_hum_is_heard() -> None:
    assert hear(voice(3, 1) + tone(4, 200)).spoken > 1.2 * SECOND


def test_a_bang_is_short() -> None:
    sound = np.zeros(4 * RATE, np.int16)
    sound[RATE : RATE + 800] = 20_000
    assert hear(sound).spoken < 0.1 * SECOND
    assert hear(sound).groups == 1


def test_nothing_is_a_quiet_of_no_length() -> None:
    hearing = Hearing(0)
    assert (hearing.heard, hearing.spoken, hearing.groups, hearing.quiet) == (False, 0, 0, 0)


def test_sound_from_before_and_from_a_clock_that_jumped_back_is_left_out() -> None:
    hearing, before = Hearing(10 * SECOND), Hearing(10 * SECOND).digest
    hearing.hear(voice(1, 0), 8 * SECOND)
    assert hearing.digest == before
    hearing.hear(voice(1, 0), 10 * SECOND)
    spoken = hearing.spoken
    hearing.hear(voice(1, 0), 10 * SECOND)
    assert hearing.spoken == spoken > 0


def test_pieces_that_arrive_in_bursts_are_all_heard() -> None:
    sound, hearing = voice(3, 1), Hearing(0)
    random = np.random.default_rng(1)
    for start in range(0, len(sound), 320):
        late = int(random.uniform(0, 0.3) * SECOND)
        hearing.hear(sound[start : start + 320], start * SECOND // RATE + late)
    assert hearing.digest == hear(sound).digest
    assert hearing.spoken == hear(sound).spoken


def test_a_gap_in_the_sound_is_no_sound() -> None:
    hearing = Hearing(0)
    hearing.hear(voice(1, 0), 0)
    hearing.hear(voice(1, 0), 5 * SECOND)
    assert hearing.spoken < 1.3 * SECOND


def test_what_is_kept_is_bounded() -> None:
    hearing = hear(voice(3, 200), piece=RATE)
    assert len(hearing._levels) <= 62 * RATE // 320
    assert len(hearing._left) < 320


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5000), max_size=20), st.integers(1, 3))
def test_it_does_not_matter_how_the_sound_is_cut(cuts: list[int], seed: int) -> None:
    sound = voice(1.5, 0.5, seed=seed)
    hearing, start = Hearing(0), 0
    for length in [*cuts, len(sound)]:
        piece = sound[start : start + length]
        hearing.hear(piece, start * SECOND // RATE)
        start += len(piece)
    whole = hear(sound, piece=len(sound))
    assert (hearing.digest, hearing.spoken, hearing.groups) == (whole.digest, whole.spoken, whole.groups)


@pytest.mark.parametrize("sound", [np.zeros((2, 100), np.int16), np.zeros(100, np.float32)])
def test_other_sound_is_refused(sound: NDArray[np.int16]) -> None:
    with pytest.raises(ValueError, match="sound should be"):
        Hearing(0).hear(sound, 0)
