"""Whether one and the same person is in front of a camera that runs: what must hold in every picture of a check."""

from __future__ import annotations

from typing import Final

import numpy as np

from livefake.clock import Nanos, seconds
from livefake.errors import ConsentError
from livefake.faces.identity import SAME_PERSON, distance
from livefake.frame import Floats
from livefake.trust.motion import Motion
from livefake.trust.watch import Face, View, trouble

__all__ = ["AGAIN", "Presence", "stranger"]

AGAIN: Final = "Start again when you are ready."

_BEFORE: Final[Nanos] = 10_000_000_000
_GRACE: Final[Nanos] = 1_500_000_000
_PAUSE: Final[Nanos] = 3_000_000_000
_BACKWARDS: Final = 30
_COMPANY: Final[Nanos] = 2_000_000_000


class Presence:
    """Takes one view after the other.

    Attributes:
        trouble: why the face in the last view cannot be told; empty when it can.
        start: instant of the first view.
        now: instant of the last view.
        first: instant of the first view with a face that can be told.
        views: how many of those there were.
        embeddings: whose face it was, (128,) float32 each.
        matched: instant of the last of them.
        apart: the largest distance of one of them to the person.
    """

    def __init__(self) -> None:
        self.trouble = ""
        self.start: Nanos = 0
        self.now: Nanos | None = None
        self.first: Nanos | None = None
        self.views = 0
        self.embeddings: list[Floats] = []
        self.matched: Nanos | None = None
        self.apart = 0.0
        self._person: Floats | None = None
        self._motion = Motion()
        self._good: Nanos | None = None
        self._crowd: Nanos | None = None
        self._backwards = 0

    def take(self, view: View) -> Face | None:
        """Take a view.

        Returns:
            The face, when it can be told. None too for a view that is not later than the one before, which is left
            out: ``now`` stays then.

        Raises:
            ConsentError: no grant can come of this, for the reason given.
        """
        if not self._pass_time(view.at):
            return None
        self.trouble = self._company(view) or trouble(view.face)
        face = view.face
        if face is None or self.trouble:
            since = self.start if self._good is None else self._good
            if view.at - since > (_BEFORE if self._good is None else _GRACE):
                raise ConsentError(self.trouble, AGAIN)
            return None
        if self.first is None:
            self.first = view.at
        self._good = view.at
        self.views += 1
        self._watch_motion(face, view.at)
        self._compare(face.embedding, view.at)
        return face

    def know(self) -> None:
        """Hold all faces from now on against those seen so far."""
        self._person = np.asarray(np.mean(self.embeddings, axis=0), np.float32)

    def _pass_time(self, at: Nanos) -> bool:
        """Whether an instant lies after all before it."""
        if self.now is None:
            self.start = at
        elif at <= self.now:
            self._backwards += 1
            if self._backwards > _BACKWARDS:
                raise ConsentError("The pictures of the camera do not come in order of time.", "Restart the camera.")
            return False
        elif at - self.now > _PAUSE:
            raise ConsentError(f"The camera stood still for {seconds(at - self.now):.1f} seconds.", AGAIN)
        self._backwards = 0
        self.now = at
        return True

    def _company(self, view: View) -> str:
        if view.count <= 1:
            return ""
        # The detector may see a face in a curtain, once.
        if self._crowd is not None and view.at - self._crowd <= _COMPANY:
            raise ConsentError(
                f"There should be one person in the picture, and there are {view.count}.",
                "Ask the others to step aside, and start again.",
            )
        self._crowd = view.at
        return "Somebody else seems to be in the picture; be alone, please."

    def _watch_motion(self, face: Face, at: Nanos) -> None:
        self._motion.add(face, at)
        if self._motion.frozen:
            raise ConsentError(
                "The picture does not move at all: the camera stands still or shows a photograph.",
                "Restart the camera, and sit in front of it yourself.",
            )
        if self._motion.repeats:
            raise ConsentError(
                "The same movement was seen twice, the same to a hair: this is a recording.",
                "Sit in front of the camera yourself, and start again.",
            )

    def _compare(self, embedding: Floats | None, at: Nanos) -> None:
        if embedding is None:
            return
        if self.embeddings:
            known = self._person if self._person is not None else np.mean(self.embeddings, axis=0)
            apart = distance(embedding, np.asarray(known, np.float32))
            # Written so that NaN fails too.
            if not apart < SAME_PERSON:
                raise stranger()
            self.apart = max(self.apart, apart)
        elif not np.isfinite(embedding).all():
            raise stranger()
        self.embeddings.append(embedding)
        self.matched = at


def stranger() -> ConsentError:
    """The refusal of a change of person."""
    return ConsentError(
        "Another person is in front of the camera than at the beginning.",
        "One person alone, with an uncovered face, starts again.",
    )
