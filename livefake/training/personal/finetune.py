"""Fine-tuning: the general network a few hundred steps further, on one person's takes. Can be stopped at any moment."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch

from livefake.clock import Clock, seconds
from livefake.errors import BadInput, LivefakeError
from livefake.resources import models_folder
from livefake.swap.mesh import face_triangles
from livefake.training.batches import Example, Pairs, drawn_ahead
from livefake.training.footage.takes import Takes
from livefake.training.judge import judge
from livefake.training.losses import Shares
from livefake.training.memory import hold_memory
from livefake.training.nets import STEP, RefineNet
from livefake.training.personal.job import NETWORK, SHEET, SMALLEST, Job, Progress, Result
from livefake.training.personal.practice import Practice, exam
from livefake.training.personal.samples import cropped_take, pack_swapper, strangers_in
from livefake.training.personal.scores import Embed, Exam, choose, score, sheet
from livefake.training.personal.split import split_takes
from livefake.training.personal.store import need_exporter, write_network
from livefake.training.personal.weights import read_network, widths_of
from livefake.training.trainer import Trainer, batch_random

__all__ = ["NETWORK", "SHEET", "Job", "Progress", "Result", "finetune"]

_CHECKPOINT: Final = "checkpoint.pt"
_ORDER: Final = "job.json"
_SIDES: Final = ((1.0, 0.45), (0.75, 0.25), (0.5, 0.3))
"""Sides of the crops, as shares of the job's, and how often each is drawn; as in the general training."""
_FADE: Final = 0.95
_OTHERS: Final = 32
"""Rendered pairs of other people that tell how much was forgotten."""


def _shares() -> Shares:
    # Both critics have to be trained for longer than a fine-tuning lasts before they are worth listening to.
    return Shares(deceit=0.0, identity=0.0)


def finetune(job: Job, *, clock: Clock, tell: Callable[[Progress], None], embed: Embed | None = None) -> Result:
    """Fine-tune, from the newest checkpoint in the folder if there is one, judge, and keep what is better.

    Args:
        job: what to do.
        clock: monotonic.
        tell: called after every step.
        embed: tells whose face a picture shows, such as ``IdentityNet().embed_many``; None leaves identity out.

    Returns:
        Whether the network was kept, with the scores. When it was not, the pack stays as it is.

    Raises:
        BadInput: takes, pack, network, pairs or checkpoint cannot be used, or the folder holds another job's.
        LivefakeError: the loss is not finite, or a package is missing.
    """
    _check(job)
    hold_memory()
    torch.set_num_threads(job.threads)
    cv2.setNumThreads(1)
    general = read_network(job.start)
    takes, triangles = Takes(job.takes), face_triangles()
    split = split_takes([(take.file, take.seconds) for take in takes], seed=job.seed)
    # All that can be missing at the end is looked for before the work.
    need_exporter()
    pairs, others = (None if job.pairs is None else _pairs(job.pairs, half, job.side) for half in ("train", "test"))
    strangers = strangers_in(models_folder() / "personas", triangles, apart_from=job.pack)
    practice = Practice(takes, split.train, pack_swapper(job.pack, triangles), strangers, pairs, job.seed)
    held, rows = exam(practice, split.test, job.side)
    person = takes.embeddings[list(split.train)].mean(0)
    test = Exam(held, [cropped_take(takes[row], job.side)[1] for row in rows], person, embed)
    trainer = _begin(job, general)
    try:
        _Sitting(job, trainer, general, test, clock=clock, tell=tell).work(practice)
    except FloatingPointError as error:
        raise LivefakeError(
            f"Fine-tuning stopped: {error}.", "Start it again with the same words: it goes on a minute before."
        ) from error
    except KeyboardInterrupt:
        trainer.save(job.folder / _CHECKPOINT)
        raise
    trainer.save(job.folder / _CHECKPOINT)
    return _judged(job, trainer, general, test, others=others)


def _check(job: Job) -> None:
    if job.side % STEP or job.side < SMALLEST or job.batch % 4 or job.batch < 4 or job.minutes <= 0 or job.steps < 1:
        raise BadInput(
            f"A fine-tuning needs a side of {SMALLEST} or more that is a multiple of {STEP}, a batch that is a "
            f"multiple of 4, and some minutes and steps; got {job.side}, {job.batch}, {job.minutes:g} and {job.steps}."
        )
    if job.device.startswith("cuda") and not torch.cuda.is_available():
        raise BadInput("The device cuda was asked for, and PyTorch finds no GPU.", "Choose the device cpu.")


def _pairs(folder: Path, split: str, side: int) -> Pairs:
    pairs = Pairs(folder, split)
    if (there := pairs[0].live.shape[0]) < side:
        raise BadInput(f"The rendered pairs in {folder} should be {side} pixels or more, they are {there}.")
    return pairs


def _begin(job: Job, general: RefineNet) -> Trainer:
    """The trainer at the general network, or at the newest checkpoint of this very job."""
    trainer = Trainer(widths_of(general), _shares(), peak=job.peak, seed=job.seed, device=job.device)
    for net in (trainer.net, trainer.average):
        net.load_state_dict(general.state_dict())
    order = {
        "takes": hashlib.sha256((job.takes / "takes.npz").read_bytes()).hexdigest(),
        "start": hashlib.sha256(job.start.read_bytes()).hexdigest(),
        "pictures": [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(job.pack.glob("face*.png"))],
        **{name: getattr(job, name) for name in ("seed", "side", "batch", "peak")},
    }
    job.folder.mkdir(parents=True, exist_ok=True)
    note, checkpoint = job.folder / _ORDER, job.folder / _CHECKPOINT
    if checkpoint.exists():
        try:
            before = json.loads(note.read_text("utf-8"))
        except (OSError, ValueError):
            before = None
        if before != order:
            raise BadInput(
                f"{job.folder} holds a fine-tuning of other takes, another pack or other settings.",
                "Give another folder, or move that one away.",
            )
        trainer.load(checkpoint)
    else:
        _write(note, json.dumps(order, indent=1).encode())
    return trainer


class _Sitting:
    """One start of the program.

    Args:
        job, trainer, general, test: what is done, with what, against what, judged on what.
        clock, tell: see ``finetune``.
    """

    def __init__(
        self,
        job: Job,
        trainer: Trainer,
        general: RefineNet,
        test: Exam,
        *,
        clock: Clock,
        tell: Callable[[Progress], None],
    ) -> None:
        self._job, self._trainer, self._general, self._test = job, trainer, general, test
        self._clock, self._tell = clock, tell

    @property
    def share(self) -> float:
        """Of the work that is done, 0..1; steps and minutes both count."""
        state = self._trainer.clock
        return min(1.0, max(state.step / self._job.steps, state.seconds / (self._job.minutes * 60)))

    def work(self, practice: Practice) -> None:
        """Learn until steps or minutes are over."""
        if self.share >= 1:
            return
        job, state = self._job, self._trainer.clock
        loss: float | None = None
        last = saved = shown = self._clock()
        with closing(_batches(practice, job, state.step)) as batches:
            for batch in batches:
                found = self._trainer.step(batch, self.share)["loss"]
                now = self._clock()
                # Waiting for a batch counts: the minutes are the user's.
                state.seconds += seconds(now - last)
                last = now
                loss = found if loss is None else loss + (1 - _FADE) * (found - loss)
                self._tell(Progress(state.step, self.share, state.seconds / 60, loss))
                if self.share >= 1:
                    break
                if seconds(now - saved) >= job.save_every * 60:
                    saved = now
                    self._trainer.save(job.folder / _CHECKPOINT)
                if seconds(now - shown) >= job.show_every * 60:
                    shown = now
                    self.show()
        self.show()

    def show(self) -> None:
        """Write the before-and-after sheet."""
        general = self._general.to(self._trainer.device)
        picture = sheet(general, self._trainer.average, self._test, self._trainer.device)
        done, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])
        if done:
            _write(self._job.folder / SHEET, np.asarray(coded, np.uint8).tobytes())


def _judged(job: Job, trainer: Trainer, general: RefineNet, test: Exam, *, others: Pairs | None) -> Result:
    device = trainer.device

    def elsewhere(net: RefineNet) -> float | None:
        return None if others is None else judge(net, others, device, most=_OTHERS)["all"]["net_error"]

    nets = {"general": general.to(device).eval(), "tuned": trainer.average}
    scores = {name: score(net, test, device, others=elsewhere(net)) for name, net in nets.items()}
    kept, words = choose(scores["general"], scores["tuned"])
    network = job.pack / NETWORK if kept else None
    if network is not None:
        facts = {
            "title": "livefake swap network, fine-tuned on a consented person's footage",
            "steps": str(trainer.clock.step),
            "minutes": f"{trainer.clock.seconds / 60:.1f}",
            "held_out": json.dumps({name: asdict(one) for name, one in scores.items()}),
            "start_sha256": hashlib.sha256(job.start.read_bytes()).hexdigest(),
        }
        write_network(trainer.average, network, facts, test.held.planes[:4])
    return Result(kept, network, {"mesh": score(None, test, device), **scores}, words)


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _batches(practice: Practice, job: Job, step: int) -> Generator[Example]:
    """Batches without end from that step on; the sides of their crops are drawn too."""

    def draw(step: int) -> Example:
        random = batch_random(job.seed + 1, step)
        share = random.choice([side for side, _ in _SIDES], p=[often for _, often in _SIDES])
        side = max(SMALLEST, round(job.side * share) // STEP * STEP)
        return practice.batch(step, round(job.batch * (job.side / side) ** 2) // 4 * 4, side)

    return drawn_ahead(draw, step)
