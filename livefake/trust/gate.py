"""The stage in front of a real person's persona: it asks again and again whether the consent still holds."""

from __future__ import annotations

from typing import Final

from livefake.clock import Nanos, Wall
from livefake.errors import LivefakeError
from livefake.frame import Drop, Frame
from livefake.trust.consent import Output, Purpose
from livefake.trust.grants import GrantBook

__all__ = ["ENDED", "ConsentGate"]

ENDED: Final = "consent ended"
"""How the reason of a dropped frame begins."""

_PACE: Final[Nanos] = 1_000_000_000


class ConsentGate:
    """Lets frames pass while a grant covers them.

    It decides with the first frame and then once a second of the frames' own time. What has ended stays ended: a
    clock that is put back brings nothing back, a new session does.

    Args:
        book: read at each decision, so that a revocation by another program counts.
        grant: id of the grant.
        output: where the pictures go.
        wall: the wall clock.
    """

    name = "consent"
    vital = True

    def __init__(self, book: GrantBook, grant: str, *, output: Output, wall: Wall) -> None:
        self._book = book
        self._grant = grant
        self._output = output
        self._wall = wall
        self._decided: Nanos | None = None
        self._ended = ""

    def __call__(self, frame: Frame) -> Frame:
        """Let the frame pass.

        Raises:
            Drop: the grant does not cover it, or did not cover an earlier one.
        """
        if not self._ended and (self._decided is None or abs(frame.arrived - self._decided) >= _PACE):
            try:
                self._book.check(self._grant, now=self._wall(), purpose=Purpose.WEAR, output=self._output)
            except LivefakeError as error:
                self._ended = error.problem
            # Only a decision that came about lets the frames of the next second pass.
            self._decided = frame.arrived
        if self._ended:
            raise Drop(f"{ENDED}: {self._ended}")
        frame.done.add(self.name)
        return frame
