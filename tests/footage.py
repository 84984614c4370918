"""The demo clip as frames, and how far a face in a picture is from the original."""

from __future__ import annotations

import json
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from livefake.clock import FakeClock
from livefake.frame import Frame
from livefake.media.file import FileReader
from livefake.resources import models_folder

CLIP: Path = models_folder() / "demo" / "performer.mp4"


@cache
def _reel() -> tuple[Frame, ...]:
    with FileReader(CLIP, clock=FakeClock()) as reader:
        return tuple(item for item in reader if isinstance(item, Frame))


@cache
def _boxes() -> list[tuple[float, float, float, float]]:
    truth = json.loads(CLIP.with_suffix(".json").read_text())
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in truth["face_box"]]


def footage(count: int) -> list[Frame]:
    """The first frames of the demo clip, each with pixels of its own."""
    frames = islice(_reel(), count)
    return [Frame(frame.i420.copy(), index * 3000, index * 33_333_333) for index, frame in enumerate(frames)]


def face_difference(picture: Frame, original: Frame) -> float:
    """Mean luma difference in the middle of the face, levels; the watermark alone makes about one.

    The clip's own truth says where the face is.
    """
    x0, y0, x1, y1 = _boxes()[original.pts // 3000]
    # Between brows and chin, away from the live eyes and the soft edge.
    rows = slice(round(y0 + 0.45 * (y1 - y0)), round(y0 + 0.95 * (y1 - y0)))
    columns = slice(round(x0 + 0.25 * (x1 - x0)), round(x0 + 0.75 * (x1 - x0)))
    return float(np.abs(picture.y[rows, columns].astype(int) - original.y[rows, columns]).mean())
