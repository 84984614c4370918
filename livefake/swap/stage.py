"""The stage that replaces faces."""

from __future__ import annotations

from livefake.frame import Drop, Frame
from livefake.swap.base import Swapper

__all__ = ["Swap"]


class Swap:
    """Makes a replacement for the performer's face, and for the others' where that was asked for.

    Args:
        swapper: wears the persona; may be exchanged between two frames.
        everybody: whether all faces get the persona, not the performer's only.
    """

    name = "swap"
    vital = True

    def __init__(self, swapper: Swapper, *, everybody: bool = False) -> None:
        self.swapper = swapper
        self.everybody = everybody

    def __call__(self, frame: Frame) -> Frame:
        """Set ``frame.patches``.

        Raises:
            Drop: there is no replacement for the performer's face.
        """
        wanted = [face for face in frame.faces if face.performer or self.everybody]
        patches = [self.swapper(frame, face) for face in wanted]
        frame.patches = tuple(patch for patch in patches if patch is not None)
        if not any(patch.face.performer for patch in frame.patches):
            raise Drop("face too small")
        return frame
