"""The measure of lip synchrony: its arithmetic, and in short what it says of this machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.browser import missing
from benchmarks.lipsync import FRAMES, PERIOD, Seen, late, measure, unwrap

RATE = 30


def source(first: float, begun: float, lost: frozenset[int] = frozenset()) -> Seen:
    """A camera that began at an instant, watched for half a minute, and a microphone that beeps for the first time."""
    pictures = [(number % FRAMES, begun + number / RATE) for number in range(900) if number not in lost]
    return Seen(pictures, [begun + first + PERIOD * index for index in range(15)])


def way(from_source: Seen, delay: float, sound: float, apart: float, every: int) -> Seen:
    """What comes out later, by a clock that is ahead, with only some of the pictures."""
    shown = zip(from_source.numbers[::every], from_source.times[::every] + delay + apart, strict=True)
    return Seen([(int(number), at) for number, at in shown], [at + delay + sound + apart for at in from_source.beeps])


clocks = st.tuples(st.floats(-4000, 4000), st.floats(-2.9, 2.0))


@given(st.floats(0, 2), st.floats(0.02, 0.8), st.floats(-0.3, 0.3), clocks, st.integers(1, 7))
def test_how_late_sound_is_does_not_depend_on_the_pictures_that_are_left_out(
    first: float, delay: float, sound: float, clock: tuple[float, float], every: int
) -> None:
    given = source(first, 1000.0)
    apart, wrong = clock
    found = late(given, way(given, delay, sound, apart, every), apart + wrong)
    assert len(found) >= 12
    assert np.allclose(found, sound, atol=1e-6)


def test_a_picture_that_the_camera_page_missed_has_its_place_all_the_same() -> None:
    whole = source(0.5, 0.0)
    assert np.allclose(late(source(0.5, 0.0, frozenset(range(100, 130))), way(whole, 0.1, 0.05, 0, 1), 0), 0.05)


def test_numbers_that_begin_again_go_on_rising() -> None:
    numbers = np.asarray([238, 239, 0, 1, 60, 61])
    times = np.asarray([0.0, 1, 2, 3, 62 + FRAMES, 63 + FRAMES]) / RATE
    assert unwrap(numbers, times).tolist() == [238, 239, 240, 241, 300 + FRAMES, 301 + FRAMES]


def test_without_pictures_or_beeps_nothing_is_said() -> None:
    given = source(0.5, 0.0)
    assert not len(late(given, Seen([], [1.0]), 0))
    assert not len(late(given, Seen([(0, 0.1)], []), 0))
    assert not len(late(Seen([], []), given, 0))


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.models
@pytest.mark.skipif(bool(missing()), reason=missing())
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_sound_stays_with_its_picture_on_all_ways_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lipsync")
    monkeypatch.setenv("LIVEFAKE_DATA", str(folder / "data"))
    monkeypatch.setenv("LIVEFAKE_RECORDINGS", str(folder / "films"))
    found = measure(10, settle=4)
    for kind in ("viewer", "player", "transport_stream", "recording"):
        assert found[kind]["count"] >= 3, found
        assert abs(found[kind]["median_ms"]) < 400, found
