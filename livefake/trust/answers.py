"""Judging one answer: a gesture that is made and held, lids that close and open, a code that is read aloud; and
gestures that nobody asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from livefake.clock import Nanos, seconds
from livefake.trust.hearing import Hearing
from livefake.trust.prompts import ASKED, Prompt, calm
from livefake.trust.watch import Face

__all__ = ["REACTION", "Answer", "Gesture", "Reading", "Slips", "allowed", "begin"]

REACTION: Final[Nanos] = 150_000_000
"""Nobody answers sooner than this after a prompt is shown: it takes a fifth of a second to react to what one sees."""

_HOLD: Final[Nanos] = 250_000_000
_LET_GO: Final = 0.8
_SLIP: Final[Nanos] = 500_000_000
_UNSEEN: Final[Nanos] = 700_000_000
_LONGEST_BLINK: Final[Nanos] = 4_000_000_000
_SPOKEN: Final[Nanos] = 1_200_000_000
_GROUPS: Final = 2
_QUIET: Final[Nanos] = 600_000_000
_LIPS: Final = 0.03
_LIP_MOVES: Final = 4

_HEAD: Final = (Prompt.TURN_LEFT, Prompt.TURN_RIGHT, Prompt.LOOK_UP)
_CAN_SLIP: Final = (*_HEAD, Prompt.OPEN_MOUTH, Prompt.SMILE)


class Answer(Protocol):
    """One answer while it is being given."""

    began: Nanos | None

    @property
    def done(self) -> bool:
        """Whether it is complete."""
        ...

    @property
    def early(self) -> bool:
        """Whether the gesture is being made, but began before it was asked for."""
        ...

    def take(self, face: Face, share: Mapping[Prompt, float], at: Nanos) -> None:
        """Take the next face, and how far it is on the way to each gesture."""
        ...

    def excuse(self, limit: Nanos) -> tuple[str, str]:
        """Why it was not given within ``limit``: a problem and a remedy for the person."""
        ...


def begin(prompt: Prompt, shown: Nanos) -> Answer:
    """The judge of the answer to a prompt that is shown at an instant."""
    return Reading(shown) if prompt is Prompt.READ_CODE else Gesture(prompt, shown)


class Gesture:
    """A gesture counts when it begins from a calm face after it was asked for, and is held. Lids have to open again.

    Args:
        prompt: what was asked.
        shown: when.
    """

    def __init__(self, prompt: Prompt, shown: Nanos) -> None:
        self.prompt = prompt
        self.began: Nanos | None = None
        self.peak = 0.0
        self._shown = shown
        self._ready = False
        self._early = False
        self._moved = False
        self._last: Nanos = 0
        self._seen: Nanos | None = None
        self._done = False

    @property
    def done(self) -> bool:
        return self._done

    @property
    def early(self) -> bool:
        return self._early and not self._ready

    def take(self, face: Face, share: Mapping[Prompt, float], at: Nanos) -> None:
        """Take the next face."""
        much = share[self.prompt]
        if self._done:
            return
        if self._seen is not None and at - self._seen > _UNSEEN:
            self.began = None
        self._seen = at
        if not self._ready:
            rested = calm(share, self.prompt)
            self._early |= not rested
            self._ready = rested and at - self._shown >= REACTION
            return
        self.peak = max(self.peak, much)
        self._moved |= not calm(share, self.prompt)
        if much >= 1:
            if self.began is None:
                self.began = at
            self._last = at
            self._done = self.prompt is not Prompt.BLINK and at - self.began >= _HOLD
        elif self.began is not None and (
            calm(share, self.prompt) or (self.prompt is not Prompt.BLINK and much < _LET_GO)
        ):
            held = self._last - self.began
            self._done = self.prompt is Prompt.BLINK and _HOLD <= held <= _LONGEST_BLINK
            if not self._done:
                self.began = None

    def excuse(self, limit: Nanos) -> tuple[str, str]:
        """Why it was not given."""
        asked = f'You were asked: "{ASKED[self.prompt]}"'
        if not self._ready or (self._early and not self._moved):
            return f"{asked} The movement had begun before that.", "Start again, and wait for the words each time."
        if not self._moved:
            return (
                f"{asked} No such movement was seen within {seconds(limit):.0f} seconds.",
                "Start again, and do what the words say; a photograph or a recording cannot.",
            )
        if self.peak < 1:
            return f"{asked} The movement was too small to be sure.", "Start again, and make it larger."
        return (
            f"{asked} The movement was not finished within {seconds(limit):.0f} seconds.",
            "Start again, and hold each movement for a moment.",
        )


class Reading:
    """A code counts as read when a voice was heard for long enough, in more than one go, while the lips moved.

    Args:
        shown: when the code was shown.
    """

    def __init__(self, shown: Nanos) -> None:
        self.began: Nanos | None = shown
        self.hearing = Hearing(shown)
        self._turns = 0
        self._rising = True
        self._extreme: float | None = None

    @property
    def done(self) -> bool:
        heard = self.hearing
        spoke = heard.spoken >= _SPOKEN and heard.groups >= _GROUPS and heard.quiet >= _QUIET
        return spoke and self._turns >= _LIP_MOVES

    @property
    def early(self) -> bool:
        return False

    def take(self, face: Face, share: Mapping[Prompt, float], at: Nanos) -> None:
        """Take the next face."""
        if self._extreme is None:
            self._extreme = face.mouth
        ahead = (face.mouth - self._extreme) * (1 if self._rising else -1)
        if ahead > 0:
            self._extreme = face.mouth
        elif ahead < -_LIPS:
            self._rising = not self._rising
            self._extreme = face.mouth
            self._turns += 1

    def excuse(self, limit: Nanos) -> tuple[str, str]:
        """Why it was not read."""
        if not self.hearing.heard:
            return (
                "The code was not heard: no sound came.",
                "Allow the microphone, check that it is on, and start again.",
            )
        if self.hearing.spoken < _SPOKEN or self.hearing.groups < _GROUPS:
            spoken = seconds(self.hearing.spoken)
            return (
                f"The code should be read aloud, and a voice was heard for {spoken:.1f} seconds only.",
                "Start again in a quiet place, and read all digits, one after the other.",
            )
        if self._turns < _LIP_MOVES:
            return "A voice was heard, but your lips hardly moved.", "Start again, and read the code aloud yourself."
        return "The voice did not stop.", "Start again in a quiet place, and be silent for a moment after the code."


class Slips:
    """Counts gestures that were made and held although nobody asked for them."""

    def __init__(self) -> None:
        self.made: list[Prompt] = []
        self._since: dict[Prompt, Nanos] = {}
        self._counted: set[Prompt] = set()

    def take(self, share: Mapping[Prompt, float], at: Nanos, allowed: frozenset[Prompt]) -> Prompt | None:
        """Take the next face.

        Args:
            share: how far it is on the way to each gesture.
            at: its instant.
            allowed: what may be made now.

        Returns:
            A gesture that was not asked for and is being made, if any.
        """
        making = None
        for prompt in _CAN_SLIP:
            if calm(share, prompt) or prompt in allowed:
                self._counted.discard(prompt)
            if share[prompt] < 1 or prompt in allowed:
                self._since.pop(prompt, None)
                continue
            if at - self._since.setdefault(prompt, at) >= _SLIP:
                making = prompt
                if prompt not in self._counted:
                    self._counted.add(prompt)
                    self.made.append(prompt)
        return making


def allowed(prompt: Prompt | None) -> frozenset[Prompt]:
    """What a face may do while a prompt is due: who speaks opens the mouth, who smiles may too."""
    if prompt is Prompt.READ_CODE:
        return frozenset(Prompt) - frozenset(_HEAD)
    if prompt in {Prompt.SMILE, Prompt.OPEN_MOUTH}:
        return frozenset({Prompt.SMILE, Prompt.OPEN_MOUTH})
    return frozenset() if prompt is None else frozenset({prompt})
