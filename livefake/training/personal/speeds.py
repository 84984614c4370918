"""A few seconds of measuring on this machine, for ``plan``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from livefake.clock import Clock, seconds
from livefake.errors import LivefakeError
from livefake.machine import describe_machine
from livefake.swap.guide import CHANNELS
from livefake.training.nets import IdentityCritic, PatchCritic, RefineNet, count_flops, count_parameters
from livefake.training.personal.plan import Machine
from livefake.training.synth import TRAIN
from livefake.training.trainer import fast_type

__all__ = ["available_memory", "kept_bytes", "teachers_weights", "this_cpu", "time_of"]

_SIDE: Final = 128


def time_of(work: Callable[[], object], clock: Clock, *, budget: float = 1.0) -> float:
    """Seconds that something takes: the least of a few runs, after one that does not count.

    Args:
        work: what is timed.
        clock: monotonic.
        budget: seconds after which no further run begins; one run is always timed.
    """
    work()
    begun = now = clock()
    least = float("inf")
    while least == float("inf") or seconds(now - begun) < budget:
        before = now
        work()
        now = clock()
        least = min(least, seconds(now - before))
    return least


def this_cpu(net: RefineNet, clock: Clock, *, threads: int, budget: float = 3.0) -> Machine:
    """This machine's processor, timed with a training step of one crop.

    Args:
        net: the network that is going to be fine-tuned; it stays as it is.
        clock: monotonic.
        threads: that training may use.
        budget: seconds of measuring.
    """
    torch.set_num_threads(threads)
    planes = torch.full((2, CHANNELS, _SIDE, _SIDE), 0.5)
    short = fast_type(torch.device("cpu"))

    def step() -> None:
        with torch.autocast("cpu", short or torch.bfloat16, enabled=short is not None):
            made = net(planes)
        made.float().mean().backward()
        net.zero_grad(set_to_none=True)

    speed = 3 * len(planes) * count_flops(net, _SIDE) / max(time_of(step, clock, budget=budget), 1e-9)
    return Machine(
        f"this CPU, {threads} threads ({describe_machine().partition(',')[0]})", available_memory(), speed, gpu=False
    )


def kept_bytes(net: RefineNet, side: int, *, short: bool) -> float:
    """Bytes that the forward pass of one crop keeps for the backward pass, weights left out.

    Counted by watching what PyTorch saves, each piece of memory once.

    Args:
        net: the network.
        side: of the crop, pixels, a multiple of 32.
        short: whether it computes in a float of two bytes.
    """
    weights = {values.untyped_storage().data_ptr() for values in net.parameters()}
    found: dict[int, int] = {}
    # Everything saved stays alive until the count is done: an address that is used again would hide a tensor.
    alive: list[Tensor] = []

    def save(values: Tensor) -> Tensor:
        storage = values.untyped_storage()
        if storage.data_ptr() not in weights:
            found[storage.data_ptr()] = storage.nbytes()
            alive.append(values)
        return values

    with torch.autograd.graph.saved_tensors_hooks(save, lambda values: values):
        made = net(torch.full((1, CHANNELS, side, side), 0.5))
    del made
    return sum(found.values()) * (0.5 if short else 1.0)


def teachers_weights() -> int:
    """Numbers of the weights of both critics of the trainer."""
    return count_parameters(PatchCritic()) + count_parameters(IdentityCritic(len(TRAIN)))


def available_memory() -> float:
    """Bytes that programs may still take on this machine.

    Raises:
        LivefakeError: the system does not tell.
    """
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return float(line.split()[1]) * 1024
    if {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        return float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
    raise LivefakeError("This system does not tell how much memory it has.", "Plan for a GPU, or on Linux.")
