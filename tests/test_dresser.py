"""Personas are prepared at the start and when something has changed, and never hold up the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from livefake.dresser import Dresser


class Wardrobe:
    """Counts how often it was prepared."""

    def __init__(self) -> None:
        self.times = 0
        self.breaks = False
        self.hangs = threading.Event()
        self.hangs.set()
        self._done = threading.Condition()

    def prepare(self, enough: Callable[[], bool]) -> None:
        with self._done:
            self.times += 1
            self._done.notify_all()
        while not self.hangs.wait(0.01) and not enough():
            pass
        if self.breaks:
            raise OSError("the disk is gone")

    def wait(self, times: int) -> None:
        with self._done:
            assert self._done.wait_for(lambda: self.times >= times, 20)


@pytest.fixture
def wardrobe(tmp_path: Path) -> Iterator[Wardrobe]:
    made = Wardrobe()
    dresser = Dresser(made.prepare, (tmp_path / "personas", tmp_path / "grants"), every=0.01)
    dresser.start()
    yield made
    dresser.close(20)
    assert not dresser._thread.is_alive()


def test_everything_is_prepared_at_the_start_and_when_something_is_added(wardrobe: Wardrobe, tmp_path: Path) -> None:
    wardrobe.wait(1)
    (tmp_path / "personas").mkdir()
    wardrobe.wait(2)
    (tmp_path / "personas" / "zoe").mkdir()
    wardrobe.wait(3)
    (tmp_path / "grants").mkdir()
    wardrobe.wait(4)


def test_it_goes_on_after_a_failure(wardrobe: Wardrobe, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wardrobe.breaks = True
    wardrobe.wait(1)
    (tmp_path / "grants").mkdir()
    wardrobe.wait(2)
    # Once it begins anew, the failure before has been written down.
    (tmp_path / "personas").mkdir()
    wardrobe.wait(3)
    assert "takes longer" in caplog.text


def test_it_stops_in_the_middle(wardrobe: Wardrobe, tmp_path: Path) -> None:
    wardrobe.hangs.clear()
    (tmp_path / "grants").mkdir()
    wardrobe.wait(1)


def test_one_that_never_began_is_closed(tmp_path: Path) -> None:
    Dresser(Wardrobe().prepare, ()).close(1)
