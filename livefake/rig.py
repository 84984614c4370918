"""One performer's pipeline, put together, with the switches that may be moved while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from livefake.clock import Clock
from livefake.compose.blend import Blend
from livefake.compose.colour import MatchColour
from livefake.compose.others import HideOthers, Others
from livefake.compose.tone import SkinTone
from livefake.faces.detect import Detector
from livefake.faces.landmarks import LandmarkNet
from livefake.faces.performer import Performer
from livefake.faces.stages import Detect, Follow, ReadLandmarks
from livefake.faces.track import Tracks
from livefake.flow.budget import Budget
from livefake.flow.ladder import Ladder
from livefake.flow.outcome import Observer
from livefake.flow.pipeline import Pipeline
from livefake.frame import Frame
from livefake.swap.base import Costume
from livefake.swap.refine import OFF, Finisher, Refine
from livefake.swap.stage import Swap
from livefake.trust.label import Corner, Label
from livefake.trust.mark import Watermark
from livefake.trust.seal import Seal, Sealed
from livefake.trust.watermark import Payload

__all__ = ["Look", "Rig"]


@dataclass(frozen=True, slots=True)
class Look:
    """How the label is written.

    Attributes:
        corner: where it stands.
        language: of its words, ISO 639-1.
    """

    corner: Corner = Corner.TOP_RIGHT
    language: str = "en"


class Rig:
    """Everything that turns one performer's frames into sealed pictures.

    One thread runs it; the switches may be moved from another and count from the next frame on.

    Args:
        detector, landmarks: networks of this performer's own.
        costume: wears the persona.
        tone: 0 for the performer's skin tone, 1 for the persona's.
        payload: what the watermark says.
        others: what happens to other people's faces.
        look: of the label.
        budget: what a frame may cost.
        clock, cpu_clock: see ``Pipeline``.
        observers: told about every stage and frame.
        interval: frames from one detection to the next.
    """

    def __init__(
        self,
        *,
        detector: Detector,
        landmarks: LandmarkNet,
        costume: Costume,
        tone: float = 0.0,
        payload: Payload,
        others: Others,
        look: Look,
        budget: Budget,
        clock: Clock,
        cpu_clock: Clock,
        observers: Sequence[Observer] = (),
        interval: int = 8,
    ) -> None:
        tracks, self._performer = Tracks(), Performer()
        detect = Detect(detector, tracks, interval=interval)
        self._swap = Swap(costume.swapper, everybody=others is Others.SWAP)
        self._colour = MatchColour()
        self._refine = Refine(_finishers(costume))
        self._tone = SkinTone(tone)
        self._hide = HideOthers(others)
        self._seal = Seal(payload.session)
        # Cards are drawn on another thread than pictures, so they get a label and a mark of their own.
        self._card_stages = (Label(look.language, corner=look.corner), Watermark(payload))
        self._pipeline = Pipeline(
            (
                detect,
                ReadLandmarks(landmarks, tracks),
                Follow(tracks, self._performer, detect),
                self._swap,
                self._colour,
                self._refine,
                self._tone,
                self._hide,
                Blend(),
                Label(look.language, corner=look.corner),
                Watermark(payload),
            ),
            self._seal,
            budget,
            clock=clock,
            cpu_clock=cpu_clock,
            observers=(*observers, Ladder(self._refine)),
        )

    @property
    def quality(self) -> str:
        """What the swap runs with, in words."""
        warp = self._swap.swapper.name
        rung = self._refine.rung
        return f"{warp} alone" if rung == OFF else f"{warp} and network at {rung} pixels"

    def __call__(self, frame: Frame) -> Sealed | None:
        """Finish one frame; None when there is nothing that may be shown."""
        return self._pipeline(frame)

    def card(self, frame: Frame) -> Sealed:
        """Label, mark and seal a hold card."""
        for stage in self._card_stages:
            frame = stage(frame)
        return self._seal.card(frame)

    def wear(self, costume: Costume) -> None:
        """Change the persona."""
        self._swap.swapper = costume.swapper
        self._refine.wear(_finishers(costume))
        self._colour.forget()

    def set_tone(self, share: float) -> None:
        """Change whose skin tone the face has: 0 the performer's, 1 the persona's."""
        self._tone.share = share

    def treat_others(self, how: Others) -> None:
        """Change what happens to the faces of other people."""
        self._hide.how = how
        self._swap.everybody = how is Others.SWAP

    def resume(self) -> None:
        """Take the largest face of the next frame as the performer."""
        self._performer.resume()


def _finishers(costume: Costume) -> dict[int, Finisher]:
    """The costume's networks for this rig's thread."""
    return {side: Finisher(engine.sibling()) for side, engine in costume.engines.items()}
