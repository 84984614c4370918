"""Timing the stages of the pipeline on pictures that are decoded beforehand."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.clock import Nanos, monotonic
from livefake.compose.others import Others
from livefake.errors import BadRequest
from livefake.flow.outcome import Observer, Outcome
from livefake.flow.timing import FRAME
from livefake.offline import patient_budget
from livefake.rig import Outfit, Rig
from livefake.stagereel import Layout, Reel
from livefake.studio import Studio
from livefake.trust.gate import never_shown

__all__ = ["NETWORKS", "WARM", "Block", "Cost", "Memory", "StageBench", "costs"]

NETWORKS: Final = (256, 192, 128, 0)
"""Sides of the swap network's crop that can be timed, and 0 for the mesh warp alone."""

WARM: Final = 24
"""Frames until the network is faded in, caches are warm and numba has compiled."""

_MICRO: Final = 1000


@dataclass(frozen=True, slots=True)
class Block:
    """Raw samples of some frames that ran one after the other.

    Attributes:
        wall_us: microseconds on the clock on the wall, one a frame, by stage and for the whole ``frame``.
        cpu_us: processor time of the whole process, likewise.
        fates: what became of the frames, by name.
    """

    wall_us: Mapping[str, Sequence[int]]
    cpu_us: Mapping[str, Sequence[int]]
    fates: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a stage takes, milliseconds: percentiles of wall time and of processor time, and the latter's mean."""

    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    cpu_ms: float = 0.0
    cpu_p50_ms: float = 0.0
    cpu_p95_ms: float = 0.0
    cpu_p99_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What frames take from the heap, as ``tracemalloc`` sees it: Python's objects and numpy's and OpenCV's arrays.

    Attributes:
        peak_bytes: most that a stage held beyond what was there when it began, median over the frames, by stage.
        worst_bytes: the same, most of all frames.
        kept_bytes: what a frame leaves behind, mean over the second half of the frames.
        plane_bytes: of a luma plane of these pictures.
        in_place: whether every sealed picture lies in the memory of the decoded one.
    """

    peak_bytes: Mapping[str, int]
    worst_bytes: Mapping[str, int]
    kept_bytes: int
    plane_bytes: int
    in_place: bool


class _Watch:
    """Observer that keeps every sample, or what memory a stage took while ``tracemalloc`` is on."""

    def __init__(self) -> None:
        self.wall: dict[str, list[int]] = {}
        self.cpu: dict[str, list[int]] = {}
        self.fates: Counter[str] = Counter()
        self.peaks: dict[str, list[int]] = {}
        self._held = 0

    def stage(self, name: str, wall: Nanos, cpu: Nanos) -> None:
        """A stage has run; see ``Observer``."""
        self.wall.setdefault(name, []).append(wall // _MICRO)
        self.cpu.setdefault(name, []).append(cpu // _MICRO)
        if tracemalloc.is_tracing():
            self.peaks.setdefault(name, []).append(tracemalloc.get_traced_memory()[1] - self._held)
            self.begin()

    def frame(self, outcome: Outcome, wall: Nanos, cpu: Nanos) -> None:
        """A frame is through; only finished pictures count, because one that was dropped early is cheap."""
        self.fates[outcome.fate] += 1
        if outcome.shown:
            self.wall.setdefault(FRAME, []).append(wall // _MICRO)
            self.cpu.setdefault(FRAME, []).append(cpu // _MICRO)

    def begin(self) -> None:
        """Count memory from here on."""
        tracemalloc.reset_peak()
        self._held = tracemalloc.get_traced_memory()[0]


class StageBench:
    """A rig with a reel, for one persona and one size of the network; several of them can take turns.

    Args:
        studio: the loaded networks.
        persona: id of the persona to wear.
        reel: pictures with a face.
        network: side of the network's crop, one of ``NETWORKS``.
        layout: of the reel, for the record.
        others: what happens to a second face.
        observers: told about every stage and frame too.
        begin: called before each frame.

    Raises:
        NotFound: there is no such persona.
        BadRequest: the network has no such size.
    """

    def __init__(
        self,
        studio: Studio,
        persona: str,
        reel: Reel,
        *,
        network: int = NETWORKS[0],
        layout: Layout | None = None,
        others: Others = Others.BLUR,
        observers: Sequence[Observer] = (),
        begin: Callable[[], None] = lambda: None,
    ) -> None:
        if network not in NETWORKS:
            known = ", ".join(map(str, NETWORKS))
            raise BadRequest(f"The network's crop should have a side of {known} (0: without it), asked was {network}.")
        self.network, self.layout = network, layout or Layout()
        self._reel = reel
        self._begin = begin
        self._watch = _Watch()
        self._rig = self._fixed(studio, persona, others, (self._watch, *observers))

    def _fixed(self, studio: Studio, persona: str, others: Others, observers: Sequence[Observer]) -> Rig:
        """A rig whose ladder has one rung, so that the size stays the one that is asked for."""
        rig = studio.rig(
            persona,
            session=0,
            others=others,
            budget=patient_budget(),
            clock=monotonic,
            cpu_clock=time.process_time_ns,
            observers=observers,
            refine=False,
            record=never_shown,
        )
        if self.network:
            outfit = studio.outfit(persona)
            if self.network not in outfit.engines:
                raise BadRequest(
                    f"{persona} has no network of {self.network} pixels.", "Choose the mesh warp alone: 0."
                )
            rig.wear(Outfit(outfit.swapper, outfit.gate, {self.network: outfit.engines[self.network]}))
        return rig

    def describe(self) -> dict[str, object]:
        """The setting as plain values."""
        width, height = self._reel.size
        return {**asdict(self.layout), "width": width, "height": height, "network": self.network}

    def run(self, frames: int) -> Block:
        """Time the next frames of the reel."""
        self._play(frames)
        watch = self._watch
        block = Block(dict(watch.wall), dict(watch.cpu), {str(fate): count for fate, count in watch.fates.items()})
        watch.wall, watch.cpu = {}, {}
        watch.fates = Counter()
        return block

    def memory(self, frames: int) -> Memory:
        """See what the next frames take from the heap; nothing is timed meanwhile, because watching costs time."""
        watch = self._watch
        with _traced():
            played = self._play(frames)
        middle = frames // 2
        plane = self._reel.size[0] * self._reel.size[1]
        peaks = {name: int(np.median(values)) for name, values in watch.peaks.items()}
        memory = Memory(
            peak_bytes=peaks,
            worst_bytes={name: max(values) for name, values in watch.peaks.items()},
            kept_bytes=round((played.held[-1] - played.held[middle]) / max(1, frames - 1 - middle)),
            plane_bytes=plane,
            in_place=played.in_place,
        )
        watch.wall, watch.cpu, watch.peaks = {}, {}, {}
        watch.fates = Counter()
        return memory

    def _play(self, frames: int) -> _Played:
        held, in_place = [], True
        for _ in range(frames):
            frame = self._reel.next()
            decoded = frame.i420
            if tracemalloc.is_tracing():
                self._watch.begin()
            self._begin()
            sealed = self._rig(frame)
            in_place &= sealed is None or np.shares_memory(sealed.frame.i420, decoded)
            # What is held is what outlives a frame.
            del frame, decoded, sealed
            held.append(tracemalloc.get_traced_memory()[0])
        return _Played(held, in_place)


@dataclass(frozen=True, slots=True)
class _Played:
    held: Sequence[int]
    in_place: bool


@contextmanager
def _traced() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def costs(blocks: Sequence[Block]) -> dict[str, Cost]:
    """Percentiles by stage, with the whole frame under ``FRAME``, over all blocks together."""
    names = dict.fromkeys(name for block in blocks for name in block.wall_us)
    return {
        name: _cost(
            _joined([block.wall_us for block in blocks], name), _joined([block.cpu_us for block in blocks], name)
        )
        for name in names
    }


def _joined(samples: Sequence[Mapping[str, Sequence[int]]], name: str) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(each.get(name, ()), np.float64) for each in samples]) / _MICRO


def _cost(wall: NDArray[np.float64], cpu: NDArray[np.float64]) -> Cost:
    figures = [*np.percentile(wall, (50, 95, 99)), cpu.mean(), *np.percentile(cpu, (50, 95, 99))]
    return Cost(*(round(float(figure), 4) for figure in figures))
