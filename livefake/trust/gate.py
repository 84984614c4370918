"""The stages in front of a real person's persona: does the consent still hold, and is the ledger being written?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from livefake.clock import Nanos, Wall
from livefake.errors import LivefakeError
from livefake.frame import Drop, Frame
from livefake.trust.consent import Output, Purpose
from livefake.trust.grants import GrantBook

__all__ = ["ENDED", "UNRECORDED", "ConsentGate", "RecordGate", "never_shown", "no_ledger"]

ENDED: Final = "consent ended"
"""How the reason of a dropped frame begins."""

UNRECORDED: Final = "not recorded"
"""How the reason begins when the ledger is not written."""

_PACE: Final[Nanos] = 1_000_000_000


class ConsentGate:
    """Lets frames pass while a grant covers them.

    It decides with the first frame and then once a second of the frames' own time. What has ended stays ended: a
    clock that is put back brings nothing back, a new session does.

    Args:
        book: read at each decision, so that a revocation by another program counts.
        grant: id of the grant.
        output: where the pictures go; ``also`` adds to it.
        wall: the wall clock.
    """

    name = "consent"
    vital = True

    def __init__(self, book: GrantBook, grant: str, *, output: Output, wall: Wall) -> None:
        self._book = book
        self._grant = grant
        self._outputs: tuple[Output, ...] = (output,)
        self._wall = wall
        self._decided: Nanos | None = None
        self._ended = ""

    @property
    def grant(self) -> str:
        """Id of the grant."""
        return self._grant

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What the grant must cover now, the output that the gate was made for first."""
        return self._outputs

    def check(self, output: Output) -> None:
        """Look at once whether the grant covers an output.

        Raises:
            ConsentError: it does not.
        """
        self._book.check(self._grant, now=self._wall(), purpose=Purpose.WEAR, output=output)

    def also(self, output: Output) -> None:
        """From the next decision on, the grant must cover this output too."""
        if output not in self._outputs:
            self._outputs = (*self._outputs, output)

    def no_longer(self, output: Output) -> None:
        """This output has ended, and need not be covered any more; what the gate was made for stays."""
        self._outputs = (self._outputs[0], *(one for one in self._outputs[1:] if one is not output))

    def __call__(self, frame: Frame) -> Frame:
        """Let the frame pass.

        Raises:
            Drop: the grant does not cover it, or did not cover an earlier one.
        """
        if not self._ended and (self._decided is None or abs(frame.arrived - self._decided) >= _PACE):
            try:
                for output in self._outputs:
                    self.check(output)
            except LivefakeError as error:
                self._ended = error.problem
            # Only a decision that came about lets the frames of the next second pass.
            self._decided = frame.arrived
        if self._ended:
            raise Drop(f"{ENDED}: {self._ended}")
        frame.done.add(self.name)
        frame.grant = self._grant
        return frame


class RecordGate:
    """Lets frames pass while the ledger is written: a real person's face is shown only where that can be proved later.

    Once the ledger is written again, frames pass again.

    Args:
        problem: why it is not written, a sentence; empty when it is. Asked for every frame.
    """

    name = "record"
    vital = True

    def __init__(self, problem: Callable[[], str]) -> None:
        self._problem = problem

    def __call__(self, frame: Frame) -> Frame:
        """Let the frame pass.

        Raises:
            Drop: the ledger is not written.
        """
        if problem := self._problem():
            raise Drop(f"{UNRECORDED}: {problem}")
        frame.done.add(self.name)
        return frame


def no_ledger() -> str:
    """The problem where nobody keeps a ledger."""
    return "No ledger is kept here."


def never_shown() -> str:
    """No problem: pictures that nobody gets to see, as when the stages are timed, need no ledger."""
    return ""
