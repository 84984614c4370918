"""What a session tells about itself: counts, rates, reasons, and the words for people."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from livefake.clock import Nanos, seconds
from livefake.compose.others import Others
from livefake.flow.hold import State
from livefake.flow.outcome import Fate, Outcome
from livefake.flow.timing import Timing
from livefake.media.recorder import Recording
from livefake.media.selfread import MarkReads
from livefake.trust.gate import ENDED, UNRECORDED

__all__ = ["FAILED", "LEFT", "LOST", "SILENT", "UNREAD", "WORDS", "Rate", "Report", "Tally", "kind"]

LEFT: Final = "performer left"
"""Reason of a hold that a person has to end: see ``livefake.faces.stages.Follow``."""
UNREAD: Final = "mark unread"
"""Reason of a hold: what the encoder sent did not carry the session's mark."""
LOST: Final = "mark lost"
"""Reason of a hold that a person has to end: it did not carry it again and again."""
SILENT: Final = "no pictures"
"""Reason of a hold: nothing comes from the performer."""

WORDS: Final = {
    "": ("Starting", "The first swapped picture is on its way."),
    "no face": ("No face in the picture", "The swap goes on when the face is back."),
    LEFT: ("The performer has left", "Press Resume to go on with whoever is here now."),
    "face hidden": ("The face is turned away", "The swap goes on when it can be seen."),
    ENDED: ("The consent has ended", "The person whose face this was no longer allows it, or the time is up."),
    UNRECORDED: ("The ledger cannot be written", "Until it can, the face of a real person is not shown."),
    UNREAD: ("The mark could not be read", "The swap goes on when it can be read again."),
    LOST: ("The mark could not be read", "It failed again and again. Press Resume to try once more."),
    "face too small": ("The face is too far away", "Come closer to the camera."),
    SILENT: ("The connection is interrupted", "The picture goes on when the performer is connected again."),
}
"""Title and detail of the card, by the kind of reason."""
FAILED: Final = ("The swap has stopped", "Nothing of the camera is shown. The reason is on the livefake page.")


def kind(reason: str) -> str:
    """What a reason begins with: the words on a card say no more, because viewers read them too."""
    return reason.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Report:
    """How a session is doing.

    Attributes:
        state: what a viewer sees.
        reason: why it is not live, for a person; empty when it is.
        needs_resume: whether the performer was lost for so long that a person has to press Resume.
        persona: id of the persona that is worn.
        others: what happens to other faces.
        source_fps, shown_fps: frames a second, in and out, over the last two seconds.
        width, height: of the pictures, 0 before the first.
        frames: count by outcome: arrived, swapped, held, carded, dropped, late, failed.
        stages: what each stage takes.
        frame: what the whole pipeline takes.
        server_ms: median time from a frame's arrival to its picture's being handed to the sinks, milliseconds.
        quality: what the swap runs with, in words.
        steps_down: how many steps below the best that is.
        moves: how often it has changed.
        queue_depth: most frames that ever waited in one place.
        tone: 0 for the performer's skin tone, 1 for the persona's.
        recording: how the latest recording does; None before the first.
        mark: how often the session's own mark was looked for in what was sent.
        mark_unread: whether the session is on hold because it was not there.
        mark_age: seconds since it was last read; None before the first time.
    """

    state: State
    reason: str
    needs_resume: bool
    persona: str
    others: Others
    source_fps: float
    shown_fps: float
    width: int
    height: int
    frames: Mapping[str, int]
    stages: Mapping[str, Timing]
    frame: Timing
    server_ms: float
    quality: str
    queue_depth: int
    steps_down: int = 0
    moves: int = 0
    tone: float = 0.0
    recording: Recording | None = None
    mark: MarkReads = field(default_factory=MarkReads)
    mark_unread: bool = False
    mark_age: float | None = None


class Rate:
    """Events a second over a window."""

    def __init__(self, window: Nanos = 2_000_000_000) -> None:
        self._window = window
        self._times: deque[Nanos] = deque(maxlen=256)

    def add(self, now: Nanos) -> None:
        """One more event."""
        self._times.append(now)

    def read(self, now: Nanos) -> float:
        """Events a second up to that instant; 0 before the second event."""
        while self._times and now - self._times[0] > self._window:
            self._times.popleft()
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(seconds(self._times[-1] - self._times[0]), 1e-3)


class Tally:
    """Observer that counts outcomes and remembers why the last frame was not shown."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reason = ""

    def stage(self, name: str, wall: Nanos, cpu: Nanos) -> None:
        """Stages do not matter here; see ``Observer``."""

    def frame(self, outcome: Outcome, wall: Nanos, cpu: Nanos) -> None:
        """Count a frame; see ``Observer``."""
        self.counts[outcome.fate] += 1
        if outcome.fate is not Fate.LATE:
            self.reason = outcome.reason
