"""How long pictures take through the service: what sound has to wait for."""

from __future__ import annotations

from typing import Final

from livefake.clock import Nanos

__all__ = ["Delay"]

_MOST: Final[Nanos] = 1_000_000_000
_SHARE: Final = 0.05


class Delay:
    """The usual time from a picture's arrival to its hand-over, averaged over some twenty pictures.

    Attributes:
        nanos: 0 before the first picture, and never more than a second.
    """

    def __init__(self) -> None:
        self.nanos: Nanos = 0
        self._begun = False

    def see(self, took: Nanos) -> None:
        """A picture took that long; what took over a second was one that waited for somebody to look at it."""
        if not 0 <= took <= _MOST:
            return
        self.nanos += round((took - self.nanos) * (_SHARE if self._begun else 1.0))
        self._begun = True
