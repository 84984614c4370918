"""What ties the quality ladder to a pipeline: it times the frames, and puts the ladder's step in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from livefake.clock import Clock, Nanos
from livefake.flow.budget import Budget
from livefake.flow.ladder import Ladder, Step
from livefake.flow.outcome import Fate, Outcome
from livefake.flow.stage import Stage

__all__ = ["Quality"]


class Quality:
    """Observer of a pipeline that moves its steps of quality between two frames.

    Args:
        ladder: chooses the step.
        budget: knows the source's rate, and what the optional stage usually costs.
        network: the stage that runs the swap network; optional.
        apply: puts a step in force; called on the pipeline's thread, and once at the start.
        lines: tells how many lines the source's pictures have; called on the pipeline's thread.
        missed: called when a frame was shown without the network although its step has it.
        clock: monotonic.

    Attributes:
        skipped: frames that were left out because the step takes only some.
    """

    def __init__(
        self,
        ladder: Ladder,
        budget: Budget,
        network: Stage,
        *,
        apply: Callable[[Step], None],
        lines: Callable[[], int],
        missed: Callable[[], None],
        clock: Clock,
    ) -> None:
        self.ladder = ladder
        self.skipped = 0
        self._budget = budget
        self._network = network
        self._apply = apply
        self._lines = lines
        self._missed = missed
        self._clock = clock
        self._spent: Nanos | None = None
        self._came = 0
        self._fresh: Mapping[int, Nanos] | None = None
        apply(ladder.step)

    @property
    def step(self) -> Step:
        """The one in force."""
        return self.ladder.step

    def takes(self) -> bool:
        """Whether the next frame is worked on; to be asked once for each, on the pipeline's thread."""
        if self._fresh is not None:
            networks, self._fresh = self._fresh, None
            self.ladder.change(networks)
            self._renew()
        self._came += 1
        taken = self._came % self.ladder.every == 0
        self.skipped += not taken
        return taken

    def change(self, networks: Mapping[int, Nanos]) -> None:
        """Go on with another network from the next frame on; may be called on another thread.

        Args:
            networks: see ``Ladder``.
        """
        self._fresh = networks

    def stage(self, name: str, wall: Nanos, cpu: Nanos) -> None:
        """A stage has run; see ``Observer``."""
        if name == self._network.name:
            self._spent = wall

    def frame(self, outcome: Outcome, wall: Nanos, cpu: Nanos) -> None:
        """A frame is through; one that had no face to work on says nothing about the load."""
        spent, self._spent = self._spent, None
        if outcome.fate not in (Fate.SWAPPED, Fate.LATE):
            return
        if spent is None and outcome.shown and self.step.side:
            self._missed()
            # What it would have taken: otherwise a stage that is left out would look like room.
            spent = self._budget.usual(self._network)
            wall += spent
        self.ladder.measure(self._lines())
        if self.ladder.see(wall, spent or 0, self._budget.interval, self._clock()):
            self._renew()

    def _renew(self) -> None:
        self._budget.forget(self._network)
        self._apply(self.step)
