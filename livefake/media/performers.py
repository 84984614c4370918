"""Fictional performers for trying a persona on: rendered people who come with livefake, in several poses."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.clock import FakeClock
from livefake.errors import BadMedia
from livefake.frame import Frame
from livefake.media.file import FileReader

__all__ = ["performers"]

_MOMENTS: Final = (0, 126, 198)
"""Frames of the demo clip: straight ahead, 29 degrees to the left of the picture, 28 to the right."""
_PORTRAITS: Final = ("edgar", "amparo", "ravi")
"""Unlike each other and unlike the performer of the clip: another beard, another skin, another shape of face."""
_SIDE: Final = 512


def performers(models: Path, *, without: str = "", one: bool = False) -> list[Frame]:
    """Pictures of one performer each.

    Args:
        models: folder with the demo clip and the personas.
        without: id of a persona that must not perform as itself.
        one: whether the clip's first frame is enough.

    Raises:
        BadMedia: the clip or a picture is missing or damaged.
    """
    found = []
    with FileReader(models / "demo" / "performer.mp4", clock=FakeClock()) as reader:
        frames = (item for item in reader if isinstance(item, Frame))
        for number, frame in enumerate(frames):
            if number in _MOMENTS:
                found.append(frame)
            if one and found:
                return found
            if number == _MOMENTS[-1]:
                break
    for name in _PORTRAITS:
        path = models / "personas" / name / "face.png"
        if name == without:
            continue
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if picture is None:
            raise BadMedia(f"{path} should be a picture and cannot be read.", "Install livefake again.")
        small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        found.append(Frame.from_bgr(np.asarray(small, np.uint8)))
    if len(found) < len(_MOMENTS):
        raise BadMedia("The demo clip should have 199 frames and more, it ends before.", "Install livefake again.")
    return found
