"""Whose face is replaced: one person, chosen once, never exchanged in silence. Pure logic."""

from __future__ import annotations

from collections.abc import Sequence

from livefake.clock import Nanos
from livefake.frame import Box

__all__ = ["Performer"]


class Performer:
    """Picks the performer among the tracks.

    The largest face at the start becomes the performer. When that track ends, a new one takes its place by
    itself only where and when it can hardly be anybody else: at the same place, shortly after. Otherwise
    nobody is the performer until ``resume`` is called, which is a person's decision.

    Args:
        patience: how long after the loss a face at the same place still counts as the same person.
        overlap: least intersection over union with the last place, 0..1.
    """

    def __init__(self, *, patience: Nanos = 2_000_000_000, overlap: float = 0.25) -> None:
        self._patience = patience
        self._overlap = overlap
        self._track: int | None = None
        self._place: Box | None = None
        self._seen: Nanos = 0

    def choose(self, tracks: Sequence[tuple[int, Box]], at: Nanos) -> int | None:
        """The performer's track in this frame, or None.

        Args:
            tracks: number and box of every face in the frame.
            at: instant of the frame; never earlier than in the call before.
        """
        places = dict(tracks)
        if self._track not in places:
            self._track = self._successor(tracks, at)
        if self._track is not None:
            self._place, self._seen = places[self._track], at
        return self._track

    def _successor(self, tracks: Sequence[tuple[int, Box]], at: Nanos) -> int | None:
        if self._place is None:
            return max(tracks, key=lambda entry: entry[1].area)[0] if tracks else None
        if at - self._seen > self._patience:
            return None
        place = self._place
        near = [(box.overlap(place), number) for number, box in tracks if box.overlap(place) >= self._overlap]
        return max(near)[1] if near else None

    def rescale(self, across: float, down: float) -> None:
        """Go on with pictures of another size that show the same; see ``Tracks.rescale``."""
        if self._place is not None:
            self._place = self._place.scaled(across, down)

    def needs_resume(self, at: Nanos) -> bool:
        """Whether the performer was lost for so long that only ``resume`` brings the swap back."""
        return self._track is None and self._place is not None and at - self._seen > self._patience

    def resume(self) -> None:
        """Take the largest face of the next frame as the performer, whoever it is."""
        self._track = self._place = None
