"""What is seen of one person in front of the camera before their grant is signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from livefake.clock import Nanos
from livefake.frame import Floats

__all__ = ["Face", "View", "Watched", "trouble"]

_LEAST_WIDTH: Final = 100
_LEAST_LIGHT: Final = 45.0


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Face:
    """The one face in a picture. "Left" and "right" are as seen in the picture.

    Attributes:
        embedding: (128,) float32; None in a picture for which it was not worked out, as that takes long.
        yaw: degrees, positive when it looks to the right edge of the picture.
        pitch: degrees, positive when it nods down.
        mouth: gap between the lips, in distances between the outer corners of the eyes.
        smile: width of the mouth, in the same unit.
        lift: how high the corners of the mouth stand above the middle of the lips, in the same unit.
        left_eye, right_eye: gap between the lids, in widths of the eye.
        middle: of its mesh, x and y, pixels.
        width: of its mesh, pixels.
        light: mean luma of its box, 16..235.
    """

    embedding: Floats | None
    yaw: float
    pitch: float
    mouth: float
    smile: float
    lift: float
    left_eye: float
    right_eye: float
    middle: tuple[float, float]
    width: float
    light: float

    @property
    def pose(self) -> Floats:
        """(7,) float32: yaw, pitch, mouth, smile, lift, left eye, right eye: what the prompts are judged by."""
        values = (self.yaw, self.pitch, self.mouth, self.smile, self.lift, self.left_eye, self.right_eye)
        return np.array(values, np.float32)

    @property
    def finite(self) -> bool:
        """Whether all measures are numbers."""
        return bool(np.isfinite([*self.pose, *self.middle, self.width, self.light]).all())


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What was seen in one picture.

    Attributes:
        at: the picture's instant.
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
        evidence: for the grant: times in milliseconds, distances in thousandths, shares in percent.
    """

    template: Floats
    evidence: Mapping[str, str | int]


def trouble(face: Face | None) -> str:
    """Why a face cannot be told; empty when it can. A sentence for the person in front of the camera."""
    if face is None or not face.finite:
        return "No face can be seen; sit in front of the camera."
    if face.light < _LEAST_LIGHT:
        return "It is too dark to see your face; turn on a light."
    if face.width < _LEAST_WIDTH:
        return "Your face is too small in the picture; come closer."
    return ""
