"""What all sessions share, loaded once: networks, personas, the mesh. Makes rigs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from livefake.clock import Clock, Nanos, Wall, monotonic, seconds, wall
from livefake.compose.others import Others
from livefake.engine.base import Engine
from livefake.engine.factory import SwapFiles, engines, open_swap_engine
from livefake.engine.gpu import find_gpu
from livefake.engine.weights import Weights
from livefake.errors import BadPersona, ConsentError, LivefakeError, NotFound
from livefake.faces.detect import Detector
from livefake.faces.eyes import EyeNet
from livefake.faces.landmarks import LandmarkNet
from livefake.faces.performer import Performer
from livefake.faces.stages import Detect, Follow, ReadLandmarks
from livefake.faces.track import Tracks
from livefake.flow.budget import Budget
from livefake.flow.outcome import Observer
from livefake.frame import Bytes, Drop, Frame
from livefake.media.performers import performers
from livefake.networks import SIDES, Networks, open_swap
from livefake.rig import Outfit, Rig
from livefake.swap.base import Swapper
from livefake.swap.community.dfm import DfmSwapper, read_dfm
from livefake.swap.finisher import Finisher
from livefake.swap.guide import CHANNELS
from livefake.swap.mesh import MeshSwapper, face_triangles
from livefake.swap.persona import Kind, PersonaCard, check_files, find_persona, list_personas, load_persona
from livefake.trust.consent import Output, Purpose
from livefake.trust.gate import ConsentGate, no_ledger
from livefake.trust.grants import GrantBook
from livefake.trust.label import Label
from livefake.trust.look import Look
from livefake.trust.mark import Watermark
from livefake.trust.packs import check_pack
from livefake.trust.probe import Verdict
from livefake.trust.prober import Describe, Here, Prober
from livefake.trust.rehearsal import Sight, Wearing
from livefake.trust.shipped import is_shipped
from livefake.trust.watermark import Payload

__all__ = ["Studio"]


_RUNS: Final = 5
_TIMED: Final = 3


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
        describe: opens what tells people apart; None for a network in this process, which stands still meanwhile.
        clock: measures how fast the networks run here.
        networks: of the weights, where somebody has begun to open them.

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
        describe: Describe | None = None,
        clock: Clock = monotonic,
        networks: Networks | None = None,
    ) -> None:
        import cv2

        # One thread a session: with two, processor time rises by a third to a half for no gain in delay.
        cv2.setNumThreads(1)
        self._models = models
        self._personas = models / "personas"
        self._more = () if packs is None else (packs,)
        self._grants = grants
        self._time_of_day = time_of_day
        self._issuer = issuer
        self._triangles = face_triangles()
        self._networks = networks or Networks(weights, cache)
        self._detector, self._landmarks = self._networks.detector, self._networks.landmarks
        self._swappers: dict[str, MeshSwapper] = {}
        self._rungs: dict[str, dict[int, Engine]] = {}
        self._speeds: dict[int, Nanos] = {}
        self._clock = clock
        self._weights = weights
        self._cache = cache
        self._brought: dict[str, Engine] = {}
        self._lock = threading.Lock()
        self._prober = Prober(
            lambda: self._grants,
            cache,
            networks=self.networks,
            # Of one that comes with livefake it is known what it does: one look keeps a first change of persona short.
            performers=lambda card: performers(models, without=card.id, one=is_shipped(card)),
            describe=describe or Here(),
        )

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
                not make the pack; or the face that comes out is not the one it says.
            EngineError: its network cannot be opened.
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
        swapper = self._swapper(card)
        engines = self._refiners(card) if refine and card.model is None else {}
        self._prober.check(card, lambda: self._rehearsed(card))
        return Outfit(swapper, gate, engines, self._speeds)

    def prepare(self, enough: Callable[[], bool]) -> None:
        """Do for every persona what its first wearing would wait for; one that may not be worn is passed over.

        Nothing is decided here: whoever wears it is checked then as ever. What was kept of personas that are gone is
        let go of.

        Args:
            enough: whether to stop, asked before each.
        """
        self._prober.remember(self.personas)
        keys = {"", *map(_key, self.personas)}
        with self._lock:
            kept: tuple[dict[str, Any], ...] = (self._swappers, self._brought, self._rungs)
            for each in kept:
                for key in each.keys() - keys:
                    del each[key]
        # Those of this installation's own take longest: of them nobody knows yet what comes out.
        for card in sorted(self.personas, key=is_shipped):
            if enough():
                return
            with suppress(LivefakeError):
                self.outfit(card.id)

    def _swapper(self, card: PersonaCard) -> Swapper:
        """What wears a persona, its files checked when it is opened."""
        key = _key(card)
        with self._lock:
            if card.model is not None:
                if key not in self._brought:
                    check_files(card)
                    self._brought[key] = self._open_model(card.model)
                # It writes into itself while it runs, so every performer has one.
                return DfmSwapper(self._brought[key].sibling())
            if key not in self._swappers:
                self._swappers[key] = MeshSwapper(load_persona(card), self._triangles)
            return self._swappers[key]

    def _open_model(self, path: Path) -> Engine:
        gpu = find_gpu()
        files = SwapFiles(None if gpu is None else path, path)
        return open_swap_engine(files, shapes=read_dfm(path), cache=self._cache, gpu=gpu, exact=True).engine

    def _rehearsed(self, card: PersonaCard) -> tuple[Swapper, Finisher | None]:
        """A persona for trying it on."""
        if card.model is not None:
            return self._swapper(card), None
        return self._swapper(card), Finisher(self._refiners(card)[SIDES[0]].sibling())

    def probe(self, card: PersonaCard) -> Verdict | None:
        """Compare the face that comes out of a pack with the grants, wherever the pack lies; see ``Prober.check``."""
        self._swapper(card)
        return self._prober.check(card, lambda: self._rehearsed(card))

    def look(self, card: PersonaCard) -> Sight:
        """What comes out of a pack that is being brought, whoever that is; see ``Prober.look``."""
        self._swapper(card)
        return self._prober.look(card, lambda: self._rehearsed(card))

    def portrait(self, card: PersonaCard) -> Bytes:
        """A picture of a brought model, labelled and marked, worn by a fictional performer.

        Returns:
            (512, 512, 3) uint8 BGR.

        Raises:
            BadPersona: it shows nothing.
        """
        stages = (Label(), Watermark(Payload(version=1, issuer=self._issuer, session=0)))
        try:
            frame = Wearing(*self.networks(), self._swapper(card))(performers(self._models, without="")[-1])[0]
        except Drop as drop:
            raise BadPersona(f"{card.title} shows nothing that covers a face: {drop.reason}.") from drop
        for stage in stages:
            frame = stage(frame)
        return frame.bgr()

    def speed(self, card: PersonaCard, clock: Clock) -> float:
        """Milliseconds that a brought model takes for one face here, the median of some runs."""
        swapper, frame = self._swapper(card), performers(self._models)[-1]
        detector, landmarks = self.networks()
        tracks = Tracks()
        detect = Detect(detector, tracks)
        for stage in (detect, ReadLandmarks(landmarks, tracks), Follow(tracks, Performer(), detect)):
            frame = stage(frame)
        took = []
        for _ in range(_RUNS):
            start = clock()
            swapper(frame, frame.faces[0])
            took.append(seconds(clock() - start) * 1000)
        return float(np.median(took))

    def _refiners(self, card: PersonaCard | None = None) -> Mapping[int, Engine]:
        """The swap network at each rung of the quality ladder, opened when it is first asked for.

        Args:
            card: of a persona that may bring its own; None for the general one.
        """
        own = None if card is None else card.networks
        key = "" if card is None or own is None else _key(card)
        with self._lock:
            if key not in self._rungs:
                if own is None:
                    rungs = dict(self._networks.swap)
                else:
                    files = SwapFiles(None if find_gpu() is None else own[0], own[1])
                    rungs = {side: open_swap(files, side, self._cache) for side in SIDES}
                for side, engine in rungs.items():
                    # All of them are built alike, so what one takes holds for the others.
                    if side not in self._speeds:
                        self._speeds[side] = self._time(Finisher(engine.sibling()))
                self._rungs[key] = rungs
            return self._rungs[key]

    def _time(self, net: Finisher) -> Nanos:
        """What one run of a swap network takes here; the least of a few, because others may be at work."""
        planes, took = np.zeros((CHANNELS, net.size, net.size), np.uint8), []
        for _ in range(_TIMED):
            start = self._clock()
            net(planes)
            took.append(self._clock() - start)
        return min(took)

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
        self._refiners()


def _key(card: PersonaCard) -> str:
    # A pack that was made anew is another one, and so is its signature.
    return f"{card.folder}:{card.signature}:{card.content}"
