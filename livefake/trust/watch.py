"""Watching one person in front of the camera before their grant is signed. Pure logic over what was seen.

It refuses company, a change of person, and a head that never turns. It is no proof of a living person: a picture that
is moved cleverly, or a program that pretends to be a camera, may pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from livefake.clock import Nanos, seconds
from livefake.errors import ConsentError
from livefake.faces.identity import SAME_PERSON, distance, template
from livefake.frame import Floats

__all__ = ["TURN", "Face", "View", "Watch", "Watched"]

TURN: Final = 15.0
"""How far the head has to turn to each side, degrees: clearly more than anybody does by chance, and both eyes stay in
sight."""

_LEAST_WIDTH: Final = 100
_LEAST_LIGHT: Final = 45.0
_BEFORE: Final[Nanos] = 5_000_000_000
_GRACE: Final[Nanos] = 1_500_000_000
_LEAST_VIEWS: Final = 12
_AGAIN: Final = "Start again when you are ready."


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """The one face in a picture.

    Attributes:
        embedding: (128,) float32.
        yaw: degrees, positive when it looks to the right edge of the picture.
        width: of its mesh, pixels.
        light: mean luma of its box, 16..235.
    """

    embedding: Floats
    yaw: float
    width: float
    light: float


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What was seen in one picture.

    Attributes:
        at: the picture's instant; never earlier than the one before.
        count: how many faces.
        face: the face, when there is one only.
    """

    at: Nanos
    count: int
    face: Face | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A person who was watched for long enough.

    Attributes:
        template: (128,) float32, stands for the person's face.
        evidence: for the grant: times in milliseconds, distances in thousandths, degrees whole.
    """

    template: Floats
    evidence: Mapping[str, str | int]


class Watch:
    """Takes one view after the other and says when it has seen enough.

    Args:
        least: how long one person has to be seen.
        patience: how long they may take.
    """

    def __init__(self, *, least: Nanos = 5_000_000_000, patience: Nanos = 40_000_000_000) -> None:
        self._least = least
        self._patience = patience
        self._start: Nanos | None = None
        self._first: Nanos | None = None
        self._last: Nanos = 0
        self._trouble = ""
        self._embeddings: list[Floats] = []
        self._apart = 0.0
        self._yaws = [0.0, 0.0]

    @property
    def hint(self) -> str:
        """What the person should do next."""
        if self._trouble:
            return self._trouble
        if self._first is None:
            return "Look into the camera."
        left, right = self._yaws[0] <= -TURN, self._yaws[1] >= TURN
        if left and right:
            return "Look into the camera, a moment more."
        return "Now turn your head to the other side." if left or right else "Turn your head slowly to one side."

    def see(self, view: View) -> bool:
        """Take what was seen.

        Returns:
            Whether it is enough.

        Raises:
            ConsentError: no grant can come of this, for the reason given.
        """
        if self._start is None:
            self._start = view.at
        if view.count > 1:
            raise ConsentError(
                f"There should be one person in the picture, and there are {view.count}.",
                "Ask the others to step aside, and start again.",
            )
        face = view.face
        self._trouble = _trouble(face)
        if face is None or self._trouble:
            since = self._start if self._first is None else self._last
            if view.at - since > (_BEFORE if self._first is None else _GRACE):
                raise ConsentError(self._trouble, _AGAIN)
            return False
        self._compare(face.embedding)
        if self._first is None:
            self._first = view.at
        self._last = view.at
        self._yaws = [min(self._yaws[0], face.yaw), max(self._yaws[1], face.yaw)]
        if self._enough():
            return True
        if view.at - self._start > self._patience:
            raise self._short()
        return False

    def result(self) -> Watched:
        """The person who was watched.

        Raises:
            ConsentError: it was not enough: nobody was there, not for long enough, or the head was never turned.
        """
        if self._first is None:
            raise ConsentError(self._trouble or _trouble(None), _AGAIN)
        if not self._enough():
            raise self._short()
        return Watched(
            template(self._embeddings),
            {
                "method": "live camera, one person, a turn to each side",
                "watched_ms": (self._last - self._first) // 1_000_000,
                "views": len(self._embeddings),
                "farthest_distance_milli": round(self._apart * 1000),
                "yaw_left_degrees": round(-self._yaws[0]),
                "yaw_right_degrees": round(self._yaws[1]),
            },
        )

    def _compare(self, embedding: Floats) -> None:
        if self._embeddings:
            mean = np.asarray(np.mean(self._embeddings, axis=0), np.float32)
            apart = distance(embedding, mean)
            # Written so that NaN fails too.
            if not apart < SAME_PERSON:
                raise ConsentError(
                    "Another person is in front of the camera than at the beginning.",
                    "One person alone, with an uncovered face, starts again.",
                )
            self._apart = max(self._apart, apart)
        self._embeddings.append(embedding)

    def _enough(self) -> bool:
        turned = self._yaws[0] <= -TURN and self._yaws[1] >= TURN
        long = self._first is not None and self._last - self._first >= self._least
        return turned and long and len(self._embeddings) >= _LEAST_VIEWS

    def _short(self) -> ConsentError:
        left, right = self._yaws[0] <= -TURN, self._yaws[1] >= TURN
        if not (left and right):
            side = "to either side" if not (left or right) else "to one side"
            return ConsentError(
                f"The head was never turned {side}.", "Start again, and turn your head slowly to each side."
            )
        seen = 0.0 if self._first is None else seconds(self._last - self._first)
        return ConsentError(
            f"The camera should be watched for {seconds(self._least):.0f} s with {_LEAST_VIEWS} pictures or more,"
            f" and it showed one person for {seen:.1f} s in {len(self._embeddings)}.",
            _AGAIN,
        )


def _trouble(face: Face | None) -> str:
    """Why a face cannot be told; empty when it can. A sentence for the person in front of the camera."""
    if face is None:
        return "No face can be seen; sit in front of the camera."
    if face.light < _LEAST_LIGHT:
        return "It is too dark to see your face; turn on a light."
    if face.width < _LEAST_WIDTH:
        return "Your face is too small in the picture; come closer."
    return ""
