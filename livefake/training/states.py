"""What a performer does and stands in: expression, pose, gaze, light and camera, drawn at random. Pure logic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from livefake.frame import Floats

__all__ = ["MOST_YAW", "State", "gaze_of", "look", "next_state", "sample_state"]

MOST_YAW: Final = float(np.radians(60))
_MOST_PITCH: Final = 0.45
_EXTREME: Final = 0.2
"""Share of states with several strong expressions at once."""
_SPEECH: Final = 0.45
"""Share of states in which the mouth speaks."""
# How far each mouth shape goes in speech, and how often it is there.
_VISEMES: Final = (
    ("jawOpen", 0.55, 0.75), ("mouthFunnel", 0.6, 0.3), ("mouthPucker", 0.7, 0.25), ("mouthUpperUp", 0.4, 0.3),
    ("mouthLowerDown", 0.6, 0.35), ("mouthStretch", 0.4, 0.2), ("mouthPress", 0.5, 0.15), ("mouthRollLower", 0.5, 0.12),
    ("mouthRollUpper", 0.4, 0.1), ("mouthShrugUpper", 0.3, 0.1), ("mouthShrugLower", 0.3, 0.1),
    ("mouthSmile", 0.4, 0.2), ("browInnerUp", 0.4, 0.15), ("browOuterUp", 0.4, 0.15),
)  # fmt: skip
_MOODS: Final = (
    ("mouthSmile", "cheekSquint", "eyeSquint", "mouthDimple"), ("mouthSmile", "jawOpen", "cheekSquint"),
    ("mouthFrown", "browDown", "mouthShrugLower"), ("browInnerUp", "browOuterUp", "eyeWide", "jawOpen"),
    ("noseSneer", "mouthUpperUp", "browDown"), ("cheekPuff", "mouthPucker"), ("mouthFunnel", "jawOpen"),
    ("mouthLeft", "jawLeft"), ("mouthRight", "jawRight"), ("mouthPress", "browDown", "eyeSquint"),
    ("jawForward", "mouthShrugUpper"), ("mouthStretch", "jawOpen", "browInnerUp"),
)  # fmt: skip
# Of two that pull against each other, the stronger one stays.
_OPPOSED: Final = (
    ("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"), ("eyeBlink", "eyeWide"), ("mouthPucker", "mouthStretch"),
    ("cheekPuff", "jawOpen"), ("mouthFunnel", "mouthRollLower"), ("mouthFunnel", "mouthRollUpper"),
    ("mouthPress", "jawOpen"),
)  # fmt: skip
_SIDES: Final = ("_L", "_R")


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What both people of a pair share.

    Attributes:
        expression: (E,) float32, weights 0..1 of the kit's expression modes.
        rotation: (3,) float64, radians: pitch (positive nods down), yaw (positive to the right of the picture),
            roll (positive anticlockwise in the picture).
        light: (3,) float64, towards the key light: to the right of the picture, up, to the camera.
        key, ambient: strength of the key light and of the sky.
        tint: (3,) float64, BGR gain of the key light.
        sky_tint: (3,) float64, BGR gain of the sky.
        distance: of the camera from the middle of the head, model units.
    """

    expression: Floats
    rotation: Floats = field(default_factory=lambda: np.zeros(3, np.float32))
    light: Floats = field(default_factory=lambda: np.array([-0.15, 0.35, 1.0], np.float32))
    key: float = 0.75
    ambient: float = 0.6
    tint: Floats = field(default_factory=lambda: np.ones(3, np.float32))
    sky_tint: Floats = field(default_factory=lambda: np.ones(3, np.float32))
    distance: float = 62.0

    @property
    def yaw(self) -> float:
        """Radians, positive to the right of the picture."""
        return float(self.rotation[1])


def sample_state(names: Sequence[str], random: np.random.Generator) -> State:
    """A random state.

    Args:
        names: of the expression modes, in the kit's order.
        random: source of all that is random here.
    """
    expression = _expression(names, random)
    sight = (float(np.clip(random.normal() * 0.35, -0.9, 0.9)), float(np.clip(random.normal() * 0.22, -0.7, 0.7)))
    look(names, expression, *sight)
    # Half of the time a person faces the screen; the other half covers all of the range evenly.
    yaw = random.normal() * 0.2 if random.random() < 0.5 else random.uniform(-MOST_YAW, MOST_YAW)
    pitch, roll = np.clip(random.normal() * 0.16, -_MOST_PITCH, _MOST_PITCH), random.normal() * 0.1
    rotation = np.array([pitch, np.clip(yaw, -MOST_YAW, MOST_YAW), roll], np.float32)
    azimuth, height = random.uniform(-1.4, 1.4), random.uniform(-0.25, 1.2)
    light = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)], np.float32)
    dim = random.uniform(0.25, 0.6) if random.random() < 0.2 else 1.0
    coloured = random.random() < 0.25
    return State(
        expression,
        rotation,
        light,
        key=float(random.uniform(0.35, 1.05) * dim),
        ambient=float(random.uniform(0.25, 0.65) * dim),
        tint=_tint(random, 0.25 if coloured else 0.06),
        sky_tint=_tint(random, 0.2 if coloured else 0.04),
        distance=float(random.uniform(42, 95)),
    )


def next_state(state: State, names: Sequence[str], random: np.random.Generator) -> State:
    """The same performer a frame or two later: a little movement, the same light and camera."""
    moving = random.random(len(names)) < 0.2
    drift = random.normal(size=len(names)) * 0.08 * (moving | (state.expression > 0))
    turn = random.normal(size=3) * [0.015, 0.025, 0.01]
    rotation = (state.rotation + turn).astype(np.float32)
    rotation[1] = np.clip(rotation[1], -MOST_YAW, MOST_YAW)
    expression = np.clip(state.expression + drift, 0, 1).astype(np.float32)
    return replace(state, expression=_settled(names, expression), rotation=rotation)


def look(names: Sequence[str], expression: Floats, right: float, up: float) -> None:
    """Turn both eyes, in place.

    Args:
        names: of the expression modes.
        expression: (E,) float32, changed.
        right, up: -1..1 as seen in the picture.
    """
    for side, outward in (("_L", right), ("_R", -right)):
        for name, amount in (("Out", outward), ("In", -outward), ("Up", up), ("Down", -up)):
            expression[list(names).index(f"eyeLook{name}{side}")] = max(0.0, amount)


def gaze_of(names: Sequence[str], expression: Floats) -> tuple[float, float]:
    """Where the eyes look, right and up in the picture, -1..1: the inverse of ``look``."""
    weight = dict(zip(names, expression.tolist(), strict=True))
    right = sum(weight[f"eyeLookOut{one}"] - weight[f"eyeLookIn{one}"] for one in ("_L",))
    right -= weight["eyeLookOut_R"] - weight["eyeLookIn_R"]
    up = sum(weight[f"eyeLookUp{side}"] - weight[f"eyeLookDown{side}"] for side in _SIDES)
    return right / 2, up / 2


def _tint(random: np.random.Generator, amount: float) -> Floats:
    return np.clip(1 + random.normal(size=3) * amount, 0.4, 1.6).astype(np.float32)


def _expression(names: Sequence[str], random: np.random.Generator) -> Floats:
    weights = np.zeros(len(names), np.float32)

    def raise_to(name: str, amount: float, uneven: float = 0.12) -> None:
        for full in (name, *(name + side for side in _SIDES)):
            if full in names:
                place = list(names).index(full)
                weights[place] = max(weights[place], np.clip(amount * (1 + random.normal() * uneven), 0, 1))

    kind = random.random()
    if kind < _SPEECH:
        for name, most, chance in _VISEMES:
            if random.random() < chance:
                raise_to(name, random.beta(1.3, 1.6) * most)
    for name in _MOODS[int(random.integers(len(_MOODS)))] if random.random() < 0.55 else ():
        raise_to(name, random.uniform(0, 0.85))
    if kind > 1 - _EXTREME:
        for place in random.choice(len(names), int(random.integers(3, 8)), replace=False):
            weights[place] = max(weights[place], random.uniform(0.3, 1.0))
    # Every mode is seen, faintly and on its own: no face is still, none is symmetric.
    weights = np.maximum(weights, random.exponential(0.12, len(names)) * (random.random(len(names)) < 0.12))
    if random.random() < 0.25:
        raise_to("eyeBlink", random.uniform(0.05, 1.0), 0.03)
    return _settled(names, np.clip(weights, 0, 1).astype(np.float32))


def _settled(names: Sequence[str], expression: Floats) -> Floats:
    """Take out what no face can do at once."""
    weights = expression.copy()
    index = {name: place for place, name in enumerate(names)}
    for one, other in _OPPOSED:
        for a in (index[one + side] for side in ("", *_SIDES) if one + side in index):
            for b in (index[other + side] for side in ("", *_SIDES) if other + side in index):
                same = names[a][-2:] == names[b][-2:] or names[a][-2:] not in _SIDES or names[b][-2:] not in _SIDES
                if same and weights[a] > 0 and weights[b] > 0:
                    weights[a if weights[a] < weights[b] else b] = 0
    # Lips can only be closed over a jaw that is open.
    weights[index["mouthClose"]] = min(weights[index["mouthClose"]], weights[index["jawOpen"]])
    return weights
