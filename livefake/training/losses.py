"""What the network is taught by. All take pictures as (N, C, S, S) float 0..1 and a weight as (N, 1, S, S)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "Shares",
    "absolute",
    "critic_loss",
    "deceit",
    "detail_energy",
    "gradients",
    "multi_scale",
    "picture_loss",
    "ssim",
    "steadiness",
]

_WINDOW: Final = 8
_STRIDE: Final = 4
_ENERGY_CELL: Final = 16
_TINY: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Shares:
    """How much each loss counts.

    Attributes:
        absolute: L1 of the pixels.
        gradients: L1 of their first differences.
        structure: one minus SSIM.
        coarse: L1 at a half, a quarter and an eighth of the size.
        energy: local gradient energy, against softness.
        mask: L1 of the mask.
        steady: change from one moment to the next.
        deceit: the critic's opinion; 0 leaves the critic out.
        identity: the identity critic's distance between the network's picture and the truth; 0 leaves it out.
        features: extra weight of eyes and mouth.
        occluders: extra weight, in the mask, of what is in front of the face.
    """

    absolute: float = 3.0
    gradients: float = 4.0
    structure: float = 0.3
    coarse: float = 1.0
    energy: float = 16.0
    mask: float = 0.5
    steady: float = 2.0
    deceit: float = 0.0
    identity: float = 0.0
    features: float = 2.0
    occluders: float = 3.0


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return (values * weight).sum() / (weight.sum() * values.shape[1] + _TINY)


def absolute(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference."""
    return _mean((made - truth).abs(), weight)


def _differences(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """To the right and downward, both (N, C, S - 1, S - 1)."""
    corner = pictures[..., :-1, :-1]
    return pictures[..., :-1, 1:] - corner, pictures[..., 1:, :-1] - corner


def gradients(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """L1 of first differences (the gradient difference loss of Mathieu, Couprie, LeCun, ICLR 2016, signed)."""
    pairs = zip(_differences(made), _differences(truth), strict=True)
    return sum(_mean((one - other).abs(), weight[..., :-1, :-1]) for one, other in pairs)


def multi_scale(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """L1 at a half, a quarter and an eighth of the size: light and colour count beside the pixels they lie in."""
    total = torch.zeros((), device=made.device)
    for _ in range(3):
        made, truth, weight = (functional.avg_pool2d(planes, 2) for planes in (made, truth, weight))
        total = total + absolute(made, truth, weight)
    return total / 3


def ssim(made: Tensor, truth: Tensor, weight: Tensor, *, stride: int = 1) -> Tensor:
    """Structural similarity (Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004), uniform windows of 8 pixels.

    Args:
        made, truth, weight: see above.
        stride: pixels from one window to the next; fewer windows teach as well at a share of the work.

    Returns:
        (N,): weighted mean over each picture, at most 1.
    """

    def smooth(planes: Tensor) -> Tensor:
        return functional.avg_pool2d(planes, _WINDOW, stride)

    mean_a, mean_b = smooth(made), smooth(truth)
    var_a, var_b = smooth(made * made) - mean_a**2, smooth(truth * truth) - mean_b**2
    both = smooth(made * truth) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    quality = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    share = smooth(weight)
    return (quality.mean(1, keepdim=True) * share).sum((1, 2, 3)) / (share.sum((1, 2, 3)) + _TINY)


def detail_energy(made: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
    """Difference of the gradient energy in cells of 16 pixels.

    Pixel losses prefer no detail to detail that is a pixel off. Here it only counts how much detail a place has,
    not where its edges lie: the first-order form of a texture statistic (Portilla, Simoncelli, IJCV 40(1), 2000).
    """

    def energy(pictures: Tensor) -> Tensor:
        right, down = _differences(pictures)
        inside = weight[..., :-1, :-1]
        strength = torch.sqrt(right**2 + down**2 + 1e-5) * inside
        cells = functional.avg_pool2d(strength, _ENERGY_CELL, ceil_mode=True)
        return cells / (functional.avg_pool2d(inside, _ENERGY_CELL, ceil_mode=True) + 0.05)

    return functional.l1_loss(energy(made), energy(truth))


def steadiness(made: Tensor, later: Tensor, truth: Tensor, later_truth: Tensor, weight: Tensor) -> Tensor:
    """Change between neighbouring moments against the true change, in place.

    What trembles in the picture but not in the truth is flicker (temporal loss after Lai et al., "Learning Blind
    Video Temporal Consistency", ECCV 2018, with the truth's own change in place of an optical flow).
    """
    return _mean(((later - made) - (later_truth - truth)).abs(), weight)


def critic_loss(critic: torch.nn.Module, real: Tensor, made: Tensor) -> Tensor:
    """Hinge loss of the critic (Lim and Ye, "Geometric GAN", 2017)."""
    return functional.relu(1 - critic(real)).mean() + functional.relu(1 + critic(made.detach())).mean()


def deceit(critic: torch.nn.Module, made: Tensor) -> Tensor:
    """What the critic holds against the network's pictures."""
    return -critic(made).mean()


def picture_loss(
    made: Tensor, truth: Tensor, visible: Tensor, mask: Tensor, *, keep: Tensor, cover: Tensor, shares: Shares
) -> dict[str, Tensor]:
    """The losses that need one picture, each already multiplied by its share.

    Args:
        made: (N, 4, S, S), what the network returns.
        truth: (N, 3, S, S).
        visible: (N, 1, S, S), the swap region without what is in front of it.
        mask: (N, 1, S, S), the mask that is right; see ``Example``.
        keep: (N, 1, S, S), eyes and mouth.
        cover: (N, 1, S, S), where the network is told that the guide shows.
        shares: how much each counts.
    """
    picture, opened = made[:, :3], made[:, 3:]
    # A little everywhere: beyond the mask's edge the picture goes on, so a soft edge never shows a colour fringe.
    weight = visible * (1 + shares.features * keep) + 0.02
    # A frame of glasses is a few pixels of the mask, and all that keeps them in front of the face.
    covered = 1 + shares.occluders * cover * (1 - mask)
    return {
        "absolute": shares.absolute * absolute(picture, truth, weight),
        "gradients": shares.gradients * gradients(picture, truth, weight),
        "structure": shares.structure * (1 - ssim(picture, truth, visible, stride=_STRIDE).mean()),
        "coarse": shares.coarse * multi_scale(picture, truth, weight),
        "energy": shares.energy * detail_energy(picture, truth, visible),
        "mask": shares.mask * ((opened - mask).abs() * covered).mean(),
    }
