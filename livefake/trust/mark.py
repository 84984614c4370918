"""The stage that puts the invisible mark into every picture."""

from __future__ import annotations

from livefake.frame import Frame
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.embed import Embedder

__all__ = ["Watermark"]


class Watermark:
    """Marks each frame with one payload; the last stage to touch a picture.

    Args:
        payload: what the mark says; it stays the same for a whole session, so that a reader can add frames up.
        psnr_db: the mark stays at least this far below the picture, in decibels.
        boost: factor on the strength, see ``Embedder``.
    """

    name = "watermark"
    vital = True

    def __init__(self, payload: Payload, psnr_db: float = 44.0, boost: float = 1.0) -> None:
        self._embedder = Embedder(payload, psnr_db, boost)

    def __call__(self, frame: Frame) -> Frame:
        """Mark the luma in place."""
        self._embedder.mark(frame.y)
        frame.done.add(self.name)
        return frame
