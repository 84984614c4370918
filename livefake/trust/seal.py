"""The seal: the only place where a ``Sealed`` picture is made, and the only thing a sink accepts."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import Final

from livefake.errors import SealError
from livefake.frame import Frame

__all__ = ["REQUIRED", "Seal", "Sealed"]

REQUIRED: Final = frozenset({"blend", "label", "watermark"})
"""Stages that must have finished with a frame before it may be shown."""

_KEY: Final = object()


@dataclass(frozen=True, slots=True, eq=False)
class Sealed:
    """A finished picture: swapped (or a card without any camera pixels), labelled and marked; read-only.

    Attributes:
        frame: the picture; its array is not writeable any more.
        session: 36-bit number of the session, as the watermark carries it.
        card: True for a hold card, False for a swapped picture.
        grant: id of the grant that the person's face is shown under; None for a fictional persona and for a card.
    """

    frame: Frame
    session: int
    card: bool
    key: InitVar[object]
    grant: str | None = None

    def __post_init__(self, key: object) -> None:
        # The key is not kept: a picture cannot be used to seal another one.
        if key is not _KEY:
            raise SealError("A sealed picture was made outside the seal.", "Let livefake.trust.seal.Seal make it.")


class Seal:
    """Checks that everything vital was done to a frame, then closes it.

    Args:
        session: 36-bit number of the session.
        also: further stages that must have finished with a frame.
        grant: id of the grant of the person whose face is shown; None for a fictional persona.
    """

    def __init__(self, session: int, *, also: frozenset[str] = frozenset(), grant: str | None = None) -> None:
        self._session = session
        self._grant = grant
        self._required = REQUIRED | also

    def __call__(self, frame: Frame) -> Sealed:
        """Seal a swapped frame.

        Raises:
            SealError: a vital step is missing, or a replacement was not put back.
        """
        missing = self._required - frame.done
        if missing:
            raise SealError(f"The picture lacks {', '.join(sorted(missing))}.")
        if frame.patches:
            raise SealError("The picture has a replacement that was not put back.")
        if not any(face.performer for face in frame.faces):
            raise SealError("The picture has no performer whose face was replaced.")
        return self._close(frame, card=False)

    def card(self, frame: Frame) -> Sealed:
        """Seal a hold card: drawn by us, without a camera pixel; labelled and marked like everything else.

        Raises:
            SealError: the label or the mark is missing, or the picture did not come from the card painter.
        """
        missing = {"card", "label", "watermark"} - frame.done
        if missing:
            raise SealError(f"The card lacks {', '.join(sorted(missing))}.")
        return self._close(frame, card=True)

    def _close(self, frame: Frame, *, card: bool) -> Sealed:
        frame.i420.flags.writeable = False
        return Sealed(frame, self._session, card, _KEY, None if card else self._grant)
