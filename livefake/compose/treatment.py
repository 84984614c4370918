"""What happens to other people's faces: the choice alone, so that the command line can offer it without OpenCV."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Others"]


class Others(StrEnum):
    """What happens to the faces of people who did not ask for a persona."""

    BLUR = "blur"
    LEAVE = "leave"
    SWAP = "swap"
