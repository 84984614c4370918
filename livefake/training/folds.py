"""The first weights of the folds, found from the truth at once: what is left of the error in their cells is nearly a
linear function of what the convolution sees there."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from livefake.training.batches import Example
from livefake.training.nets import DEPTH, FOLD, RefineNet

__all__ = ["fit_folds"]

_AT_ONCE: Final = 16
_RIDGE: Final = 1e-4
"""Added to the diagonal of the normal equations, as a share of its mean."""
_MOST: Final = 0.48
"""What a fold is asked for at most, as a share of its range: its sigmoid reaches one half never."""


def fit_folds(net: RefineNet, batch: Example) -> None:
    """Find the folds by ridge regression, in the cells of visible skin.

    Args:
        net: its folds are replaced, all else stays.
        batch: crops to learn from, a hundred or more.
    """
    inward = net.fold.in_channels * 9 + 1
    square, product = torch.zeros(inward, inward).double(), torch.zeros(inward, 3).double()
    nn.init.zeros_(net.fold.weight)
    nn.init.zeros_(net.fold.bias)
    seen: list[Tensor] = []
    hook = net.fold.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        for first in range(0, len(batch.planes), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            planes, truth, visible = (
                torch.from_numpy(levels[part]).float() / 255 for levels in (batch.planes, batch.truth, batch.visible)
            )
            wrong = truth - net.eval()(planes)[:, :3]
            skin = visible * (1 - planes[:, 9:10])
            share = functional.avg_pool2d(skin, FOLD)
            mean = functional.avg_pool2d(wrong * skin, FOLD) / (share + 1e-3)
            target = torch.logit((mean / DEPTH).clamp(-_MOST, _MOST) + 0.5)
            rows = functional.unfold(seen.pop(), 3, padding=1)
            rows = torch.cat([rows, torch.ones_like(rows[:, :1])], 1).transpose(0, 1).flatten(1)
            weighted = rows * share.flatten()
            square += weighted @ rows.T
            product += weighted @ target.transpose(0, 1).flatten(1).T
        square.diagonal().add_(_RIDGE * square.trace() / inward)
        solved = torch.linalg.solve(square, product).T.float()
        net.fold.weight.copy_(solved[:, :-1].reshape(net.fold.weight.shape))
        net.fold.bias.copy_(solved[:, -1])
    hook.remove()
