"""A file instead of a camera: the same rig, every frame, no hurry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from livefake.clock import Clock, Nanos, seconds
from livefake.errors import BadMedia
from livefake.flow.budget import Budget
from livefake.flow.hold import Hold, State
from livefake.frame import Frame
from livefake.media.file import FileReader, FileWriter
from livefake.media.ports import Painter
from livefake.media.still import SUFFIXES, PictureWriter
from livefake.media.witness import Witness
from livefake.rig import Rig
from livefake.trust.seal import Sealed

__all__ = ["FileReport", "patient_budget", "swap_file"]

_LEAST_SIDE = 64


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of a file's frames.

    Attributes:
        frames: in the file, and in the file that was written.
        swapped: show the persona.
        held: show the last swapped picture again, because there was nothing to swap for a moment.
        carded: show the hold card, because there was nothing to swap for longer.
        seconds: wall time of the whole work.
    """

    frames: int
    swapped: int
    held: int
    carded: int
    seconds: float


def patient_budget() -> Budget:
    """A budget for work that nobody waits for: nothing is ever late, everything is affordable."""
    hour: Nanos = 3_600_000_000_000
    return Budget(interval=hour, patience=1e6, ceiling=hour * 1_000_000, learning=False)


def swap_file(
    source: Path,
    target: Path,
    rig: Rig,
    painter: Painter,
    *,
    sign: Callable[[Path, Path], None],
    clock: Clock,
    progress: Callable[[int, int], None],
    witness: Witness | None = None,
) -> FileReport:
    """Swap the performer's face in a file.

    Every frame of the input has one in the output, at its own time: swapped, or the last swapped picture, or a
    card; never the original. Sound is copied.

    Args:
        source, target: input and output; they must not be the same file. An output that is called a picture gets
            one, of an input that is one.
        rig: with a patient budget.
        painter: draws hold cards.
        sign: writes a signed copy of its first file to its second, see ``Provenancer.sign``.
        clock: measures the work.
        progress: told the number of frames done, and in all (0 if unknown).
        witness: sees every picture that is written, at its own time, for the ledger; the caller has begun its session
            and ends it.

    Raises:
        BadMedia: the input cannot be read, or the output cannot be written; nothing is left behind then.
        LivefakeError: the output cannot be signed; nothing is left behind then either.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise BadMedia(f"{target} is the input itself.", "Name another file for the output.")
    started = clock()
    counts: Counter[str] = Counter()
    hold = Hold()
    last: Sealed | None = None
    with FileReader(source, clock=clock) as reader, _writer(target, reader, sign) as writer:
        for item in reader:
            if not isinstance(item, Frame):
                writer.pass_on(item)
                continue
            if min(item.width, item.height) < _LEAST_SIDE:
                raise BadMedia(f"A video should be {_LEAST_SIDE} pixels or more a side, {source} has fewer.")
            sealed, pts, instant = rig(item), item.pts, item.instant
            if sealed is not None:
                hold.show(instant)
                last = sealed
                fate = "swapped"
            elif last is not None and hold.state(instant) in (State.LIVE, State.HELD):
                sealed, fate = last, "held"
            else:
                card = painter.paint(item.width, item.height, "No face to swap", "", pts=pts, arrived=item.arrived)
                card.time_base = item.time_base
                sealed, fate = rig.card(card), "carded"
            writer.write(sealed, pts=pts)
            if witness is not None:
                witness.see(sealed, instant)
            counts[fate] += 1
            progress(counts.total(), reader.frames)
        if not counts:
            raise BadMedia(f"{source} has no picture that can be decoded.")
    return FileReport(counts.total(), counts["swapped"], counts["held"], counts["carded"], seconds(clock() - started))


def _writer(target: Path, reader: FileReader, sign: Callable[[Path, Path], None]) -> FileWriter | PictureWriter:
    if target.suffix.lower() in SUFFIXES:
        return PictureWriter(target, sign=sign)
    return FileWriter(target, reader, sign=sign)
