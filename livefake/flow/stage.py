"""What a stage of the pipeline is."""

from __future__ import annotations

from typing import Protocol

from livefake.frame import Frame

__all__ = ["Stage"]


class Stage(Protocol):
    """One step of the work on a frame.

    Attributes:
        name: short, unique within a pipeline; the key of its timings.
        vital: whether a picture without this step may never be shown. Stages that are not vital are left
            out when the budget does not afford them.
    """

    @property
    def name(self) -> str: ...

    @property
    def vital(self) -> bool: ...

    def __call__(self, frame: Frame) -> Frame:
        """Work on the frame, in place where it can, and hand it on.

        Raises:
            Drop: this frame cannot become a picture that may be shown, for the reason given.
        """
        ...
