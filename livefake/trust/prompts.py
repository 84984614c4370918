"""What a person is asked to do in front of the camera, and how far a face is on the way to it.

Every measure is taken relative to the person's own calm face. The reaches were set on rendered heads of six people
whose expression and turn are known, in pictures of 640 x 480 with the face about 200 pixels high: each gesture, made
as clearly as people make it when asked (a turn of 25 degrees, a look up of 15, a jaw more than half open, shut lids, a
smile at seven tenths of the kit's), lies above 1; no gesture lifts another one to 1.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from livefake.frame import Floats
from livefake.trust.watch import Face

__all__ = ["ASKED", "TURN", "Challenge", "Prompt", "Rest", "calm", "draw", "shares"]

TURN: Final = 15.0
"""How far the head has to turn to a side, degrees: clearly more than anybody does by chance, and both eyes stay in
sight."""
_UP: Final = 10.0
_OPEN: Final = 0.12
_SHUT: Final = 0.3
_WIDER: Final = 0.08
_LIFT: Final = 0.015
_DIGITS: Final = 6

# Below this share a gesture is none. Lids are never still, and come down a little in a smile and in bright light.
_CALM: Final = 0.5
_CALM_LIDS: Final = 0.75


class Prompt(StrEnum):
    """One thing to do. Left and right are the person's own: their left is at the right edge of the camera's picture."""

    TURN_LEFT = "turn-left"
    TURN_RIGHT = "turn-right"
    LOOK_UP = "look-up"
    OPEN_MOUTH = "open-mouth"
    BLINK = "blink"
    SMILE = "smile"
    READ_CODE = "read-code"


ASKED: Final[Mapping[Prompt, str]] = {
    Prompt.TURN_LEFT: "Turn your head to your left.",
    Prompt.TURN_RIGHT: "Turn your head to your right.",
    Prompt.LOOK_UP: "Lift your chin and look up.",
    Prompt.OPEN_MOUTH: "Open your mouth wide.",
    Prompt.BLINK: "Close both eyes, count to one, and open them again.",
    Prompt.SMILE: "Smile broadly.",
    Prompt.READ_CODE: "Read the code aloud, digit by digit, and then be quiet for a moment.",
}
"""What a person is told for each prompt."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """What one person is asked, in this order.

    Attributes:
        prompts: each at most once.
        code: six digits, to be read aloud for ``READ_CODE``; shown in two groups.
    """

    prompts: tuple[Prompt, ...]
    code: str

    @property
    def groups(self) -> str:
        """The code as it is shown: "123 456"."""
        return f"{self.code[: _DIGITS // 2]} {self.code[_DIGITS // 2 :]}"


def draw(rng: random.Random, *, sound: bool = True) -> Challenge:
    """A challenge at random.

    Args:
        rng: where chance comes from: ``secrets.SystemRandom()`` for a real person.
        sound: whether there is a microphone; without one no code is read.
    """
    prompts = [prompt for prompt in Prompt if sound or prompt is not Prompt.READ_CODE]
    rng.shuffle(prompts)
    return Challenge(tuple(prompts), "".join(str(rng.randrange(10)) for _ in range(_DIGITS)))


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """A person's own calm face.

    Attributes:
        pose: (7,) float32, as ``Face.pose``.
    """

    pose: Floats

    @classmethod
    def of(cls, faces: Sequence[Face]) -> Rest:
        """The middle one of several, measure by measure: a blink among them does no harm."""
        return cls(np.asarray(np.median([face.pose for face in faces], axis=0), np.float32))

    def towards(self, other: Rest) -> Rest:
        """Half-way to another: people sink into their chair while they are watched."""
        return Rest(np.asarray((self.pose + other.pose) / 2, np.float32))


def shares(face: Face, rest: Rest) -> Mapping[Prompt, float]:
    """How far a face is on the way to each gesture: 0 at rest, 1 where it counts, more beyond.

    Args:
        face: with finite measures.
        rest: the same person's calm face.
    """
    yaw, pitch, mouth, smile, lift, left, right = (face.pose - rest.pose).tolist()
    turn = yaw / TURN
    # The pitch of a head that is turned far is read too low.
    up = -pitch / _UP if abs(turn) < 1 else 0.0
    wide = smile / max(float(rest.pose[3]), 1e-3) / _WIDER
    lids = (left + right) / max(float(rest.pose[5] + rest.pose[6]), 1e-3)
    return {
        Prompt.TURN_LEFT: turn,
        Prompt.TURN_RIGHT: -turn,
        Prompt.LOOK_UP: up,
        Prompt.OPEN_MOUTH: mouth / _OPEN,
        Prompt.BLINK: -lids / _SHUT,
        Prompt.SMILE: min(wide, lift / _LIFT),
    }


def calm(share: Mapping[Prompt, float], prompt: Prompt | None = None) -> bool:
    """Whether a face does not make a gesture, or none of them."""
    if prompt is None:
        return all(calm(share, one) for one in share)
    return share[prompt] < (_CALM_LIDS if prompt is Prompt.BLINK else _CALM)
