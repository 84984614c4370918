"""One side of a comparison: a process that times blocks of frames when it is told to.

It speaks JSON, one line at a time, on standard input and output: first a setting, then for each number of frames a
block of samples. ``benchmarks.compare`` starts two of them and lets them take turns.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from livefake.stagebench import StageBench
    from livefake.studio import Studio

__all__ = ["CLIP_FRAMES", "open_bench"]

CLIP_FRAMES: Final = 48
"""Pictures of the clip that a reel is made from."""


def open_bench(setting: Mapping[str, str], studio: Studio | None = None) -> StageBench:
    """The bench for a setting.

    Args:
        setting: ``lines``, ``face``, ``faces``, ``network``, ``persona``, ``clip``; all may be missing.
        studio: the loaded networks; they are loaded now if None.

    Raises:
        LivefakeError: something does not fit or is missing.
    """
    from rich.console import Console

    from livefake.cli.tools import open_studio, settings
    from livefake.resources import models_folder
    from livefake.stagebench import NETWORKS, StageBench
    from livefake.stagereel import Layout, find_faces, lay_out, read_clip

    layout = Layout(int(setting.get("lines", 0)), int(setting.get("face", 0)), int(setting.get("faces", 1)))
    studio = studio or open_studio(Console(stderr=True, quiet=True), settings())
    clip = Path(setting["clip"]) if setting.get("clip") else models_folder() / "demo" / "performer.mp4"
    frames = read_clip(clip, CLIP_FRAMES)
    boxes = find_faces(frames, studio.networks()) if layout.lines else []
    persona = str(setting.get("persona") or studio.personas[0].id)
    network = int(setting.get("network", NETWORKS[0]))
    return StageBench(studio, persona, lay_out(frames, boxes, layout), network=network, layout=layout)


def main() -> None:
    """Answer the parent until it closes the pipe."""
    # What a library prints must not stand between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from livefake.errors import LivefakeError
    from livefake.stagebench import WARM

    def say(value: object) -> None:
        print(json.dumps(value), file=answers, flush=True)

    try:
        bench = open_bench(json.loads(sys.stdin.readline()))
        bench.run(WARM)
    except LivefakeError as error:
        say({"problem": str(error)})
        return
    say(bench.describe())
    for line in sys.stdin:
        say(asdict(bench.run(int(line))))


if __name__ == "__main__":
    main()
