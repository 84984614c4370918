"""The part of a network that says what is in front of the face, taught alone: a hundredth of the work of a run.

What comes before it is computed once and kept, so a few hundred steps take a minute or two of one core.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from livefake.training.batches import Example
from livefake.training.nets import RefineNet

__all__ = ["fit_mask"]

_AT_ONCE: Final = 8
_PEAK: Final = 3e-3
_OCCLUDERS: Final = 3.0
"""Extra weight of what is in front of the face, as in training."""
_SURE: Final = 0.2
"""Share of the cross-entropy, which still pulls where the mask is wrong and sure of it."""


def fit_mask(net: RefineNet, batch: Example, *, steps: int = 300, seed: int = 0) -> None:
    """Teach the mask's own layers.

    Args:
        net: its mask changes, its picture does not.
        batch: crops to learn from, a hundred or more.
        steps: of eight crops each.
        seed: of their order.
    """
    rising = _rising(net, batch)
    # Also where the caller works without gradients.
    with torch.enable_grad():
        _learn(net, batch, rising, steps, seed)


def _learn(net: RefineNet, batch: Example, rising: Tensor, steps: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    own = [*net.edge.parameters(), *net.mask.parameters()]
    optimiser = torch.optim.Adam(own, lr=_PEAK)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _PEAK * (0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2)
        chosen = random.choice(len(rising), min(_AT_ONCE, len(rising)), replace=False)
        planes, mask = (torch.from_numpy(part[chosen]).float() / 255 for part in (batch.planes, batch.mask))
        raw = net.covered(rising[torch.from_numpy(chosen)].float(), planes)
        weight = 1 + _OCCLUDERS * planes[:, 10:11] * (1 - mask)
        away = (torch.sigmoid(raw) - mask).abs() + _SURE * functional.binary_cross_entropy_with_logits(
            raw, mask, reduction="none"
        )
        optimiser.zero_grad(set_to_none=True)
        (away * weight).mean().backward()
        optimiser.step()


@torch.no_grad()
def _rising(net: RefineNet, batch: Example) -> Tensor:
    """What the mask is given of the picture's side of the network, for every crop."""
    seen: list[Tensor] = []
    hook = net.up_quarter.register_forward_hook(lambda _, __, result: seen.append(result.half()))
    for first in range(0, len(batch.planes), _AT_ONCE):
        net.eval()(torch.from_numpy(batch.planes[first : first + _AT_ONCE]).float() / 255)
    hook.remove()
    return torch.cat(seen)
