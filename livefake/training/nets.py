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

__all__ = [
    "DEPTH",
    "FOLD",
    "STEP",
    "IdentityCritic",
    "PatchCritic",
    "RefineNet",
    "Widths",
    "count_flops",
    "count_parameters",
]

_BLOCK: Final = 4
"""Pixels a side that the stem folds into channels."""
_SEEN: Final = 11
"""Planes that the picture is made from; the live picture that follows them is for the mask alone."""
_LOW: Final = 6
"""Planes of the guide and of coarse live skin, whose means in its cells a fold follows."""
_COVER: Final = slice(10, 14)
"""Planes that the mask looks at closely: where the guide is meant to show, and the live picture."""
_KEEP: Final = slice(9, 10)
"""The plane of live eyes and mouth, where the picture is free."""
_CELL: Final = 32
"""Side of the cells in which light and colour of skin may change, pixels."""
FOLD: Final = 8
"""Side of the cells in which its shading may change a little: folds, wrinkles, the side of a nose."""
_REACH: Final = 1.6
"""The residual lies between minus and plus half of this: enough to turn most colours into most others."""
DEPTH: Final = 0.12
"""Likewise of a fold: 15 levels, so that no feature comes or goes."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Channels at a quarter, an eighth, a 16th and a 32nd of the crop's side.

    Attributes:
        quarter, eighth, sixteenth, deepest: channels, 1 or more.
        edge: channels, at a quarter of the side, of the branch that looks for what is in front of the face.
        stem: side of the first convolutions, 8 or 12 pixels; networks of earlier versions have 12.
        last: side of the last convolutions, 1 or 3; networks of earlier versions have 3.
    """

    quarter: int = 32
    eighth: int = 64
    sixteenth: int = 128
    deepest: int = 160
    edge: int = 16
    stem: int = 8
    last: int = 1


STEP: Final = 32
"""The side of a crop must be a multiple of this."""


def _conv(inward: int, outward: int, stride: int = 1, *, side: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inward, outward, side, stride, 1), nn.ReLU(inplace=True))


def _stem(planes: int, outward: int, side: int) -> nn.Sequential:
    """From planes to a quarter of their side: a convolution of 8 x 8 or 12 x 12 pixels with stride 4."""
    # Two steps of 2, or one of 4.
    stride = 2 if side == 2 * _BLOCK else 1
    block = _BLOCK // stride
    return nn.Sequential(nn.PixelUnshuffle(block), _conv(planes * block**2, outward, stride, side=side // block))


def _last(inward: int, outward: int, side: int) -> nn.Conv2d:
    return nn.Conv2d(inward, outward, side, 1, side // 2)


def _bounded(raw: Tensor, reach: float) -> Tensor:
    return (torch.sigmoid(raw) - 0.5) * reach


def _smooth(cells: Tensor, side: int) -> Tensor:
    return functional.interpolate(cells, scale_factor=side, mode="bilinear", align_corners=False)


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

    On skin it changes light and colour in cells of 32 pixels, and shading in cells of 8 pixels by 15 levels at most:
    what a face is known by, brows, nose and the lines around them, stays the guide's. A network that was free to change
    it learnt to leave out what it could not predict and moved half-way back to the performer. Eyes and the inside of
    the mouth it may draw anew. The picture is made without a sharp look at the live skin; a small branch of its own
    sees the live picture as it is and only says what is in front of the face.

    Args:
        widths: channels of the levels.
    """

    share: Tensor

    def __init__(self, widths: Widths | None = None) -> None:
        super().__init__()
        wide = widths or Widths()
        self.stem = _stem(_SEEN, wide.quarter, wide.stem)
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
        # Not learnt: how much of the change on skin is shown. With less of it, it is less the performer.
        self.register_buffer("share", torch.ones(1))
        self.fold = nn.Conv2d(wide.eighth + _LOW, 3, 3, 1, 1)
        # The last convolutions stay in float when the others become int8: 1 x 1 keeps that share small.
        self.head = nn.Sequential(_last(wide.quarter, 3 * _BLOCK**2, wide.last), nn.PixelShuffle(_BLOCK))
        self.edge = nn.Sequential(*_stem(_COVER.stop - _COVER.start, wide.edge, wide.stem), _conv(wide.edge, wide.edge))
        self.mask = nn.Sequential(
            _conv(wide.quarter + wide.edge, wide.edge),
            _last(wide.edge, _BLOCK**2, wide.last),
            nn.PixelShuffle(_BLOCK),
        )
        # Starts as the mesh warp: no residual, a mask of one half.
        for last in (self.fold, self.head[0], self.mask[1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, planes: Tensor) -> Tensor:
        """Run the network.

        Args:
            planes: (N, 14, S, S) float, 0..1, as ``net_planes`` makes them; S a multiple of 32.

        Returns:
            (N, 4, S, S) float, 0..1: blue, green, red, and the mask, 1 where the picture replaces the live one.
        """
        cells, blocks, rising = self.change(self.stem(planes[:, :_SEEN]), functional.avg_pool2d(planes[:, :_LOW], FOLD))
        fine = functional.pixel_shuffle(blocks, _BLOCK)
        skin = _smooth(cells, FOLD)
        residual = skin + planes[:, _KEEP] * (fine - skin)
        mask = torch.sigmoid(self.covered(rising, planes))
        return torch.cat([(planes[:, :3] + residual).clamp(0, 1), mask], 1)

    def change(self, quarter: Tensor, low: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is added to the guide.

        Args:
            quarter: (N, C, S / 4, S / 4), what the stem returns.
            low: (N, 6, S / 8, S / 8), means of guide and coarse live skin in the cells of the folds.

        Returns:
            The change on skin in those cells, (N, 3, S / 8, S / 8); the free change, (N, 48, S / 4, S / 4), with
            colour, row and column in the block as channels; and what ``covered`` takes, (N, C, S / 4, S / 4).
        """
        eighth = self.down_eighth(quarter)
        sixteenth = self.down_sixteenth(eighth)
        middle = self.up_eighth(self.up_sixteenth(self.deep(sixteenth), sixteenth), eighth)
        rising = self.up_quarter(middle, quarter)
        fine = _bounded(self.head[0](rising), _REACH)
        # Means of the blocks, then of their pixels: no picture of full size is needed for that.
        coarse = functional.avg_pool2d(fine, _CELL // _BLOCK)
        colours = functional.avg_pool2d(functional.pixel_shuffle(coarse, _BLOCK), _BLOCK)
        # Put together in the cells of the folds: one picture of full size less.
        light = _smooth(colours, _CELL // FOLD)
        return self.share * (light + _bounded(self.fold(torch.cat([middle, low], 1)), DEPTH)), fine, rising

    def covered(self, rising: Tensor, planes: Tensor) -> Tensor:
        """The mask before its sigmoid.

        Args:
            rising: (N, C, S / 4, S / 4), what ``up_quarter`` returns.
            planes: as ``forward`` takes them.

        Returns:
            (N, 1, S, S) float.
        """
        raw: Tensor = self.mask(torch.cat([rising, self.edge(planes[:, _COVER])], 1))
        return raw


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
