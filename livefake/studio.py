"""What all sessions share, loaded once: networks, personas, the mesh. Makes rigs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from livefake.clock import Clock
from livefake.compose.others import Others
from livefake.engine.base import Engine
from livefake.engine.factory import engines
from livefake.engine.weights import Weights
from livefake.faces.detect import Detector
from livefake.faces.landmarks import LandmarkNet
from livefake.flow.budget import Budget
from livefake.flow.outcome import Observer
from livefake.frame import Frame
from livefake.rig import Look, Rig
from livefake.swap.mesh import MeshSwapper, read_triangles
from livefake.swap.persona import PersonaCard, check_wearable, find_persona, list_personas, load_persona
from livefake.trust.watermark import Payload

__all__ = ["Studio"]


class Studio:
    """Networks, personas and mesh of a running program.

    Args:
        models: folder with the manifest, the mesh and the personas.
        weights: the model files.
        cache: folder that may be written.
        issuer: 24-bit number of this installation.

    Raises:
        LivefakeError: something is missing or damaged.
    """

    def __init__(self, models: Path, weights: Weights, cache: Path, *, issuer: int) -> None:
        import cv2

        # One thread a session: with two, processor time rises by a third to a half for no gain in delay.
        cv2.setNumThreads(1)
        self._personas = models / "personas"
        self._issuer = issuer
        self._triangles = read_triangles(models / "mesh" / "triangles.npy")
        self._detector: Engine = engines(cache, exact=False).load(weights.path("face-detector"))
        self._landmarks: Engine = engines(cache, exact=True).load(weights.path("face-mesh"))
        self._swappers: dict[str, MeshSwapper] = {}
        self._lock = threading.Lock()

    @property
    def engine(self) -> str:
        """What runs the networks, in words."""
        return self._landmarks.device

    @property
    def personas(self) -> tuple[PersonaCard, ...]:
        """What can be worn."""
        return list_personas(self._personas)

    def swapper(self, persona: str) -> MeshSwapper:
        """The swapper for a persona; it holds no state, so all sessions share it.

        Raises:
            NotFound: there is no such persona.
            BadPersona: it is damaged.
            ConsentError: it is the face of somebody who exists.
        """
        with self._lock:
            if persona not in self._swappers:
                card = find_persona(self._personas, persona)
                check_wearable(card)
                self._swappers[persona] = MeshSwapper(load_persona(card), self._triangles)
            return self._swappers[persona]

    def networks(self) -> tuple[Detector, LandmarkNet]:
        """A detector and a landmark network for one thread."""
        return Detector(self._detector.sibling()), LandmarkNet(self._landmarks.sibling())

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
        tone: float = 0.0,
    ) -> Rig:
        """A rig for one performer.

        Args:
            persona: id of the persona.
            session: 36-bit number, as the watermark carries it.
            others, budget, clock, cpu_clock, observers, look, tone: see ``Rig``.

        Raises:
            NotFound: there is no such persona.
            BadPersona: it is damaged.
        """
        detector, landmarks = self.networks()
        return Rig(
            detector=detector,
            landmarks=landmarks,
            swapper=self.swapper(persona),
            payload=Payload(version=1, issuer=self._issuer, session=session),
            tone=tone,
            others=others,
            look=look or Look(),
            budget=budget,
            clock=clock,
            cpu_clock=cpu_clock,
            observers=observers,
        )

    def warm_up(self) -> None:
        """Run each network once: the first run allocates and would cost the first frame its place."""
        detector, landmarks = self.networks()
        frame = Frame(np.full((540, 640), 128, np.uint8), 0, 0)
        detector(frame)
        landmarks(frame, np.eye(2, 3, dtype=np.float32))
