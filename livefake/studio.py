"""What all sessions share, loaded once: networks, personas, the mesh. Makes rigs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from livefake.clock import Clock, Wall, wall
from livefake.compose.others import Others
from livefake.engine.base import Engine
from livefake.engine.factory import SwapFiles, engines, open_swap_engine
from livefake.engine.gpu import find_gpu
from livefake.engine.weights import Weights
from livefake.errors import ConsentError, NotFound
from livefake.faces.detect import Detector
from livefake.faces.eyes import EyeNet
from livefake.faces.landmarks import LandmarkNet
from livefake.flow.budget import Budget
from livefake.flow.outcome import Observer
from livefake.frame import Frame
from livefake.rig import Outfit, Rig
from livefake.swap.guide import CHANNELS
from livefake.swap.mesh import MeshSwapper, read_triangles
from livefake.swap.persona import Kind, PersonaCard, find_persona, list_personas, load_persona
from livefake.swap.refine import Finisher
from livefake.trust.consent import Output, Purpose
from livefake.trust.gate import ConsentGate, no_ledger
from livefake.trust.grants import GrantBook
from livefake.trust.label import Look
from livefake.trust.packs import check_pack
from livefake.trust.watermark import Payload

__all__ = ["Studio"]


_SIDES: Final = (256, 192, 128)
"""Of the swap network's crop, pixels: the rungs of the quality ladder."""


class Studio:
    """Networks, personas and mesh of a running program.

    Args:
        models: folder with the manifest, the mesh and the personas.
        weights: the model files.
        cache: folder that may be written.
        issuer: 24-bit number of this installation.
        packs: folder with personas of this installation's own, real people's among them; it need not be there.
        grants: the book of grants; without one no real person's persona can be worn.
        time_of_day: the wall clock, by which grants begin and end.

    Raises:
        LivefakeError: something is missing or damaged.
    """

    def __init__(
        self,
        models: Path,
        weights: Weights,
        cache: Path,
        *,
        issuer: int,
        packs: Path | None = None,
        grants: GrantBook | None = None,
        time_of_day: Wall = wall,
    ) -> None:
        import cv2

        # One thread a session: with two, processor time rises by a third to a half for no gain in delay.
        cv2.setNumThreads(1)
        self._personas = models / "personas"
        self._more = () if packs is None else (packs,)
        self._grants = grants
        self._time_of_day = time_of_day
        self._issuer = issuer
        self._triangles = read_triangles(models / "mesh" / "triangles.npy")
        self._detector: Engine = engines(cache, exact=False).load(weights.path("face-detector"))
        self._landmarks: Engine = engines(cache, exact=True).load(weights.path("face-mesh"))
        self._swappers: dict[str, MeshSwapper] = {}
        self._rungs: dict[str, dict[int, Engine]] = {}
        self._weights = weights
        self._cache = cache
        self._lock = threading.Lock()

    @property
    def engine(self) -> str:
        """What runs the networks, in words."""
        return self._landmarks.device

    @property
    def personas(self) -> tuple[PersonaCard, ...]:
        """What can be worn."""
        return list_personas(self._personas, *self._more)

    def outfit(self, persona: str, output: Output = Output.LIVE, *, refine: bool = True) -> Outfit:
        """A persona for one performer; its swapper holds no state, so all sessions share that.

        Args:
            persona: its id.
            output: where the pictures go.
            refine: whether the swap network finishes what the mesh warp begins.

        Raises:
            NotFound: there is no such persona.
            BadPersona: it is damaged.
            ConsentError: it is a real person's, and no grant covers wearing it there now, or this installation did
                not make the pack.
        """
        card = find_persona(self._personas, persona, *self._more)
        gate = None
        if card.kind is not Kind.FICTIONAL:
            gate = self._gate(card, output)
        elif card.folder.parent != self._personas:
            # A real person's pack whose card was rewritten would look just like this.
            raise ConsentError(
                f"{card.title} lies among the personas of this installation's own and says that it is fictional; only "
                "signed packs of real people are worn from there.",
                "A fictional persona belongs in livefake's own models/personas folder.",
            )
        # A pack that was made anew is another one, and so is its signature.
        key = f"{card.folder}:{card.signature}"
        with self._lock:
            if key not in self._swappers:
                self._swappers[key] = MeshSwapper(load_persona(card), self._triangles)
            swapper = self._swappers[key]
        return Outfit(swapper, gate, self._refiners(card) if refine else {})

    def _refiners(self, card: PersonaCard | None = None) -> Mapping[int, Engine]:
        """The swap network at each rung of the quality ladder, opened when it is first asked for.

        Args:
            card: of a persona that may bring its own; None for the general one.
        """
        own = None if card is None else card.networks
        key = "" if card is None or own is None else f"{card.folder}:{card.signature}"
        with self._lock:
            if key not in self._rungs:
                gpu = find_gpu()
                if own is None:
                    half = None if gpu is None else self._weights.path("refine")
                    files = SwapFiles(half, self._weights.path("refine-int8"))
                else:
                    files = SwapFiles(None if gpu is None else own[0], own[1])
                rungs: dict[int, Engine] = {}
                for side in _SIDES:
                    shapes = {"planes": (1, CHANNELS, side, side)}
                    choice = open_swap_engine(files, shapes=shapes, cache=self._cache, gpu=gpu, exact=False)
                    rungs[side] = choice.engine
                self._rungs[key] = rungs
            return self._rungs[key]

    def _gate(self, card: PersonaCard, output: Output) -> ConsentGate:
        """Check a real person's pack and grant now, and have the grant checked from then on."""
        if self._grants is None or card.grant is None:
            raise ConsentError(
                f"{card.title} is a real person, whose face needs that person's signed grant, and there is none here.",
                "Choose a fictional persona.",
            )
        check_pack(card, self._grants.operator)
        try:
            self._grants.check(card.grant, now=self._time_of_day(), purpose=Purpose.WEAR, output=output)
        except NotFound as error:
            raise ConsentError(
                f"{card.title} is a real person, whose grant {card.grant} is not here.",
                "Import it: livefake grants import FILE",
            ) from error
        return ConsentGate(self._grants, card.grant, output=output, wall=self._time_of_day)

    def networks(self, threshold: float = 0.6) -> tuple[Detector, LandmarkNet]:
        """A detector and a landmark network for one thread.

        Args:
            threshold: lowest score that counts as a face, see ``Detector``.
        """
        return Detector(self._detector.sibling(), threshold=threshold), LandmarkNet(self._landmarks.sibling())

    def eyes(self) -> EyeNet:
        """The network that measures lids, for one thread; opened when it is asked for.

        Raises:
            LivefakeError: its weights are missing or damaged.
        """
        return EyeNet(engines(self._cache, exact=True).load(self._weights.path("eyes")))

    def rig(
        self,
        persona: str,
        *,
        session: int,
        others: Others,
        budget: Budget,
        clock: Clock,
        cpu_clock: Clock,
        observers: Sequence[Observer] = (),
        look: Look | None = None,
        output: Output = Output.LIVE,
        tone: float = 0.0,
        refine: bool = True,
        record: Callable[[], str] = no_ledger,
    ) -> Rig:
        """A rig for one performer.

        Args:
            persona: id of the persona.
            session: 36-bit number, as the watermark carries it.
            others, budget, clock, cpu_clock, observers, look, tone, record: see ``Rig``.
            output, refine: see ``outfit``.

        Raises:
            NotFound: there is no such persona.
            BadPersona: it is damaged.
            ConsentError: see ``outfit``.
        """
        detector, landmarks = self.networks()
        return Rig(
            detector=detector,
            landmarks=landmarks,
            outfit=self.outfit(persona, output, refine=refine),
            payload=Payload(version=1, issuer=self._issuer, session=session),
            others=others,
            tone=tone,
            look=look or Look(),
            budget=budget,
            clock=clock,
            cpu_clock=cpu_clock,
            observers=observers,
            record=record,
        )

    def warm_up(self) -> None:
        """Run each network once: the first run allocates and would cost the first frame its place."""
        detector, landmarks = self.networks()
        frame = Frame(np.full((540, 640), 128, np.uint8), 0, 0)
        detector(frame)
        landmarks(frame, np.eye(2, 3, dtype=np.float32))
        for side, engine in self._refiners().items():
            Finisher(engine)(np.zeros((CHANNELS, side, side), np.uint8))
