"""One performer's pipeline, put together, with the switches that may be moved while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from livefake.clock import Clock, Nanos
from livefake.compose.blend import Blend
from livefake.compose.colour import MatchColour
from livefake.compose.others import HideOthers, Others
from livefake.compose.tone import SkinTone
from livefake.engine.base import Engine
from livefake.faces.detect import Detector
from livefake.faces.landmarks import LandmarkNet
from livefake.faces.performer import Performer
from livefake.faces.stages import Detect, Fit, Follow, ReadLandmarks
from livefake.faces.track import Tracks
from livefake.flow.budget import Budget
from livefake.flow.ladder import Ladder, Step
from livefake.flow.outcome import Observer
from livefake.flow.pipeline import Pipeline
from livefake.flow.quality import Quality
from livefake.flow.stage import Stage
from livefake.frame import Frame
from livefake.swap.base import Swapper
from livefake.swap.finisher import Finisher
from livefake.swap.refine import OFF, Refine
from livefake.swap.stage import Swap
from livefake.trust.gate import ConsentGate, RecordGate, no_ledger
from livefake.trust.label import Label
from livefake.trust.look import Look
from livefake.trust.mark import Watermark
from livefake.trust.seal import Seal, Sealed
from livefake.trust.watermark import Payload

__all__ = ["Look", "Outfit", "Rig"]


@dataclass(frozen=True, slots=True, eq=False)
class Outfit:
    """A persona to put on.

    Attributes:
        swapper: wears it.
        gate: watches over a real person's consent, made for one performer; None for a fictional persona.
        engines: the swap network by the side of its crop, pixels; empty where the mesh warp is all there is.
        speeds: what one run of it takes on this machine, by the same sides.
    """

    swapper: Swapper
    gate: ConsentGate | None = None
    engines: Mapping[int, Engine] = field(default_factory=dict)
    speeds: Mapping[int, Nanos] = field(default_factory=dict)

    @property
    def grant(self) -> str | None:
        """Id of the grant of the person whose face it is; None for a fictional persona."""
        return None if self.gate is None else self.gate.grant

    @property
    def networks(self) -> dict[int, Nanos]:
        """What one run takes by the side of the crop; nothing where it was not measured."""
        return {side: self.speeds.get(side, 0) for side in self.engines}

    def finishers(self) -> dict[int, Finisher]:
        """The networks for one thread."""
        return {side: Finisher(engine.sibling()) for side, engine in self.engines.items()}


class Rig:
    """Everything that turns one performer's frames into sealed pictures.

    One thread runs it; the switches may be moved from another and count from the next frame on.

    Attributes:
        payload: what the watermark says.

    Args:
        detector, landmarks: networks of this performer's own.
        outfit: the persona.
        payload: what the watermark says; stays readable.
        others: what happens to other people's faces.
        tone: 0 for the performer's skin tone, 1 for the persona's.
        look: of the label.
        budget: what a frame may cost; quality stays at its best where that has no source to keep up with.
        clock, cpu_clock: see ``Pipeline``.
        observers: told about every stage and frame.
        record: why the ledger is not written, see ``RecordGate``; without a ledger no real person's face is shown.

    Attributes:
        grant: id of the grant of the person whose face is worn; None for a fictional persona.
    """

    def __init__(
        self,
        *,
        detector: Detector,
        landmarks: LandmarkNet,
        outfit: Outfit,
        payload: Payload,
        others: Others,
        tone: float = 0.0,
        look: Look,
        budget: Budget,
        clock: Clock,
        cpu_clock: Clock,
        observers: Sequence[Observer] = (),
        record: Callable[[], str] = no_ledger,
    ) -> None:
        tracks, self._performer = Tracks(), Performer()
        self._keeps_size: Callable[[], bool] = bool
        self._fit, self._detect = Fit(tracks, self._performer), Detect(detector, tracks)
        self._colour = MatchColour()
        self._refine = Refine(outfit.finishers())
        self._tone = SkinTone(tone)
        self._hide = HideOthers(others)
        self._before: tuple[Stage, ...] = (
            self._fit,
            self._detect,
            ReadLandmarks(landmarks, tracks),
            Follow(tracks, self._performer, self._detect),
        )
        self._after: tuple[Stage, ...] = (
            self._colour,
            self._refine,
            self._tone,
            self._hide,
            Blend(),
            Label(look.language, corner=look.corner),
            Watermark(payload),
        )
        self.payload = payload
        self._record = record
        self._budget = budget
        self._quality = Quality(
            Ladder(outfit.networks, moving=budget.learning),
            budget,
            self._refine,
            apply=self._take_step,
            lines=lambda: self._fit.source_lines,
            missed=self._refine.restart,
            clock=clock,
        )
        self._assemble = partial(
            Pipeline, budget=budget, clock=clock, cpu_clock=cpu_clock, observers=(*observers, self._quality)
        )
        # Cards are drawn on another thread than pictures, so they get a label and a mark of their own.
        # Little of a faint mark is left of a dark, flat card at a low rate, and nobody minds its showing there.
        self._card_stages = (Label(look.language, corner=look.corner), Watermark(payload, psnr_db=42.0, boost=3.0))
        self._card_seal = Seal(payload.session)
        self._swap, self._pipeline = self._dress(outfit, others)
        self.grant = outfit.grant
        self._gate = outfit.gate

    def _dress(self, outfit: Outfit, others: Others) -> tuple[Swap, Pipeline]:
        """The pipeline for a persona: with a real person's come the gates, and a seal that asks for them."""
        swap = Swap(outfit.swapper, everybody=others is Others.SWAP)
        gates = () if outfit.gate is None else (outfit.gate, RecordGate(self._record))
        seal = Seal(self.payload.session, also=frozenset(stage.name for stage in gates), grant=outfit.grant)
        return swap, self._assemble((*gates, *self._before, swap, *self._after), seal)

    @property
    def gate(self) -> ConsentGate | None:
        """What watches over the consent of the real person whose face is worn; None for a fictional one."""
        return self._gate

    @property
    def quality(self) -> str:
        """What the swap runs with, in words."""
        warp, rung = self._swap.swapper.name, self._refine.rung
        swap = f"{warp} alone" if rung == OFF else f"{warp} and network at {rung} pixels"
        return ", ".join((swap, *self._quality.ladder.words))

    @property
    def steps_down(self) -> int:
        """How many steps below the best the quality is."""
        return self._quality.ladder.place

    @property
    def moves(self) -> int:
        """How often the quality has changed."""
        return self._quality.ladder.moves

    @property
    def skipped(self) -> int:
        """Frames that were left out because the machine works on every second one only."""
        return self._quality.skipped

    def arrive(self, frame: Frame) -> None:
        """Learn the source's rate: to be told of every frame that comes, on any one thread."""
        self._budget.arrive(frame.instant)

    def __call__(self, frame: Frame) -> Sealed | None:
        """Finish one frame; None when there is nothing that may be shown."""
        return self._pipeline(frame) if self._quality.takes() else None

    def _take_step(self, step: Step) -> None:
        """Put a step of quality in force, from the next frame on."""
        self._refine.rung = step.side
        self._detect.interval = step.search
        if not self._keeps_size():
            self._fit.lines = step.lines

    def keep_size_while(self, condition: Callable[[], bool]) -> None:
        """Leave the size of the pictures alone while somebody needs it as it is, a film for example.

        Args:
            condition: asked on the pipeline's thread whenever the quality changes.
        """
        self._keeps_size = condition

    def card(self, frame: Frame) -> Sealed:
        """Label, mark and seal a hold card."""
        for stage in self._card_stages:
            frame = stage(frame)
        return self._card_seal.card(frame)

    def wear(self, outfit: Outfit) -> None:
        """Change the persona; no frame sees half of the change."""
        # First: it starts from nothing, so a frame of the old persona just loses it.
        self._refine.wear(outfit.finishers())
        self._quality.change(outfit.networks)
        self._swap, self._pipeline = self._dress(outfit, self._hide.how)
        self.grant = outfit.grant
        self._gate = outfit.gate
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
