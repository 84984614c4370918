"""Somebody who does what they are asked, as measures instead of pictures: for tests of the rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from livefake.trust.hearing import RATE
from livefake.trust.liveness import Liveness
from livefake.trust.prompts import Challenge, Prompt
from livefake.trust.watch import Face, View
from tests.grantkit import embedding

SECOND = 1_000_000_000
STEP = SECOND // 10
ALL = tuple(Prompt)
SILENT = tuple(prompt for prompt in Prompt if prompt is not Prompt.READ_CODE)

# At rest, and by how much each gesture at its fullest differs from that.
_REST = {"yaw": 2.0, "pitch": -1.0, "mouth": 0.02, "smile": 0.56, "lift": 0.0, "left_eye": 0.32, "right_eye": 0.31}
_NOISE = {"yaw": 0.2, "pitch": 0.2, "mouth": 0.002, "smile": 0.002, "lift": 0.001, "left_eye": 0.01, "right_eye": 0.01}
_FULL: Mapping[Prompt, Mapping[str, float]] = {
    Prompt.TURN_LEFT: {"yaw": 28.0},
    Prompt.TURN_RIGHT: {"yaw": -28.0, "pitch": -4.0},
    Prompt.LOOK_UP: {"pitch": -18.0, "smile": 0.02, "lift": -0.05},
    Prompt.OPEN_MOUTH: {"mouth": 0.24, "lift": 0.02},
    Prompt.BLINK: {"left_eye": -0.17, "right_eye": -0.17},
    Prompt.SMILE: {"smile": 0.09, "lift": 0.035, "pitch": 4.0},
    Prompt.READ_CODE: {"mouth": 0.1},
}

Levels = Mapping[Prompt, float]
Script = Callable[[float, Liveness], Levels]
"""What somebody does at a time in seconds, gesture by gesture, 0..1."""


def make_face(
    levels: Levels | None = None, *, who: int = 1, seed: int = 0, known: bool = True, **changes: float
) -> Face:
    """A face that makes gestures, with the noise of a camera."""
    random = np.random.default_rng(seed)
    measures = {name: value + float(random.normal()) * _NOISE[name] for name, value in _REST.items()}
    for prompt, level in (levels or {}).items():
        for name, much in _FULL[prompt].items():
            measures[name] += much * level
    noise = random.normal(size=128) * 0.01
    place = 320 + float(random.normal()) * 0.5, 240 + float(random.normal()) * 0.5
    values = {**measures, "width": 200.0, "light": 120.0, **changes}
    return Face(embedding=(embedding(who) + noise).astype(np.float32) if known else None, middle=place, **values)


def voice(spoken: float = 3.0, quiet: float = 17.0, seed: int = 0) -> NDArray[np.int16]:
    """Syllables, a quarter of a second of noise and a little less of near silence each; then near silence."""
    random = np.random.default_rng(seed)
    time = np.arange(round((spoken + quiet) * RATE)) / RATE
    level = np.where((time % 0.45 < 0.25) & (time < spoken), 3000, 12)
    return np.asarray(random.normal(size=len(time)) * level, np.int16)


def bump(time: float, start: float, length: float = 1.2, ramp: float = 0.3) -> float:
    """0 before ``start``, up to 1 over ``ramp``, down to 0 again at the end, seconds."""
    return float(np.clip(min((time - start) / ramp, (start + length - time) / ramp), 0, 1))


@dataclass
class Obedient:
    """Does what is asked, some time after it is asked."""

    reaction: float = 0.5
    length: float = 1.2
    reach: float = 1.0
    _shown: dict[int, float] = field(default_factory=dict)

    def __call__(self, time: float, liveness: Liveness) -> Levels:
        step = liveness.step
        if step.prompt is not None:
            self._shown.setdefault(step.index, time)
        levels: dict[Prompt, float] = {}
        for index, shown in self._shown.items():
            prompt = liveness.challenge.prompts[index]
            if prompt is Prompt.READ_CODE:
                speaking = 0.5 <= time - shown <= 3.5
                levels[prompt] = self.reach * abs(np.sin(time * 7)) if speaking else 0.0
            else:
                levels[prompt] = self.reach * bump(time, shown + self.reaction, self.length)
        return levels


def views(
    script: Script,
    liveness: Liveness,
    *,
    limit: float = 120,
    who: int = 1,
    sound: NDArray[np.int16] | None = None,
) -> Iterator[View]:
    """What is seen of a script, ten pictures a second; with a sound while a code is to be read."""
    heard = 0
    for index in range(round(limit * 10)):
        at = index * STEP
        levels = script(at / SECOND, liveness)
        if liveness.step.prompt is Prompt.READ_CODE and sound is not None:
            liveness.hear(sound[heard : heard + RATE // 10], at)
            heard += RATE // 10
        yield View(at, 1, make_face(levels, seed=index, who=who, known=index % 4 == 0))


def play(liveness: Liveness, script: Script, *, who: int = 1, limit: float = 120, silent: bool = False) -> Liveness:
    """Play a script to its end, or as far as it takes."""
    for view in views(script, liveness, who=who, limit=limit, sound=None if silent else voice()):
        if liveness.see(view):
            break
    return liveness


def challenge(*prompts: Prompt) -> Challenge:
    return Challenge(prompts or ALL, "123456")
