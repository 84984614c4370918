"""The measure of lip synchrony: its arithmetic, and in short what it says of this machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.browser import missing
from benchmarks.lipsync import PERIOD, added, edges, measure


def test_an_edge_is_where_a_value_rises() -> None:
    assert edges([0, 1, 2, 3, 4, 5], [9, 0, 9, 9, 0, 9], 5) == [2, 5]
    assert edges([], [], 5) == []


@given(st.floats(-0.9, 0.9), st.floats(-0.09, 0.09))
def test_what_was_added_is_told_whatever_was_there_before(before: float, late: float) -> None:
    flashes = [10 + PERIOD * index for index in range(10)]
    beeps = [flash + before + late for flash in flashes]
    assert np.allclose(added(flashes, beeps, before), late)


def test_a_flash_without_a_beep_says_nothing() -> None:
    assert len(added([10.0], [])) == 0
    assert len(added([10.0, 50.0], [10.1])) == 1


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
    found = measure(10)
    for way in ("viewer", "transport_stream", "recording"):
        assert found[way]["count"] >= 3, found
        assert abs(found[way]["median_ms"]) < 400, found
