"""One persona as a .dfm file for DeepFaceLive: distilled from this program's swap, for as long as one lets it."""

from __future__ import annotations

import hashlib
import math
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import torch

from livefake.clock import Clock, seconds
from livefake.errors import BadInput
from livefake.resources import models_folder
from livefake.swap.mesh import face_triangles
from livefake.training.batches import Pairs
from livefake.training.footage.takes import Takes
from livefake.training.losses import Shares, picture_loss
from livefake.training.memory import hold_memory
from livefake.training.personal.aligned import SIZE, Lesson, Lessons
from livefake.training.personal.dfmnet import DfmNet, DfmWidths, write_dfm
from livefake.training.personal.samples import pack_swapper, strangers_in
from livefake.training.personal.weights import read_network

__all__ = ["DfmOrder", "make_dfm"]

_PEAK: Final = 1e-3
_SAVE_EVERY: Final = 60.0
_DECAY: Final = 0.9


@dataclass(frozen=True, slots=True)
class DfmOrder:
    """What is to be made.

    Attributes:
        pack: folder of the persona.
        network: the swap network that teaches: the pack's own, or the general one.
        out: the file, ``.dfm``.
        folder: for the checkpoint.
        minutes: of distilling, over all sittings.
        consent: what is said about it in the file, one sentence.
        takes: folder of the person's takes; None if there are none.
        pairs: folder of rendered pairs, whose performers are learnt from; None if there are none.
        batch: examples a step.
        size: side of the crops, pixels, a multiple of 32.
        seed: of weights and batches.
        threads: of the processor.
        device: "cpu" or "cuda".
        widths: of the network.
    """

    pack: Path
    network: Path
    out: Path
    folder: Path
    minutes: float
    consent: str
    takes: Path | None = None
    pairs: Path | None = None
    batch: int = 8
    size: int = SIZE
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    widths: DfmWidths = field(default_factory=DfmWidths)


def make_dfm(
    order: DfmOrder, *, check: Callable[[], None], clock: Clock, tell: Callable[[int, float, float], None]
) -> float:
    """Distil, from the newest checkpoint in the folder if there is one, and write the file.

    Args:
        order: what to make.
        check: raises if the persona may not be put into a file; asked before the work and again before writing.
        clock: monotonic.
        tell: called after every step with its number, the minutes done and the running loss.

    Returns:
        The running loss at the end.

    Raises:
        ConsentError: as ``check`` does.
        BadInput: takes, pairs, pack, network or checkpoint cannot be used.
        EngineError: the file does not do what the network does.
    """
    check()
    if order.size % 32 or order.size < 64 or order.batch < 1 or order.minutes <= 0 or order.out.suffix != ".dfm":
        raise BadInput(
            "A .dfm file needs a side of 64 pixels or more that is a multiple of 32, a batch, some minutes and a name "
            f"that ends in .dfm; got {order.size}, {order.batch}, {order.minutes:g} and {order.out.name}."
        )
    hold_memory()
    torch.set_num_threads(order.threads)
    cv2.setNumThreads(1)
    triangles = face_triangles()
    lessons = Lessons(
        takes=() if order.takes is None else Takes(order.takes),
        pairs=None if order.pairs is None else Pairs(order.pairs, "train"),
        swapper=pack_swapper(order.pack, triangles),
        teacher=read_network(order.network),
        strangers=strangers_in(models_folder() / "personas", triangles, apart_from=order.pack),
        size=order.size,
        seed=order.seed,
    )
    pupil = _Pupil(order)
    try:
        loss = pupil.work(lessons, clock, tell)
    finally:
        pupil.save()
    check()
    write_dfm(pupil.net, order.out, order.size, _facts(order, pupil))
    return loss


class _Pupil:
    """The network that learns, and how far it is."""

    def __init__(self, order: DfmOrder) -> None:
        self._order = order
        self._path = order.folder / "dfm.pt"
        torch.manual_seed(order.seed)
        self.net = DfmNet(order.widths).to(order.device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(self.net.parameters(), lr=_PEAK, betas=(0.9, 0.99))
        self.step, self.seconds, self._loss = 0, 0.0, math.nan
        self._of = {
            "pack": hashlib.sha256((order.pack / "face.png").read_bytes()).hexdigest(),
            "network": hashlib.sha256(order.network.read_bytes()).hexdigest(),
            "size": order.size,
        }
        if self._path.exists():
            self._load()

    def work(self, lessons: Lessons, clock: Clock, tell: Callable[[int, float, float], None]) -> float:
        """Learn until the minutes are over; returns the running loss."""
        order, last = self._order, clock()
        saved = last
        while self.seconds < order.minutes * 60:
            share = self.seconds / (order.minutes * 60)
            for group in self._optimiser.param_groups:
                group["lr"] = _PEAK * (0.01 + 0.99 * (1 + math.cos(math.pi * share)) / 2)
            found = self._learn(lessons.batch(self.step, order.batch))
            self._loss = found if math.isnan(self._loss) else self._loss * _DECAY + found * (1 - _DECAY)
            self.step += 1
            now = clock()
            self.seconds += seconds(now - last)
            last = now
            tell(self.step, self.seconds / 60, self._loss)
            if seconds(now - saved) >= _SAVE_EVERY:
                saved = now
                self.save()
        return self._loss

    def _learn(self, lesson: Lesson) -> float:
        live, truth, mask = (
            torch.from_numpy(part).to(self._order.device).float() / 255
            for part in (lesson.live, lesson.truth, lesson.mask)
        )
        made = self.net(live)
        losses = picture_loss(made, truth, mask, mask, keep=torch.zeros_like(mask), cover=mask, shares=Shares())
        loss = torch.stack(list(losses.values())).sum()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self._optimiser.step()
        return float(loss.detach())

    def save(self) -> None:
        """Write everything the work needs to go on; the file appears whole or not at all."""
        state = {
            "of": self._of,
            "net": self.net.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "clock": [self.step, self.seconds, self._loss],
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        torch.save(state, part)
        os.replace(part, self._path)

    def _load(self) -> None:
        try:
            state: dict[str, Any] = torch.load(self._path, map_location=self._order.device, weights_only=True)
            if state["of"] != self._of:
                raise ValueError("it is of another persona, network or size")
            self.net.load_state_dict(state["net"])
            self._optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds, self._loss = state["clock"]
        except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            reason = str(error).partition("\n")[0]
            raise BadInput(f"The checkpoint {self._path} cannot be used: {reason}.", "Move it away.") from error


def _facts(order: DfmOrder, pupil: _Pupil) -> dict[str, str]:
    """What the file says of itself, in words that are true of it."""
    return {
        "title": f"{order.pack.name}, for DeepFaceLive",
        "made_by": "livefake train dfm",
        "quality": f"Distilled from livefake's swap for {pupil.seconds / 60:.1f} minutes, {pupil.step} steps of "
        f"{order.batch}. A model trained in DeepFaceLab for days is better; livefake itself is sharper.",
        "consent": order.consent,
        "watermark": "Pictures made with this file carry no label and no watermark: livefake's stand in its own "
        "pictures only. Whoever shows them has to say that they are synthetic.",
        "alignment": f"DeepFaceLab whole face, {order.size} pixels",
    }
