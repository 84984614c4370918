"""The swap network: guide + residual + mask, made of plain 3 x 3 convolutions.

A U-Net (Ronneberger, Fischer, Brox, MICCAI 2015) on pixel-unshuffled planes, with sub-pixel output (Shi et al.,
"Real-Time Single Image and Video Super-Resolution", CVPR 2016). Plain 3 x 3 convolutions with ReLU run at several
times the speed of depthwise ones in int8, and every operator has a float16, an int8 and a TensorRT form.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from livefake.swap.guide import CHANNELS

__all__ = ["STEP", "IdentityCritic", "PatchCritic", "RefineNet", "Widths", "count_flops", "count_parameters"]

_BLOCK: Final = 4
"""Pixels a side that the stem folds into channels."""
_SEEN: Final = 11
"""Planes that the picture is made from; the live picture that follows them is for the mask alone."""
_COVER: Final = slice(10, 14)
"""Planes that the mask looks at closely: where the guide is meant to show, and the live picture."""
_KEEP: Final = slice(9, 10)
"""The plane of live eyes and mouth, where the picture is free."""
_CELL: Final = 32
"""Side of the cells in which skin may change, pixels."""
_REACH: Final = 1.6
"""The residual lies between minus and plus half of this: enough to turn most colours into most others."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels at a quarter, an eighth, a 16th and a 32nd of the crop's side.

    Attributes:
        quarter, eighth, sixteenth, deepest: channels, 1 or more.
        edge: channels, at a quarter of the side, of the branch that looks for what is in front of the face.
    """

    quarter: int = 64
    eighth: int = 128
    sixteenth: int = 192
    deepest: int = 224
    edge: int = 24


STEP: Final = 32
"""The side of a crop must be a multiple of this."""


def _conv(inward: int, outward: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inward, outward, 3, stride, 1), nn.ReLU(inplace=True))


class _Rise(nn.Module):
    """Up one level: 1 x 1, doubled to nearest neighbours, the other side of the U added, two convolutions."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.fit = nn.Sequential(nn.Conv2d(inward, outward, 1), nn.Upsample(scale_factor=2, mode="nearest"))
        self.body = nn.Sequential(_conv(outward, outward), _conv(outward, outward))

    def forward(self, deep: Tensor, beside: Tensor) -> Tensor:
        return self.body(self.fit(deep) + beside)


class RefineNet(nn.Module):
    """Finishes a warped persona; knows no persona, so one set of weights serves all.

    On skin it changes light and colour only, in cells of 32 pixels: what a face is known by, brows, nose and the lines
    around them, stays the guide's. A network that was free to change it learnt to leave out what it could not predict
    and moved half-way back to the performer. Eyes and the inside of the mouth it may draw anew. The picture is made
    without a sharp look at the live skin; a small branch of its own sees the live picture as it is and only says what
    is in front of the face.

    Args:
        widths: channels of the levels.
    """

    def __init__(self, widths: Widths | None = None) -> None:
        super().__init__()
        wide = widths or Widths()
        self.stem = nn.Sequential(nn.PixelUnshuffle(_BLOCK), _conv(_SEEN * _BLOCK**2, wide.quarter))
        self.down_eighth = nn.Sequential(_conv(wide.quarter, wide.eighth, 2), _conv(wide.eighth, wide.eighth))
        self.down_sixteenth = nn.Sequential(
            _conv(wide.eighth, wide.sixteenth, 2), _conv(wide.sixteenth, wide.sixteenth)
        )
        self.deep = nn.Sequential(
            _conv(wide.sixteenth, wide.deepest, 2), _conv(wide.deepest, wide.deepest), _conv(wide.deepest, wide.deepest)
        )
        self.up_sixteenth = _Rise(wide.deepest, wide.sixteenth)
        self.up_eighth = _Rise(wide.sixteenth, wide.eighth)
        self.up_quarter = _Rise(wide.eighth, wide.quarter)
        self.head = nn.Sequential(nn.Conv2d(wide.quarter, 3 * _BLOCK**2, 3, 1, 1), nn.PixelShuffle(_BLOCK))
        look = (_COVER.stop - _COVER.start) * _BLOCK**2
        self.edge = nn.Sequential(nn.PixelUnshuffle(_BLOCK), _conv(look, wide.edge), _conv(wide.edge, wide.edge))
        self.mask = nn.Sequential(
            _conv(wide.quarter + wide.edge, wide.edge),
            nn.Conv2d(wide.edge, _BLOCK**2, 3, 1, 1),
            nn.PixelShuffle(_BLOCK),
        )
        # Starts as the mesh warp: no residual, a mask of one half.
        for last in (self.head[0], self.mask[1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """Run the network.

        Args:
            planes: (N, 14, S, S) float, 0..1, as ``net_planes`` makes them; S a multiple of 32.

        Returns:
            (N, 4, S, S) float, 0..1: blue, green, red, and the mask, 1 where the picture replaces the live one.
        """
        quarter = self.stem(planes[:, :_SEEN])
        eighth = self.down_eighth(quarter)
        sixteenth = self.down_sixteenth(eighth)
        rising = self.up_sixteenth(self.deep(sixteenth), sixteenth)
        rising = self.up_quarter(self.up_eighth(rising, eighth), quarter)
        fine = (torch.sigmoid(self.head(rising)) - 0.5) * _REACH
        light = functional.interpolate(
            functional.avg_pool2d(fine, _CELL), scale_factor=_CELL, mode="bilinear", align_corners=False
        )
        residual = light + planes[:, _KEEP] * (fine - light)
        mask = torch.sigmoid(self.mask(torch.cat([rising, self.edge(planes[:, _COVER])], 1)))
        return torch.cat([(planes[:, :3] + residual).clamp(0, 1), mask], 1)


class PatchCritic(nn.Module):
    """Says of each patch of a picture whether it looks rendered or made by the network.

    A small PatchGAN (Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017)
    with spectral normalisation (Miyato et al., ICLR 2018).
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inward, outward, stride in (
            (3, width, 2),
            (width, 2 * width, 2),
            (2 * width, 4 * width, 2),
            (4 * width, 1, 1),
        ):
            side = 4 if stride == 2 else 3
            layers.append(nn.utils.parametrizations.spectral_norm(nn.Conv2d(inward, outward, side, stride, 1)))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.body = nn.Sequential(*layers[:-1])

    def forward(self, pictures: Tensor) -> Tensor:
        """Judge (N, 3, S, S) pictures, 0..1: (N, 1, S / 8, S / 8), high for rendered."""
        return self.body(pictures * 2 - 1)


class IdentityCritic(nn.Module):
    """Tells fictional people apart, so that the network can be asked for the right one.

    Learns beside the network, from rendered truths alone, to name the persona; the direction of its features then
    says whose face a picture shows (the softmax embedding of Taigman et al., "DeepFace", CVPR 2014). It is a teacher
    only: identity is judged by another network (see the quality benchmark).

    Args:
        people: how many there are.
    """

    def __init__(self, people: int) -> None:
        super().__init__()
        widths = (3, 24, 48, 96, 128)
        self.body = nn.Sequential(*(_conv(inward, outward, 2) for inward, outward in pairwise(widths)))
        self.features = nn.Linear(widths[-1] * 16, 128)
        self.names = nn.Linear(128, people)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, S, S) pictures, 0..1, black where they do not count, to (N, 128) features of length 1."""
        small = functional.adaptive_avg_pool2d(pictures, 96)
        deep = functional.adaptive_avg_pool2d(self.body(small), 4)
        return functional.normalize(self.features(deep.flatten(1)), dim=1)

    def name(self, features: Tensor) -> Tensor:
        """(N, 128) features to (N, people) scores, before the softmax."""
        return self.names(features * 16)


def count_flops(net: nn.Module, size: int) -> int:
    """Floating-point operations of the convolutions for one crop; a multiply and an add are two.

    Args:
        net: takes (1, 14, size, size).
        size: side of the crop, pixels, a multiple of 32.
    """
    total = 0

    def count(layer: nn.Module, _: object, result: Tensor) -> None:
        nonlocal total
        side = layer.kernel_size
        total += 2 * result.numel() * layer.in_channels // layer.groups * side[0] * side[1]

    hooks = [layer.register_forward_hook(count) for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        net(torch.zeros(1, CHANNELS, size, size, device=next(net.parameters()).device))
    for hook in hooks:
        hook.remove()
    return total


def count_parameters(net: nn.Module) -> int:
    """How many numbers the weights are."""
    return sum(int(values.numel()) for values in net.parameters())
