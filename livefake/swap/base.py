"""What a swapper is, and all that it takes to wear a persona."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from livefake.engine.base import Engine
from livefake.frame import Face, Frame, Patch

__all__ = ["Costume", "Swapper"]


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


@dataclass(frozen=True, slots=True, eq=False)
class Costume:
    """All that it takes to wear a persona; holds no state, so sessions share it.

    Attributes:
        swapper: warps the persona's picture.
        engines: the swap network by the side of its crop, pixels; empty where the mesh warp is all there is.
    """

    swapper: Swapper
    engines: Mapping[int, Engine] = field(default_factory=dict)
