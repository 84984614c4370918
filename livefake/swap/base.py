"""What a swapper is."""

from __future__ import annotations

from typing import Protocol

from livefake.frame import Face, Frame, Patch

__all__ = ["Swapper"]


class Swapper(Protocol):
    """Makes a persona's face in the pose and expression of a live one."""

    @property
    def name(self) -> str:
        """What it is, in words for the page."""
        ...

    def __call__(self, frame: Frame, face: Face) -> Patch | None:
        """A replacement for one face.

        Returns:
            The patch, not yet matched in colour; None when the face is too small or outside the picture.

        Raises:
            EngineError: a network failed.
        """
        ...
