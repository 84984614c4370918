"""A training run: batches, steps, checkpoints, judgements, a report. Can be stopped and resumed at any moment."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import cv2
import torch

from livefake.clock import Clock, seconds
from livefake.machine import describe_machine
from livefake.training.batches import Example, Pairs, draw_batch, drawn_ahead
from livefake.training.judge import BUCKETS, before_and_after, judge
from livefake.training.losses import Shares
from livefake.training.memory import hold_memory
from livefake.training.nets import STEP, Widths, count_flops, count_parameters
from livefake.training.personal.weights import read_network, widths_of
from livefake.training.report import report_page
from livefake.training.trainer import Trainer, batch_random

__all__ = ["SIDES", "Plan", "Progress", "refine"]

_CHECKPOINT: Final = "checkpoint.pt"
_SHEET: Final = "sheet.jpg"
_REPORT: Final = "report.html"
_FADE: Final = 0.98
_CROPS: Final = 160
"""Crops that a wider network is narrowed with."""
SIDES: Final = (256, 256, 192, 128)
"""Sides of the crops, as shares of 256 of the pairs' own side, drawn equally often: one set of weights serves all
rungs of the quality ladder, and small crops teach light and colour at a quarter of the work."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run.

    Attributes:
        data: folder of the pairs.
        folder: for checkpoint, sheet and report.
        start: checkpoint of an earlier run, or an exported network, that a new one begins with, narrowed where it is
            wider; None begins with random weights.
        minutes: of training in all, over all sittings; the learning rate follows them.
        batch: samples a step at the full size, a multiple of 4; smaller crops come in larger batches.
        peak: highest learning rate.
        seed: of first weights and batches.
        threads: of the processor.
        save_every, judge_every: minutes of training between checkpoints and between judgements.
        device: "cpu" or "cuda".
        widths: of the network.
        shares: of the losses.
        sides: of the crops, for pairs of 256 pixels; each step draws one of them, and takes so many samples that its
            work is the same.
    """

    data: Path
    folder: Path
    minutes: float
    batch: int = 8
    peak: float = 1e-3
    seed: int = 0
    threads: int = 1
    save_every: float = 3.0
    judge_every: float = 15.0
    device: str = "cpu"
    widths: Widths = field(default_factory=Widths)
    shares: Shares = field(default_factory=Shares)
    start: Path | None = None
    sides: tuple[int, ...] = SIDES


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run is doing.

    Attributes:
        step: steps done.
        minutes: of training done.
        loss: running mean.
        speed: samples a second in this sitting.
        judged: the newest scores, empty before the first judgement.
    """

    step: int
    minutes: float
    loss: float
    speed: float
    judged: dict[str, float]


def refine(plan: Plan, *, clock: Clock, tell: Callable[[Progress], None]) -> Trainer:
    """Train the swap network, from the newest checkpoint in the folder if there is one.

    Args:
        plan: what to do.
        clock: monotonic.
        tell: called after every step.

    Returns:
        The trainer, whose ``average`` is the result.

    Raises:
        BadInput: there are no pairs, or the checkpoint cannot be used.
        FloatingPointError: the loss is not finite; the last checkpoint is still good.
    """
    hold_memory()
    torch.set_num_threads(plan.threads)
    cv2.setNumThreads(1)
    trainer = Trainer(plan.widths, plan.shares, peak=plan.peak, seed=plan.seed, device=plan.device)
    checkpoint = plan.folder / _CHECKPOINT
    if checkpoint.exists():
        trainer.load(checkpoint)
    elif plan.start is not None:
        _begin(trainer, plan, plan.start)
    sitting = _Sitting(plan, trainer, clock, tell)
    try:
        while not sitting.done:
            # Read anew after every judgement: rendering may have added pairs.
            train, test = Pairs(plan.data, "train"), Pairs(plan.data, "test")
            with closing(_batches(train, plan, trainer.clock.step)) as batches:
                sitting.work(batches)
            sitting.judge(test, len(train))
            trainer.save(checkpoint)
    except KeyboardInterrupt:
        trainer.save(checkpoint)
        raise
    return trainer


def _begin(trainer: Trainer, plan: Plan, start: Path) -> None:
    """The network of an earlier run: as it is where it has the same widths, narrowed where it has others."""
    net = read_network(start)
    if start.suffix != ".onnx" and widths_of(net) == plan.widths:
        trainer.start_from(start)
        return
    pairs = Pairs(plan.data, "train")
    trainer.start_narrow(net, draw_batch(pairs, _CROPS, batch_random(plan.seed, 0)))


class _Sitting:
    """One start of the program: steps and checkpoints from judgement to judgement.

    Args:
        plan, trainer: what is done, and with what.
        clock, tell: see ``refine``.
    """

    def __init__(self, plan: Plan, trainer: Trainer, clock: Clock, tell: Callable[[Progress], None]) -> None:
        self._plan, self._trainer, self._clock, self._tell = plan, trainer, clock, tell
        self._start = trainer.clock.seconds
        self._saved = self._judged = trainer.clock.seconds
        self._loss: float | None = None
        self._samples = 0

    @property
    def done(self) -> bool:
        return self._trainer.clock.seconds >= self._plan.minutes * 60

    def work(self, batches: Iterator[Example]) -> None:
        """Learn until a judgement is due or the time is over."""
        plan, state = self._plan, self._trainer.clock
        for batch in batches:
            begun = self._clock()
            loss = self._trainer.step(batch, state.seconds / (plan.minutes * 60))["loss"]
            state.seconds += seconds(self._clock() - begun)
            self._samples += len(batch.persona)
            self._loss = loss if self._loss is None else self._loss + (1 - _FADE) * (loss - self._loss)
            if state.seconds - self._saved >= plan.save_every * 60:
                self._saved = state.seconds
                self._trainer.save(plan.folder / _CHECKPOINT)
            speed = self._samples / max(state.seconds - self._start, 1e-6)
            judged = state.history[-1] if state.history else {}
            self._tell(Progress(state.step, state.seconds / 60, self._loss, speed, judged))
            if self.done or state.seconds - self._judged >= plan.judge_every * 60:
                self._judged = state.seconds
                return

    def judge(self, test: Pairs, pairs: int) -> None:
        """Score the averaged network, note it in the history, write sheet and report.

        Args:
            test: identities never seen.
            pairs: how many the network learns from.
        """
        plan, trainer, state = self._plan, self._trainer, self._trainer.clock
        entry = {"minutes": state.seconds / 60, "step": float(state.step)}
        if self._loss is not None:
            entry["loss"] = self._loss
        for bucket, values in judge(trainer.average, test, trainer.device).items():
            entry |= {f"{bucket} {name}": value for name, value in values.items()}
        state.history.append(entry)
        plan.folder.mkdir(parents=True, exist_ok=True)
        sheet = before_and_after(trainer.average, test, trainer.device)
        cv2.imwrite(str(plan.folder / _SHEET), sheet, [cv2.IMWRITE_JPEG_QUALITY, 92])
        facts = _facts(plan, trainer, pairs, sheet.shape[1] // 5)
        page = report_page(state.history, [f"{low}-{high}" for low, high in BUCKETS], facts, _SHEET)
        part = plan.folder / f"{_REPORT}.part"
        part.write_text(page, "utf-8")
        os.replace(part, plan.folder / _REPORT)


def _facts(plan: Plan, trainer: Trainer, pairs: int, size: int) -> dict[str, str]:
    state, net = trainer.clock, trainer.average
    return {
        "Training pairs": f"{pairs}, crops of {size} pixels",
        "Network": f"{count_parameters(net) / 1e6:.2f} M weights, {count_flops(net, size) / 1e9:.2f} GFLOPs a crop",
        "Steps": f"{state.step} in {state.seconds / 60:.0f} of {plan.minutes:.0f} minutes; {plan.batch} samples each "
        "at the full size, more at smaller ones",
        "Machine": f"{describe_machine()}; {plan.threads} threads, {plan.device}",
        "Seed": str(plan.seed),
    }


def _batches(pairs: Pairs, plan: Plan, step: int) -> Generator[Example]:
    """Batches without end from that step on; the sides of their crops are drawn too."""
    full = pairs[0].live.shape[0]

    def draw(step: int) -> Example:
        random = batch_random(plan.seed, step)
        share = random.choice(plan.sides) / 256
        side = max(STEP, round(full * share) // STEP * STEP)
        return draw_batch(pairs, round(plan.batch * (full / side) ** 2) // 4 * 4, random, side=side)

    return drawn_ahead(draw, step)
