"""What a fine-tuning is asked to do, how it is doing, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from livefake.training.nets import STEP
from livefake.training.personal.scores import Scores

__all__ = ["NETWORK", "SHEET", "SMALLEST", "Job", "Progress", "Result"]

NETWORK: Final = "refine.onnx"
"""The network's name in a pack."""
SHEET: Final = "sheet.jpg"
"""The preview's name in the job's folder."""
SMALLEST: Final = 2 * STEP
"""Side of a crop below which a face is too small for the mesh warp, pixels."""


@dataclass(frozen=True, slots=True)
class Job:
    """A fine-tuning.

    Attributes:
        takes: folder of the takes.
        pack: folder with ``face.png`` and ``landmarks.npy``; a network that is kept is written there.
        start: checkpoint or ONNX file of the general network.
        folder: for checkpoint and preview.
        minutes: at most, over all sittings.
        batch: examples a step at the full side, a multiple of 4; smaller crops come in larger batches.
        seed: of split, scenes and batches.
        threads: of the processor.
        device: "cpu" or "cuda".
        pairs: folder of rendered pairs of other people; None has none mixed in.
        steps: at most.
        side: of the crops, pixels, a multiple of 32.
        peak: highest learning rate.
        save_every, show_every: minutes between checkpoints and between previews.
    """

    takes: Path
    pack: Path
    start: Path
    folder: Path
    minutes: float
    batch: int = 8
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    pairs: Path | None = None
    steps: int = 400
    side: int = 256
    peak: float = 1e-4
    save_every: float = 1.0
    show_every: float = 4.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How a fine-tuning is doing.

    Attributes:
        step: steps done.
        share: of the work, 0..1.
        minutes: of training done.
        loss: running mean.
    """

    step: int
    share: float
    minutes: float
    loss: float


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it.

    Attributes:
        kept: whether the fine-tuned network is better and was written.
        network: where to; None if it was not.
        scores: on held-out takes, of "mesh" (no network), "general" and "tuned".
        words: which network is kept and why, one or two sentences.
    """

    kept: bool
    network: Path | None
    scores: Mapping[str, Scores] = field(default_factory=dict)
    words: str = ""
