"""Whose skin tone the face has: the performer's, the persona's, or something between."""

from __future__ import annotations

from dataclasses import replace

from livefake.frame import Frame, Levels, Patch
from livefake.overlay import lay

__all__ = ["SkinTone"]


class SkinTone:
    """Moves patches back towards the persona's own colours, after everything else has worked in the performer's.

    Args:
        share: 0 for the performer's tone, 1 for the persona's; may be moved between two frames.
    """

    name = "tone"
    vital = True

    def __init__(self, share: float = 0.0) -> None:
        self.share = share

    def __call__(self, frame: Frame) -> Frame:
        if self.share > 0:
            frame.patches = tuple(self._moved(patch) for patch in frame.patches)
        return frame

    def _moved(self, patch: Patch) -> Patch:
        if patch.tone is None:
            return patch
        own = Levels().towards(patch.tone.undone(), self.share).apply(patch.picture)
        # Skin alone: eyes, teeth and tongue are the performer's.
        picture = patch.picture.copy()
        lay(picture, own, patch.skin)
        return replace(patch, picture=picture)
