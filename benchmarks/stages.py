"""Every stage of the pipeline at every size: 360 to 1080 lines, small to large faces, one and two, mesh and network.

    python -m benchmarks.stages                      the whole grid, some minutes
    python -m benchmarks.stages --lines 720 --face 240 --faces 1 --network 192 --network 128

The pictures are the demo clip, scaled and laid out so that its face has the height in question. The sizes of the
network take turns on the same pictures, and a fixed piece of work runs between them, so that figures of two minutes can
be compared. Memory is looked at afterwards on further frames.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.heap import Heap
from benchmarks.records import FOLDER, as_program, recording
from benchmarks.stats import percentiles
from benchmarks.worker import CLIP_FRAMES
from benchmarks.yardstick import Yardstick
from livefake.cli.tools import open_studio, settings
from livefake.errors import BadRequest
from livefake.flow.timing import FRAME
from livefake.resources import models_folder
from livefake.stagebench import NETWORKS, WARM, Block, StageBench, costs
from livefake.stagereel import LINES, Layout, find_faces, lay_out, read_clip

if TYPE_CHECKING:
    from livefake.studio import Studio

__all__ = ["FACES", "grid", "main", "measure"]

FACES: Final = (120, 240, 360)
"""Heights of a face, pixels."""

_ROUNDS: Final = 3
_MEMORY_FRAMES: Final = 16


def grid(
    lines: Sequence[int] = tuple(LINES), faces: Sequence[int] = FACES, counts: Sequence[int] = (1, 2)
) -> list[Layout]:
    """All layouts that can be; a large face does not fit into a small picture.

    Raises:
        BadRequest: none fits, or a number is not known.
    """
    chosen = []
    for height in lines:
        for face in faces:
            if 32 <= face <= 0.8 * height:
                chosen += [Layout(height, face, count) for count in counts]
    if not chosen:
        raise BadRequest(
            f"A face of {min(faces)} pixels does not fit into {max(lines)} lines.",
            "A face may have 32 pixels to four fifths of the picture's height.",
        )
    return chosen


def measure(
    studio: Studio, layout: Layout, networks: Sequence[int], *, frames: int, clip: Path, persona: str
) -> list[dict[str, Any]]:
    """Time one layout with each size of the network in turn.

    Args:
        studio: the loaded networks.
        layout: of the pictures.
        networks: sides of the network's crop, 0 for the mesh warp alone.
        frames: how many count, for each size.
        clip: a video with one face.
        persona: id of the persona to wear.

    Returns:
        For each size plain values: ``setting``, ``costs`` by stage, ``yardstick_ms`` (median, in the same minute),
        ``per_yardstick`` (the median frame in such units), ``memory``, ``heap`` and the raw ``blocks``.
    """
    pictures = read_clip(clip, CLIP_FRAMES)
    boxes = find_faces(pictures, studio.networks())
    heap = Heap()
    benches = [
        StageBench(
            studio,
            persona,
            lay_out(pictures, boxes, layout),
            network=network,
            layout=layout,
            observers=(heap,),
            begin=heap.begin,
        )
        for network in networks
    ]
    yardstick = Yardstick()
    for bench in benches:
        bench.run(WARM)
    yardstick()
    sticks: list[float] = []
    blocks: list[list[Block]] = [[] for _ in benches]
    for _ in range(_ROUNDS):
        for bench, taken in zip(benches, blocks, strict=True):
            taken.append(bench.run(max(8, frames // _ROUNDS)))
            sticks += [yardstick()[0] / 1e6 for _ in range(3)]
    stick = float(np.median(sticks))
    results = []
    for bench, taken in zip(benches, blocks, strict=True):
        figures = costs(taken)
        frame = figures.get(FRAME)
        memory = bench.memory(_MEMORY_FRAMES)
        with heap.counting():
            bench.run(_MEMORY_FRAMES)
        results.append(
            {
                "setting": bench.describe(),
                "costs": {name: asdict(cost) for name, cost in figures.items()},
                "yardstick_ms": round(stick, 3),
                "per_yardstick": None if frame is None else round(frame.p50_ms / stick, 3),
                "memory": asdict(memory),
                "heap": {name: asdict(took) for name, took in heap.report(memory.plane_bytes).items()},
                "blocks": [asdict(block) for block in taken],
                "yardsticks": percentiles(sticks),
            }
        )
    return results


def run(
    layouts: Sequence[Layout],
    networks: Sequence[int],
    *,
    frames: int,
    clip: Path | None = None,
    persona: str | None = None,
    out: Path = FOLDER,
) -> list[dict[str, Any]]:
    """Measure the grid, show progress, write the result and print a table.

    Raises:
        LivefakeError: a model is missing, the clip cannot be read, or the result cannot be written.
    """
    console = Console(stderr=True)
    studio = open_studio(console, settings())
    clip = clip or models_folder() / "demo" / "performer.mp4"
    persona = persona or studio.personas[0].id
    asked = {"frames": frames, "networks": list(networks), "persona": persona, "clip": clip.name}
    results: list[dict[str, Any]] = []
    with recording("stages", out, asked, tell=console.print) as record, _progress(console) as progress:
        task = progress.add_task("", total=len(layouts))
        for layout in layouts:
            progress.update(task, description=_words(asdict(layout)))
            results += measure(studio, layout, networks, frames=frames, clip=clip, persona=persona)
            record.results = {"stages": results}
            progress.advance(task)
    Console().print(_table(results))
    return results


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True)


def _words(setting: dict[str, Any]) -> str:
    faces = "two faces" if setting["faces"] == 2 else "a face"
    return f"{setting['lines']} lines, {faces} of {setting['face']} pixels"


def _table(results: Sequence[dict[str, Any]]) -> Table:
    heads = ("lines", "faces", "net", "p50", "p95", "p99", "cpu", "yards", "arrays", "MiB", "large")
    note = (
        "Milliseconds a frame; yards: p50 in units of the fixed work; arrays and MiB: what numpy takes for a frame; "
        "large: arrays as large as the luma plane, which a copy of the picture would need."
    )
    table = Table(*heads, box=None, header_style="bold", caption=note, caption_justify="left")
    for column in table.columns:
        column.no_wrap, column.justify = True, "right"
    for row in _rows(results):
        table.add_row(*row)
    return table


def _rows(results: Sequence[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    for result in results:
        setting, cost, heap = result["setting"], result["costs"].get(FRAME), result["heap"].values()
        where = (str(setting["lines"]), f"{setting['faces']} x {setting['face']}", str(setting["network"] or "mesh"))
        if cost is None:
            yield (*where, "no face")
            continue
        figures = (f"{cost[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms", "cpu_ms"))
        blocks, taken, planes = (sum(took[name] for took in heap) for name in ("blocks", "bytes", "planes"))
        # A sealed picture that lies elsewhere than the decoded one was copied as a whole.
        copies = f"{planes:.1f}" if result["memory"]["in_place"] else f"{planes:.1f} + picture"
        yield (*where, *figures, f"{result['per_yardstick']:.2f}", f"{blocks:.0f}", f"{taken / 2**20:.1f}", copies)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, action="append", choices=tuple(LINES), help="of the picture; all")
    parser.add_argument("--face", type=int, action="append", help=f"height of a face; {FACES}")
    parser.add_argument("--faces", type=int, action="append", choices=(1, 2), help="how many; both")
    parser.add_argument("--network", type=int, action="append", choices=NETWORKS, help="0: mesh alone; all")
    parser.add_argument("--frames", type=int, default=96, help="that count, for each setting")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the result")
    chosen = parser.parse_args(arguments)
    layouts = grid(chosen.lines or tuple(LINES), chosen.face or FACES, chosen.faces or (1, 2))
    run(layouts, chosen.network or NETWORKS, frames=chosen.frames, out=chosen.out)


if __name__ == "__main__":
    as_program(main)
