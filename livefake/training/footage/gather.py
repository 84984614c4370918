"""From footage to chosen takes: every file read once, judged at once, and kept, so that a stopped run goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from livefake.clock import Clock
from livefake.errors import BadInput, BadMedia
from livefake.frame import Floats
from livefake.training.footage.choose import choose
from livefake.training.footage.extract import SMALLEST, Extract, Eyes, extract
from livefake.training.footage.gate import distances, judge
from livefake.training.footage.measures import Measures, measure
from livefake.training.footage.sightings import read_sightings, write_sightings
from livefake.training.footage.sources import fingerprint, frames_in, list_footage
from livefake.training.footage.takes import Take, Takes, write_takes

__all__ = ["Gathered", "Told", "gather"]

_CHOSEN: Final = "chosen"
_FILES: Final = "files"


@dataclass(frozen=True, slots=True)
class Told:
    """How far the reading is.

    Attributes:
        file: the one that is being read.
        number, files: which one it is, from 1, and how many there are.
        frames, total: looked at, and in the file; total is 0 where the file does not say.
    """

    file: str
    number: int
    files: int
    frames: int
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What footage gave.

    Attributes:
        folder: of the chosen takes, for ``Takes``.
        measures: of each chosen take, in their order.
        looked_at: frames that were looked at.
        seen: frames with a face; every one was compared with the grant.
        median: of their distances to the grant's template.
        problems: one sentence for each file that was damaged or gave nothing.
    """

    folder: Path
    measures: tuple[Measures, ...]
    looked_at: int
    seen: int
    median: float
    problems: tuple[str, ...]


def gather(
    footage: Sequence[Path],
    work: Path,
    eyes: Eyes,
    template: Floats,
    *,
    clock: Clock,
    tell: Callable[[Told], None],
) -> Gathered:
    """Read footage and choose the takes.

    Each file is judged as soon as it is read, and kept only when it passed, so nothing of anybody else stays.

    Args:
        footage: files and folders.
        work: folder of this run; what it holds of earlier runs is used again. Only its owner may read it.
        eyes: the networks.
        template: (128,) float32, of the person who gave the grant.
        clock: stamps frames as they are read.
        tell: called after each frame.

    Raises:
        BadInput: there is no footage, or none of it has a frame that can be used.
        ConsentError: somebody else is in it.
        OSError: the folder cannot be written.
    """
    files = list_footage(footage)
    work.mkdir(parents=True, exist_ok=True, mode=0o700)
    problems: list[str] = []
    takes: list[Take] = []
    away: list[Floats] = []
    looked_at = 0
    for number, path in enumerate(files, 1):
        try:
            total = frames_in(path, clock=clock)

            def tell_frames(done: int, name: str = path.name, number: int = number, total: int = total) -> None:
                tell(Told(name, number, len(files), done, total))

            found = _read(path, work / _FILES, eyes, template, clock=clock, tell=tell_frames)
        except BadMedia as error:
            problems.append(error.problem)
            continue
        if found.damage:
            problems.append(f"{found.damage} What came before is used.")
        allowed = judge(path.name, found.sightings, template)
        # Sightings of the footage are in the order of its frames, and every take is one of them.
        instants = {float(at): bool(fits) for at, fits in zip(found.sightings.seconds, allowed, strict=True)}
        fitting = [take for take in found.takes if instants.get(float(np.float32(take.seconds)), False)]
        if not fitting:
            problems.append(_nothing(path.name, found))
        takes += fitting
        away.append(distances(found.sightings, template))
        looked_at += found.sightings.looked_at
    if not takes:
        raise BadInput(
            "Footage with one clear, well lit face of 100 pixels or more was expected, and no frame of it can be used:"
            f" {' '.join(problems)}",
            "Film the face from nearer, in even light, and name that file with --footage.",
        )
    measures = [measure(take.picture, take.points) for take in takes]
    chosen = choose(measures)
    write_takes(work / _CHOSEN, [takes[place] for place in chosen])
    every = np.concatenate(away)
    return Gathered(
        folder=work / _CHOSEN,
        measures=tuple(measures[place] for place in chosen),
        looked_at=looked_at,
        seen=len(every),
        median=float(np.median(every)),
        problems=tuple(problems),
    )


def _read(
    path: Path, kept: Path, eyes: Eyes, template: Floats, *, clock: Clock, tell: Callable[[int], None]
) -> Extract:
    """What a file gives: read from it, or from what an earlier run kept of it."""
    folder = kept / fingerprint(path)
    sightings = read_sightings(folder)
    if sightings is not None:
        tell(sightings.looked_at)
        return Extract(Takes(folder)[:], sightings, 0, "")
    found = extract(path, eyes, clock=clock, tell=tell)
    judge(path.name, found.sightings, template)
    if found.damage:
        # Read again next time: perhaps it is whole by then.
        shutil.rmtree(folder, ignore_errors=True)
        return found
    write_takes(folder, found.takes)
    # Last: with it the file counts as read.
    write_sightings(folder, found.sightings)
    # As they will be read next time, so that a run that was stopped chooses what an unbroken one does.
    return replace(found, takes=Takes(folder)[:])


def _nothing(name: str, found: Extract) -> str:
    if not len(found.sightings):
        return f"No face is in {name}."
    if found.small * 2 > len(found.sightings):
        return f"The face in {name} is smaller than {SMALLEST} pixels."
    return f"No frame of {name} is sharp, whole and light enough."
