"""Timing the stages of the pipeline on frames that are decoded beforehand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from livefake.clock import monotonic
from livefake.compose.others import Others
from livefake.errors import BadMedia
from livefake.flow.timing import FRAME, Timing, Timings
from livefake.frame import Frame
from livefake.machine import describe_machine
from livefake.media.file import FileReader
from livefake.offline import patient_budget
from livefake.studio import Studio
from livefake.trust.gate import never_shown

__all__ = ["StageBench", "bench_stages"]

_WARM = 30


@dataclass(frozen=True, slots=True)
class StageBench:
    """What one run measured.

    Attributes:
        machine: processor, cores, system, in words.
        stages: by name; processor time is the whole process's.
        frame: all stages together.
    """

    machine: str
    stages: Mapping[str, Timing]
    frame: Timing

    def document(self) -> dict[str, object]:
        """The result as plain values for JSON."""
        stages = {name: asdict(timing) for name, timing in self.stages.items()}
        return {"machine": self.machine, "stages": stages, "frame": asdict(self.frame)}


def bench_stages(studio: Studio, clip: Path, persona: str, *, frames: int) -> StageBench:
    """Run the pipeline over a clip and time its stages.

    The clip is decoded before the clock starts and runs through twice in part: the first frames warm caches and
    are not counted.

    Args:
        studio: the loaded networks.
        clip: a video with one face.
        persona: id of the persona to wear.
        frames: how many frames count.

    Raises:
        BadMedia: the clip cannot be read.
        NotFound: there is no such persona.
    """
    with FileReader(clip, clock=monotonic) as reader:
        reel = list(islice((item for item in reader if isinstance(item, Frame)), frames))
    if not reel:
        raise BadMedia(f"{clip} has no picture that can be decoded.")
    warm = [Frame(frame.i420.copy(), frame.pts, frame.arrived, frame.time_base) for frame in reel[:_WARM]]
    timings = Timings(size=frames)
    for pictures, observers in ((warm, ()), (reel, (timings,))):
        rig = studio.rig(
            persona,
            session=0,
            others=Others.BLUR,
            budget=patient_budget(),
            clock=monotonic,
            cpu_clock=time.process_time_ns,
            observers=observers,
            record=never_shown,
        )
        for frame in pictures:
            rig(frame)
    measured = dict(timings.report())
    return StageBench(describe_machine(), measured, measured.pop(FRAME, Timing()))
