"""What a persona of one's own will cost, before anything starts. Pure arithmetic; ``speeds`` measures what goes in.

Memory of fine-tuning, in bytes, from the sizes of the tensors:

    5 x 4 x weights             network, gradient, two moments of AdamW, running average, all float32
    4 x 4 x teachers' weights   both critics of the trainer, which are made even where they do not teach
    kept x batch                what the forward pass keeps for the backward pass; counted, not guessed
    4 x 12 x S x S x 24 x batch the losses at full size: some two dozen planes of 12 numbers a pixel
    base                        Python and PyTorch, and on a GPU its context and cuDNN's workspace

Arithmetic of a step: three forward passes' worth, one of them the forward pass, two the backward pass. A GPU does a
fifth of its peak on layers this narrow; that share is an estimate. Batches are made on one core whatever the device,
and the slower of the two sets the pace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["GPUS", "Machine", "Plan", "Speeds", "Stage", "Work", "make_plan", "plan_table"]

_GIB: Final = 1 << 30
_BASE: Final = 0.7 * _GIB
_CUDA: Final = 1.2 * _GIB
_ROOM: Final = 0.9
"""Share of a machine's memory that may be used."""
_GPU_SHARE: Final = 0.2
_TAKE_BYTES: Final = 70_000
"""Of a take on disk: JPEG of 384 pixels at quality 98, landmarks and embedding."""
_MOST_TAKES: Final = 2_000
_KEPT_TAKES: Final = 0.5
"""Share of looked-at frames that show the face well enough to become a take."""
_GUIDE_LOOKS: Final = 6
_CHECK_PASSES: Final = 24
_EXPORT_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Machine:
    """What the work may run on.

    Attributes:
        name: for people.
        memory: bytes, of the GPU where there is one, else of the machine.
        speed: floating-point operations a second that training gets out of it.
        gpu: whether it is one.
    """

    name: str
    memory: float
    speed: float
    gpu: bool


GPUS: Final = (
    # Memory and float16 peak of the matrix units from the data sheets of NVIDIA: T4 (2019), V100 (2020), A100 (2021).
    Machine("T4 16 GB", 15 * _GIB, 65e12 * _GPU_SHARE, gpu=True),
    Machine("V100 32 GB", 31 * _GIB, 125e12 * _GPU_SHARE, gpu=True),
    Machine("A100 80 GB", 79 * _GIB, 312e12 * _GPU_SHARE, gpu=True),
)


@dataclass(frozen=True, slots=True)
class Speeds:
    """Seconds on one core of this machine.

    Attributes:
        look: to decode a frame, find the face and read its mesh.
        embed: to tell whose face a take shows.
        example: to make one training example at the work's side.
    """

    look: float
    embed: float
    example: float


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done.

    Attributes:
        footage: seconds of it.
        looks: frames a second that are looked at.
        guides: pictures of the persona that are chosen and prepared.
        weights, teachers: numbers of the network's and of the two critics' weights.
        flops: floating-point operations of one crop, forward.
        kept: bytes that one crop keeps for the backward pass.
        side: of the crops, pixels.
        batch: crops a step.
        steps: of fine-tuning.
    """

    footage: float
    looks: float
    guides: int
    weights: int
    teachers: int
    flops: float
    kept: float
    side: int
    batch: int
    steps: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the work.

    Attributes:
        name: for people.
        minutes: that it takes.
        memory: bytes at its peak, of the GPU where it runs there.
        disk: bytes that it leaves or needs at a time.
    """

    name: str
    minutes: float
    memory: float
    disk: float


@dataclass(frozen=True, slots=True)
class Plan:
    """The work on one machine.

    Attributes:
        machine: which.
        stages: in their order.
        fits: whether its memory is enough.
    """

    machine: Machine
    stages: tuple[Stage, ...]
    fits: bool

    @property
    def minutes(self) -> float:
        return sum(stage.minutes for stage in self.stages)

    @property
    def memory(self) -> float:
        """Bytes, of the hungriest stage."""
        return max(stage.memory for stage in self.stages)

    @property
    def disk(self) -> float:
        """Bytes, of all stages."""
        return sum(stage.disk for stage in self.stages)


def make_plan(work: Work, speeds: Speeds, machine: Machine) -> Plan:
    """What the work costs on a machine; see the head of this module for the formulas.

    Args:
        work: what is to be done.
        speeds: of one core; a rented machine's core is taken to be like this one's.
        machine: what fine-tuning runs on. All else runs on a core.

    Raises:
        ValueError: a quantity is negative, or there is no footage, speed or step.
    """
    if min(work.footage, work.looks, machine.speed, machine.memory, work.batch, work.steps, work.side) <= 0:
        raise ValueError(f"a plan needs footage, speed, memory, a side, a batch and steps above nothing, got {work}")
    if min(speeds.look, speeds.embed, speeds.example, work.weights, work.teachers, work.flops, work.kept) < 0:
        raise ValueError(f"nothing in a plan may be negative, got {speeds} and {work}")
    looked = work.footage * work.looks
    takes = min(_MOST_TAKES, looked * _KEPT_TAKES)
    pixels = work.side**2
    training = (
        5 * 4 * work.weights
        + 4 * 4 * work.teachers
        + work.batch * (work.kept + 4 * 12 * 24 * pixels)
        + _BASE
        + (_CUDA if machine.gpu else takes * _TAKE_BYTES)
    )
    forward = work.flops / machine.speed
    step = max(3 * work.batch * forward, work.batch * speeds.example)
    checkpoint = 4 * (4 * work.weights + 3 * work.teachers)
    # A checkpoint is written beside the one before it.
    stages = (
        Stage("extraction", looked * speeds.look / 60, _BASE + takes * _TAKE_BYTES, takes * _TAKE_BYTES),
        Stage("gate", looked * _KEPT_TAKES * speeds.embed / 60, _BASE, 0.0),
        Stage("guides", work.guides * _GUIDE_LOOKS * speeds.look / 60, _BASE, work.guides * 1e6),
        Stage("fine-tuning", work.steps * step / 60, training, 2 * checkpoint + 1e6),
        Stage("export", (_EXPORT_SECONDS + _CHECK_PASSES * forward) / 60, _BASE + 40 * work.weights, 2 * work.weights),
    )
    on_machine = [stage.memory for stage in stages if stage.name == "fine-tuning" or not machine.gpu]
    return Plan(machine, stages, max(on_machine) <= machine.memory * _ROOM)


def plan_table(plans: Sequence[Plan]) -> Table:
    """The plans as a table for the terminal: a row a stage, a column a machine; narrow enough for 80 characters."""
    from rich.table import Table

    table = Table("minutes", *(plan.machine.name for plan in plans))
    for number, stage in enumerate(plans[0].stages if plans else ()):
        table.add_row(stage.name, *(f"{plan.stages[number].minutes:.1f}" for plan in plans))
    table.add_row("all", *(f"{plan.minutes:.0f}" for plan in plans), end_section=True)
    table.add_row(
        "memory, GiB", *(f"{_hungriest(plan) / _GIB:.1f} of {plan.machine.memory / _GIB:.0f}" for plan in plans)
    )
    table.add_row("disk, MB", *(f"{plan.disk / 1e6:.0f}" for plan in plans))
    table.add_row("fits", *("yes" if plan.fits else "no" for plan in plans))
    return table


def _hungriest(plan: Plan) -> float:
    """Bytes: on a GPU only fine-tuning needs its memory."""
    tuning = next(stage for stage in plan.stages if stage.name == "fine-tuning")
    return tuning.memory if plan.machine.gpu else plan.memory
