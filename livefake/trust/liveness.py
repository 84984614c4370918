"""Whether a living person is in front of the camera, alone, who does what they are asked to. Pure logic.

A person is asked for a few movements in random order. Each has to begin after it was asked for, from a calm face, and
to be done in time, and it is the face of the same person in all of them. That stops a photograph, a clip that plays in
a loop, company and a change of person. It does not stop somebody who feeds pictures that are made to order, by another
live face swap for instance: no camera alone can tell.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.clock import Nanos, seconds
from livefake.errors import ConsentError
from livefake.faces.identity import template
from livefake.trust.answers import Answer, Reading, Slips, allowed, begin
from livefake.trust.presence import AGAIN, Presence, stranger
from livefake.trust.prompts import ASKED, Challenge, Prompt, Rest, calm, draw, shares
from livefake.trust.watch import Face, View, Watched

__all__ = ["DEADLINE", "Challenge", "Liveness", "Prompt", "Step", "draw"]

DEADLINE: Final[Nanos] = 8_000_000_000
"""How long a person may take for one movement."""

_LONGER: Final = 2.5
_SETTLE: Final[Nanos] = 1_200_000_000
_STRETCH: Final[Nanos] = 3_000_000_000
_LEAST_VIEWS: Final = 5
# Some laugh, and some take their right for their left. A clip with all movements, in a loop and in an order of its
# own, passed in none of 400 trials.
_SLIPS: Final = 2
# How much a calm face may move while it is looked for (yaw and pitch in degrees, mouth), and where it may be.
_STEADY: Final = np.array([6.0, 6.0, 0.05])
_AHEAD: Final = np.array([14.0, 25.0, 0.1])
_CALM_FOR: Final[Nanos] = 300_000_000
_LOOK: Final = "Look straight into the camera, calmly, with your mouth closed."


@dataclass(frozen=True, slots=True)
class Step:
    """Where a check is.

    Attributes:
        index: how many prompts are done.
        of: how many there are.
        prompt: what is asked now; None while the calm face is looked for, between two prompts, and at the end.
        hint: what the person should do, one sentence or two.
        left: how long they have for it.
    """

    index: int
    of: int
    prompt: Prompt | None
    hint: str
    left: Nanos


class Liveness:
    """Takes views and sound in order of time, and says when it has seen enough. One thread only.

    Args:
        challenge: what the person is asked.
        deadline: how long they may take for each movement; for a calm face at first and for the code, two and a half
            times as long.
    """

    def __init__(self, challenge: Challenge, *, deadline: Nanos = DEADLINE) -> None:
        self.challenge = challenge
        self._deadline = deadline
        self._refused: ConsentError | None = None
        self._presence = Presence()
        self._slips = Slips()
        self._slipping: Prompt | None = None
        self._calm: list[tuple[Nanos, Face]] = []
        self._rest: Rest | None = None
        self._since: Nanos = 0
        self._answer: Answer | None = None
        self._took: list[Nanos] = []
        self._code: dict[str, str | int] = {"code": "not asked"}

    @property
    def step(self) -> Step:
        """Where it is."""
        index, of = len(self._took), len(self.challenge.prompts)
        if index == of:
            return Step(index, of, None, "Thank you, that is enough.", 0)
        prompt = None if self._answer is None else self.challenge.prompts[index]
        left = max(0, self._limit - (self._now - self._since))
        return Step(index, of, prompt, self._hint(prompt), left)

    def see(self, view: View) -> bool:
        """Take what was seen. A view that is not later than the one before is left out.

        Returns:
            Whether it is enough.

        Raises:
            ConsentError: no grant can come of this, for the reason given; every later call says the same.
        """
        if self._refused is not None:
            raise self._refused
        if not self._left:
            return True
        try:
            self._see(view)
        except ConsentError as error:
            self._refused = error
            raise
        return not self._left

    def hear(self, pcm: NDArray[np.int16], at: Nanos) -> None:
        """Take sound. Only what comes while the code is to be read is measured and hashed; none is kept.

        Args:
            pcm: (N,) int16, mono, 16 kHz.
            at: instant of its first sample, on the same clock as the views.

        Raises:
            ValueError: it is something else.
        """
        if isinstance(self._answer, Reading):
            self._answer.hearing.hear(pcm, at)

    def result(self) -> Watched:
        """The person who was watched.

        Raises:
            ConsentError: it was refused, or is not finished.
        """
        if self._refused is not None:
            raise self._refused
        if self._left or self._presence.first is None:
            done, of = len(self._took), len(self.challenge.prompts)
            raise ConsentError(
                self._presence.trouble or f"The check ended after {done} of {of} movements.",
                AGAIN,
            )
        try:
            known = template(self._presence.embeddings)
        except ValueError as error:
            raise stranger() from error
        prompts = self.challenge.prompts
        return Watched(
            known,
            {
                "method": "live camera, one person, prompts in random order",
                "prompts": " ".join(prompts),
                "prompt_ms": " ".join(str(took // 1_000_000) for took in self._took),
                "watched_ms": (self._now - self._presence.first) // 1_000_000,
                "views": self._presence.views,
                "slips": len(self._slips.made),
                "farthest_distance_milli": round(self._presence.apart * 1000),
                **self._code,
            },
        )

    @property
    def _left(self) -> int:
        return len(self.challenge.prompts) - len(self._took)

    @property
    def _now(self) -> Nanos:
        return self._since if self._presence.now is None else self._presence.now

    @property
    def _limit(self) -> Nanos:
        long = self._rest is None or isinstance(self._answer, Reading)
        return round(self._deadline * _LONGER) if long else self._deadline

    def _hint(self, prompt: Prompt | None) -> str:
        if self._presence.trouble:
            return self._presence.trouble
        if self._slipping is not None:
            return _LOOK if prompt is None else f"Not that. {ASKED[prompt]}"
        if prompt is not None and self._answer is not None:
            return f"Too soon. {_LOOK} Then: {ASKED[prompt]}" if self._answer.early else ASKED[prompt]
        return _LOOK if not self._took else f"Good. {_LOOK}"

    def _see(self, view: View) -> None:
        before = self._presence.now
        face = self._presence.take(view)
        now = self._presence.now
        if now is None or now == before:
            return
        if before is None:
            self._since = now
        if face is not None:
            self._judge(face, now)
        if self._left and now - self._since > self._limit:
            raise self._late()

    def _judge(self, face: Face, at: Nanos) -> None:
        if self._rest is None:
            self._settle(face, at)
            return
        share = shares(face, self._rest)
        due = self.challenge.prompts[len(self._took)]
        if self._answer is None:
            before = self.challenge.prompts[len(self._took) - 1] if self._took else None
            self._slip(share, at, allowed(before))
            self._wait(self._rest, face, share, at)
            return
        self._slip(share, at, allowed(due))
        self._answer.take(face, share, at)
        if self._answer.done and at - self._since <= self._limit and self._is_known(self._answer.began):
            self._took.append(at - self._since)
            if isinstance(self._answer, Reading):
                self._code = {
                    "code_sha256": hashlib.sha256(self.challenge.code.encode()).hexdigest(),
                    "spoken_sha256": self._answer.hearing.digest,
                    "spoken_ms": self._answer.hearing.spoken // 1_000_000,
                }
            self._answer, self._since, self._calm = None, at, []

    def _is_known(self, since: Nanos | None) -> bool:
        """Whether the face was compared after an instant."""
        matched = self._presence.matched
        return since is not None and matched is not None and matched >= since

    def _settle(self, face: Face, at: Nanos) -> None:
        """Look for the calm face: a stretch of time in which little moves."""
        self._calm.append((at, face))
        while at - self._calm[0][0] > _STRETCH:
            del self._calm[0]
        if not _steady(self._calm):
            del self._calm[: len(self._calm) // 2 + 1]
            return
        rest = Rest.of([one for _, one in self._calm])
        long = at - self._calm[0][0] >= _SETTLE and len(self._calm) >= _LEAST_VIEWS
        if long and self._presence.embeddings and (np.abs(rest.pose[:3]) <= _AHEAD).all():
            self._rest = rest
            self._presence.know()
            self._ask(at)

    def _wait(self, rest: Rest, face: Face, share: Mapping[Prompt, float], at: Nanos) -> None:
        """Wait for the calm face between two prompts, or for one that is near it and stays so."""
        if max(share.values()) >= 1:
            self._calm = []
            return
        self._calm.append((at, face))
        if not _steady(self._calm):
            del self._calm[0]
            return
        long = at - self._calm[0][0]
        if long >= _SETTLE or (long >= _CALM_FOR and calm(share)):
            self._rest = rest.towards(Rest.of([one for _, one in self._calm]))
            self._ask(at)

    def _ask(self, at: Nanos) -> None:
        self._answer, self._since, self._calm = begin(self.challenge.prompts[len(self._took)], at), at, []

    def _slip(self, share: Mapping[Prompt, float], at: Nanos, may: frozenset[Prompt]) -> None:
        self._slipping = self._slips.take(share, at, may)
        if len(self._slips.made) > _SLIPS:
            raise ConsentError(
                "Movements were seen that nobody had asked for: "
                + ", ".join(_DID[one] for one in self._slips.made)
                + ".",
                "Start again, and do only what the words say; a recording cannot know what is asked.",
            )

    def _late(self) -> ConsentError:
        if self._answer is not None:
            return ConsentError(*self._answer.excuse(self._limit))
        return ConsentError(
            f"No calm face that looks straight into the camera was seen within {seconds(self._limit):.0f} seconds.",
            "Start again, look straight ahead, and keep still and silent until you are asked.",
        )


_DID: Final = {
    Prompt.TURN_LEFT: "a turn to your left",
    Prompt.TURN_RIGHT: "a turn to your right",
    Prompt.LOOK_UP: "a look up",
    Prompt.OPEN_MOUTH: "an open mouth",
    Prompt.SMILE: "a smile",
}


def _steady(faces: Sequence[tuple[Nanos, Face]]) -> bool:
    """Whether a face kept still."""
    return bool((np.ptp([face.pose[:3] for _, face in faces], axis=0) <= _STEADY).all())
