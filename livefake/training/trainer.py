"""The network, its average, its critic and their optimisers: one step, and a checkpoint that holds all of it."""

from __future__ import annotations

import copy
import math
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from livefake.errors import BadInput
from livefake.frame import Bytes
from livefake.training.batches import Example
from livefake.training.folds import fit_folds
from livefake.training.losses import Shares, critic_loss, deceit, picture_loss, steadiness
from livefake.training.maskfit import fit_mask
from livefake.training.narrow import narrow
from livefake.training.nets import IdentityCritic, PatchCritic, RefineNet, Widths
from livefake.training.synth import TRAIN

__all__ = ["Trainer", "batch_random", "fast_type", "learning_rate"]

_SCHEMA: Final = 2
_DECAY: Final = 0.999
_CLIP: Final = 1.0
_WARM_UP: Final = 200
_CRITIC_FROM: Final = 0.1
"""Share of the run after which the critic joins: before that it only learns how bad a beginner is."""


def fast_type(device: torch.device) -> torch.dtype | None:
    """The short float that this device computes with natively, or None where it has none."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    return torch.bfloat16 if "avx512_bf16" in flags or "amx_bf16" in flags else None


def learning_rate(step: int, progress: float, peak: float) -> float:
    """Linear warm-up, then half a cosine down to a hundredth (Loshchilov and Hutter, "SGDR", ICLR 2017).

    Args:
        step: steps done.
        progress: 0..1, share of the planned time.
        peak: highest rate.
    """
    fall = 0.01 + 0.99 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0))) / 2
    return peak * min(1.0, (step + 1) / _WARM_UP) * fall


@dataclass(slots=True)
class _Clockwork:
    """How far a run is."""

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """A run in memory.

    Args:
        widths: of the network.
        shares: of the losses.
        peak: highest learning rate.
        seed: of the first weights.
        device: "cpu" or "cuda".
    """

    def __init__(self, widths: Widths, shares: Shares, *, peak: float, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self.device = torch.device(device)
        self._type = fast_type(self.device)
        self._widths, self._shares, self._peak = widths, shares, peak
        self.net = RefineNet(widths).to(self.device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self._critic = PatchCritic().to(self.device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(self.net.parameters(), lr=peak, betas=(0.9, 0.99), weight_decay=1e-4)
        self._critic_optimiser = torch.optim.AdamW(self._critic.parameters(), lr=peak / 4, betas=(0.5, 0.99))
        self._namer = IdentityCritic(len(TRAIN)).to(self.device, memory_format=torch.channels_last)
        self._namer_optimiser = torch.optim.AdamW(self._namer.parameters(), lr=peak, betas=(0.9, 0.99))
        self.clock = _Clockwork()

    def step(self, batch: Example, progress: float) -> dict[str, float]:
        """Learn from one batch; see ``draw_batch`` for its order.

        Args:
            batch: a multiple of four examples.
            progress: 0..1, share of the planned time.

        Returns:
            Each loss by its name, and their sum as ``loss``.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        planes, truth, visible, mask = map(self._tensor, (batch.planes, batch.truth, batch.visible, batch.mask))
        keep, cover = planes[:, 9:10], planes[:, 10:11]
        rate = learning_rate(self.clock.step, progress, self._peak)
        for optimiser, share in ((self._optimiser, 1.0), (self._critic_optimiser, 0.25), (self._namer_optimiser, 1.0)):
            for group in optimiser.param_groups:
                group["lr"] = rate * share
        with self._short():
            made = self.net(planes.contiguous(memory_format=torch.channels_last))
        # Losses in full precision and plane by plane, which is faster for them.
        made = made.float().contiguous()
        losses = picture_loss(made, truth, visible, mask, keep=keep, cover=cover, shares=self._shares)
        half = len(planes) // 2
        now, later = slice(0, half, 2), slice(1, half, 2)
        losses["steady"] = self._shares.steady * steadiness(
            made[now, :3], made[later, :3], truth[now], truth[later], visible[now] * visible[later]
        )
        if progress >= _CRITIC_FROM and self._shares.deceit > 0:
            losses["deceit"] = self._shares.deceit * self._argue(made[:, :3], truth, visible)
        if self._shares.identity > 0:
            losses["identity"] = self._shares.identity * self._name(made[:, :3], truth, visible, batch.persona)
        total = torch.stack(list(losses.values())).sum()
        if not bool(torch.isfinite(total)):
            raise FloatingPointError(f"the loss is {float(total.detach())} at step {self.clock.step}")
        self._optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), _CLIP)
        self._optimiser.step()
        self._follow()
        self.clock.step += 1
        return {name: float(value.detach()) for name, value in (*losses.items(), ("loss", total))}

    def _tensor(self, part: Bytes) -> Tensor:
        return torch.from_numpy(part).to(self.device, non_blocking=True).to(torch.float32).mul_(1 / 255)

    def _short(self) -> Any:
        return torch.autocast(self.device.type, self._type or torch.bfloat16, enabled=self._type is not None)

    def _argue(self, made: Tensor, truth: Tensor, visible: Tensor) -> Tensor:
        """Teach the critic, then ask it about the network's pictures; beyond the region both show the truth."""
        shown = made * visible + truth * (1 - visible)
        # A window of half the side is enough for patches, at a quarter of the work.
        side = shown.shape[-1] // 2
        top, left = np.random.default_rng(self.clock.step).integers(side // 4, side - side // 4, 2)
        shown, truth = (planes[..., top : top + side, left : left + side] for planes in (shown, truth))
        self._critic.requires_grad_(True)
        with self._short():
            lesson = critic_loss(self._critic, truth, shown)
        self._critic_optimiser.zero_grad(set_to_none=True)
        lesson.backward()
        self._critic_optimiser.step()
        self._critic.requires_grad_(False)
        with self._short():
            return deceit(self._critic, shown).float()

    def _name(self, made: Tensor, truth: Tensor, visible: Tensor, persona: NDArray[np.int64]) -> Tensor:
        """Teach the namer with the truth, then ask it how far the network's pictures are from that person's."""
        self._namer.requires_grad_(True)
        with self._short():
            right = self._namer(truth * visible)
            named = self._namer.name(right)
        lesson = functional.cross_entropy(named.float(), torch.from_numpy(persona).to(self.device))
        self._namer_optimiser.zero_grad(set_to_none=True)
        lesson.backward()
        self._namer_optimiser.step()
        self._namer.requires_grad_(False)
        with self._short():
            found = self._namer(made * visible)
        return (1 - (found.float() * right.detach().float()).sum(1)).mean()

    def _follow(self) -> None:
        """Move the average towards the network (Polyak averaging); quickly at first: it never stays a beginner."""
        share = 1 - min(_DECAY, (1 + self.clock.step) / (10 + self.clock.step))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.net.parameters(), strict=True):
                slow.lerp_(fast, share)

    def save(self, path: Path) -> None:
        """Write everything a run needs to go on; the file appears whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        state = {
            "schema": _SCHEMA,
            "widths": asdict(self._widths),
            "clock": asdict(self.clock),
            **{name: part.state_dict() for name, part in self._parts().items()},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as half:
            torch.save(state, half)
            half.flush()
            os.fsync(half.fileno())
        os.replace(half.name, path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            BadInput: the file is damaged or of another network.
        """
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            if state["schema"] != _SCHEMA or state["widths"] != asdict(self._widths):
                raise ValueError(f"it holds a network of the widths {state['widths']}")
            for name, part in self._parts().items():
                part.load_state_dict(state[name])
            self.clock = _Clockwork(**state["clock"])
        except (OSError, RuntimeError, KeyError, ValueError, EOFError) as error:
            raise BadInput(f"The checkpoint {path} cannot be used: {error}.", "Move it away to start anew.") from error

    def start_from(self, path: Path) -> None:
        """Begin a new run with the networks of an earlier one; its clock and its optimisers stay behind.

        Raises:
            BadInput: the file is damaged or of another network.
        """
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            for name, part in self._parts().items():
                if isinstance(part, nn.Module):
                    part.load_state_dict(state[name])
            # The average is the better teacher of the two.
            self.net.load_state_dict(state["average"])
        except (OSError, RuntimeError, KeyError, ValueError, EOFError) as error:
            raise BadInput(f"The checkpoint {path} cannot be used: {error}.", "Start without it.") from error

    def start_narrow(self, wide: RefineNet, batch: Example) -> None:
        """Begin a new run with what a wider network can do, and with the folds and the mask that the truth asks for.

        Args:
            wide: the network; see ``narrow``.
            batch: crops of the training split, a hundred or more.
        """
        slim = RefineNet(self._widths)
        narrow(wide, slim, torch.from_numpy(batch.planes).float() / 255)
        fit_folds(slim, batch)
        fit_mask(slim, batch)
        for net in (self.net, self.average):
            net.load_state_dict(slim.state_dict())

    def _parts(self) -> dict[str, Any]:
        return {
            "net": self.net,
            "average": self.average,
            "critic": self._critic,
            "optimiser": self._optimiser,
            "critic_optimiser": self._critic_optimiser,
            "namer": self._namer,
            "namer_optimiser": self._namer_optimiser,
        }


def batch_random(seed: int, step: int) -> np.random.Generator:
    """What draws the batch of a step: the same for the same step, so a resumed run draws what it would have drawn."""
    return np.random.default_rng([seed, step])
