"""Pictures and parts for tests: an album of faces, a reel of frames, stages that do as they are told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from livefake.frame import Box, Face, Floats, Frame

WIDTH, HEIGHT = 320, 240


def grey_frame(index: int = 0, *, arrived: int | None = None, width: int = WIDTH, height: int = HEIGHT) -> Frame:
    """A flat frame; number ``index`` of a stream with 30 frames a second."""
    i420 = np.full((height * 3 // 2, width), 128, np.uint8)
    return Frame(i420, pts=index * 3000, arrived=index * 33_333_333 if arrived is None else arrived)


def noisy_frame(seed: int = 0, *, width: int = WIDTH, height: int = HEIGHT) -> Frame:
    """A frame in which every pixel differs from its neighbours."""
    values = np.random.default_rng(seed).integers(16, 236, (height * 3 // 2, width), np.uint8)
    return Frame(values, pts=0, arrived=0)


def oval_mesh(middle: tuple[float, float] = (160, 120), size: float = 100) -> Floats:
    """468 points on concentric ovals: the outline of a face where the outline's numbers are, the rest inside."""
    from livefake.faces.geometry import OUTLINE

    points = np.zeros((468, 3), np.float32)
    angles = np.random.default_rng(1).uniform(0, 2 * np.pi, 468)
    radii = np.random.default_rng(2).uniform(0, 0.4, 468) * size
    points[:, 0] = middle[0] + radii * np.cos(angles)
    points[:, 1] = middle[1] + radii * np.sin(angles)
    # The outline's numbers start at the forehead and run clockwise on the screen.
    around = np.linspace(-np.pi / 2, 1.5 * np.pi, len(OUTLINE), endpoint=False)
    points[OUTLINE, 0] = middle[0] + 0.4 * size * np.cos(around)
    points[OUTLINE, 1] = middle[1] + 0.5 * size * np.sin(around)
    return points


def a_face(
    middle: tuple[float, float] = (160, 120), size: float = 100, *, track: int = 1, performer: bool = True
) -> Face:
    """A face with an oval mesh."""
    points = oval_mesh(middle, size)
    return Face(Box.around(points), points, 0.9, 0.99, track, performer)


@dataclass
class ScriptedStage:
    """A stage that runs a function on each frame and counts its calls."""

    name: str = "scripted"
    vital: bool = True
    act: Callable[[Frame], None] = lambda frame: None
    calls: int = field(default=0, init=False)

    def __call__(self, frame: Frame) -> Frame:
        self.calls += 1
        self.act(frame)
        return frame
