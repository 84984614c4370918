"""The trained network in the form for processors; see ``livefake.swap.folded``."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Final

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from livefake.errors import BadInput
from livefake.swap.folded import BLOCK, SHIFT, folded_shapes
from livefake.training.export import INPUT, OUTPUT, Port, graph_of, to_onnx, widened
from livefake.training.nets import STEP, RefineNet

__all__ = ["fits_blocks", "for_processors", "to_folded"]

_BLOCKS, _CELLS, _BLOCKED, _SIDE = "H", "C", "B", "S"
_OUTPUTS: Final = ("skin", "fine", "mask")


class _Blocks(nn.Module):
    """A network that takes blocks, channels last, and returns what its picture is put together from."""

    def __init__(self, net: RefineNet) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        self.seen, self.front = (_dense(stem) for stem in (net.stem, net.edge))
        self.edge = self.net.edge[2:]

    def forward(self, seen: Tensor, front: Tensor, cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See ``folded_shapes`` for what it takes, ``RefineNet.change`` for what it returns; blocks channels last."""
        quarter = functional.relu(self.seen(seen.permute(0, 3, 1, 2)))
        edge = self.edge(functional.relu(self.front(front.permute(0, 3, 1, 2))))
        skin, fine, rising = self.net.change(quarter, cells)
        return skin, fine.permute(0, 2, 3, 1), torch.sigmoid(self.net.mask(torch.cat([rising, edge], 1)))


def fits_blocks(net: RefineNet) -> bool:
    """Whether the network's first convolutions are blocks of 8 pixels; those of earlier versions are not."""
    return all(_wide(stem).kernel_size == (2 * BLOCK, 2 * BLOCK) for stem in (net.stem, net.edge))


def to_folded(net: RefineNet, *, facts: Mapping[str, str]) -> onnx.ModelProto:
    """Make the graph, with free batch and side.

    Args:
        net: one that ``fits_blocks``.
        facts: about the weights, kept in the file's metadata.

    Raises:
        BadInput: its first convolutions have another size.
        EngineError: the graph is not made of plain operators.
    """
    if not fits_blocks(net):
        raise BadInput("The network's first convolutions should be 8 pixels wide for blocks of 4, and are not.")
    shapes = folded_shapes(4 * STEP)
    named = {"seen": (1, 2), "front": (1, 2), "cells": (2, 3), "skin": (2, 3), "fine": (1, 2), "mask": (2, 3)}
    words = {"seen": _BLOCKS, "front": _BLOCKS, "cells": _CELLS, "skin": _CELLS, "fine": _BLOCKED, "mask": _SIDE}
    ports = {
        name: Port(shapes.get(name, ()), {place: words[name] for place in places}) for name, places in named.items()
    }
    return graph_of(_Blocks(net).eval(), ports, _OUTPUTS, facts=facts)


def for_processors(net: RefineNet, channels: int, *, facts: Mapping[str, str]) -> onnx.ModelProto:
    """The graph that int8 is made of: blocks where the network fits them, else the plain form.

    Args:
        net: to export.
        channels: of the plain form's input.
        facts: see ``to_onnx``; what it says of input and output is left out where they are others.

    Raises:
        BadInput: the network does not take that many channels.
        EngineError: the graph is not made of plain operators.
    """
    if not fits_blocks(net):
        return to_onnx(net, channels, facts=facts)
    form = {name: words for name, words in facts.items() if name not in (INPUT, OUTPUT)}
    return to_folded(net, facts=form | {"form": "blocks of 4 x 4 pixels, channels last; livefake.swap.folded"})


def _wide(stem: nn.Sequential) -> nn.Conv2d:
    """The first convolution as one of pixels."""
    conv: nn.Conv2d = stem[1][0]
    return widened(conv, stem[0].downscale_factor)


def _dense(stem: nn.Sequential) -> nn.Conv2d:
    """The first convolution as one of blocks."""
    wide = _wide(stem)
    if wide.padding != (SHIFT, SHIFT) or wide.stride != (BLOCK, BLOCK):
        raise BadInput(f"The first convolution should have the padding {SHIFT} and the stride {BLOCK}, and has others.")
    outward, inward, *_ = wide.weight.shape
    dense = nn.Conv2d(inward * BLOCK**2, outward, 2)
    # A kernel's place is (block, pixel in it), a block's channel (plane, row, column).
    parts = wide.weight.data.reshape(outward, inward, 2, BLOCK, 2, BLOCK).permute(0, 1, 3, 5, 2, 4)
    dense.weight.data = parts.reshape(dense.weight.shape).contiguous()
    dense.bias.data = wide.bias.data.clone()
    return dense
