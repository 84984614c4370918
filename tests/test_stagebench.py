"""Timing the stages: pictures of a given layout, fixed sizes of the network, memory, and no sudden slowness."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.heap import Heap
from benchmarks.stages import grid
from benchmarks.worker import open_bench
from benchmarks.yardstick import Yardstick
from livefake.cli.tools import open_studio, settings
from livefake.errors import BadMedia, BadRequest
from livefake.flow.timing import FRAME
from livefake.frame import Box, Frame
from livefake.stagebench import StageBench, costs
from livefake.stagereel import LINES, Layout, Reel, lay_out, read_clip
from livefake.studio import Studio
from tests.album import noisy_frame

PICTURE = {"lines": "360", "face": "160"}
HIGHEST = {0: 3.5, 128: 14.0}
"""The median frame's processor time in yardsticks, by the network's size: two and a half times what was measured on an
AMD EPYC with AVX2 alone. Processors that run int8 faster stay further below it."""


@pytest.mark.parametrize(
    ("lines", "face", "faces"), [(480, 120, 1), (720, 0, 1), (0, 120, 1), (0, 0, 2), (720, 120, 3), (360, 360, 1)]
)
def test_what_cannot_be_laid_out_is_told(lines: int, face: int, faces: int) -> None:
    with pytest.raises(BadRequest):
        Layout(lines, face, faces)


def test_the_grid_holds_what_fits() -> None:
    layouts = grid()
    assert len(layouts) == 2 * (2 + 3 + 3)
    assert all(layout.fits for layout in layouts)
    with pytest.raises(BadRequest, match="does not fit"):
        grid((360,), (360,))


@pytest.mark.parametrize("layout", [Layout(360, 120, 1), Layout(720, 240, 2), Layout(1080, 360, 1)])
def test_a_face_gets_the_height_that_was_asked_for(layout: Layout) -> None:
    # A white square on grey stands for the face.
    frames = []
    for shift in (0, 4, 8):
        picture = np.full((240, 320, 3), 90, np.uint8)
        picture[80:160, 100 + shift : 180 + shift] = 255
        frames.append(Frame.from_bgr(picture))
    boxes = [Box(100 + shift, 80, 180 + shift, 160) for shift in (0, 4, 8)]
    reel = lay_out(frames, boxes, layout)
    assert reel.size == (LINES[layout.lines], layout.lines)
    reel.next()
    luma = reel.next().y
    bright = luma > 180
    assert bright.any(1).sum() == pytest.approx(layout.face, abs=6)
    assert bright.any(0).sum() == pytest.approx(layout.face * layout.faces, abs=12)


def test_a_reel_goes_there_and_back_with_pictures_of_its_own() -> None:
    reel = Reel([noisy_frame(number).i420 for number in range(3)])
    played = [reel.next() for _ in range(6)]
    assert [frame.pts for frame in played] == [3000 * number for number in range(6)]
    order = [next(n for n in range(3) if (noisy_frame(n).i420 == frame.i420).all()) for frame in played]
    assert order == [0, 1, 2, 1, 0, 1]
    played[0].i420[:] = 0
    assert Reel([noisy_frame().i420]).next().y.any()


def test_a_file_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"nothing")
    with pytest.raises(BadMedia):
        read_clip(tmp_path / "clip.mp4", 3)


def test_the_heap_counts_every_array_and_forgets_what_came_before() -> None:
    heap = Heap()
    with heap.counting():
        np.zeros(5000, np.uint8)
        heap.begin()
        kept = np.zeros(1000, np.uint8)
        copy = kept.copy()
        heap.stage("copy", 0, 0)
        heap.stage("nothing", 0, 0)
        heap.frame(None, 0, 0)  # type: ignore[arg-type]  # what became of it does not matter
    np.zeros(7000, np.uint8)
    report = heap.report(1000)
    assert report["copy"].blocks == report["copy"].planes == 2
    assert report["copy"].bytes == 2000
    assert report["nothing"].blocks == 0
    assert not np.shares_memory(kept, copy)


def test_arrays_may_outlive_the_heap_that_counted_them() -> None:
    kept = []
    for _ in range(5):
        heap = Heap()
        with heap.counting():
            kept.append([np.zeros(1000 + number) for number in range(50)])
        del heap
        gc.collect()
    del kept[::2]
    assert sum(array.sum() for arrays in kept for array in arrays) == 0


@pytest.fixture(scope="module")
def studio() -> Studio:
    return open_studio(Console(stderr=True, quiet=True), settings())


@pytest.fixture(scope="module")
def bench(studio: Studio) -> StageBench:
    return open_bench({**PICTURE, "network": "0"}, studio)


@pytest.mark.models
@pytest.mark.parametrize(("network", "highest"), HIGHEST.items())
def test_the_pipeline_is_not_much_slower_than_it_was(studio: Studio, network: int, highest: float) -> None:
    """A ratio, so that it holds on any machine: frames against a fixed piece of work, taking turns."""
    bench, yardstick = open_bench({**PICTURE, "network": str(network)}, studio), Yardstick()
    bench.run(16)
    yardstick()
    blocks, sticks = [], []
    for _ in range(4):
        blocks.append(bench.run(8))
        sticks += [yardstick()[1] for _ in range(4)]
    assert sum(block.fates["swapped"] for block in blocks) == 32
    frame = costs(blocks)[FRAME]
    assert frame.cpu_p50_ms / (float(np.median(sticks)) / 1e6) < highest


@pytest.mark.models
def test_a_sealed_picture_lies_where_it_was_decoded(bench: StageBench) -> None:
    memory = bench.memory(8)
    assert memory.in_place
    assert memory.plane_bytes == 640 * 360
    assert memory.kept_bytes < 20_000, "a frame leaves nothing behind"
    assert memory.peak_bytes["landmarks"] > 0


@pytest.mark.models
def test_the_network_stays_at_the_size_that_was_asked_for(bench: StageBench, studio: Studio) -> None:
    with pytest.raises(BadRequest, match="256, 192, 128, 0"):
        open_bench({"network": "100"}, studio)
    small = open_bench({**PICTURE, "network": "128"}, studio)
    small.run(16)
    bench.run(16)
    pairs = [(small.run(8), bench.run(8)) for _ in range(3)]
    with_net, without = (costs(list(blocks)) for blocks in zip(*pairs, strict=True))
    assert with_net["refine"].cpu_p50_ms > 10 * without["refine"].cpu_p50_ms
    assert with_net[FRAME].cpu_p50_ms > without[FRAME].cpu_p50_ms
