"""How far the network is: on identities it has never seen, against the mesh warp and the truth, by yaw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from livefake.frame import Bytes
from livefake.training.batches import LIVE, Example, Pairs, example, stack
from livefake.training.losses import ssim

__all__ = ["BUCKETS", "before_and_after", "judge"]

BUCKETS: Final = ((0, 14), (14, 29), (29, 90))
"""Degrees of yaw, to either side."""
_AT_ONCE: Final = 8


def _scores(made: Tensor, truth: Tensor, visible: Tensor) -> dict[str, list[float]]:
    """Per picture: mean error (levels of 255), SSIM, and gradient energy as a share of the truth's."""

    def energy(pictures: Tensor) -> Tensor:
        inside = visible[..., :-1, :-1]
        right = (pictures[..., :-1, 1:] - pictures[..., :-1, :-1]).abs()
        down = (pictures[..., 1:, :-1] - pictures[..., :-1, :-1]).abs()
        return ((right + down) * inside).sum((1, 2, 3))

    area = visible.sum((1, 2, 3)) + 1e-6
    return {
        "error": (((made - truth).abs() * visible).sum((1, 2, 3)) / (3 * area) * 255).tolist(),
        "ssim": ssim(made, truth, visible).tolist(),
        "sharpness": (energy(made) / (energy(truth) + 1e-6)).tolist(),
    }


@torch.no_grad()
def judge(net: nn.Module, pairs: Pairs, device: torch.device, *, most: int = 192) -> dict[str, dict[str, float]]:
    """Mean scores of mesh warp and network.

    Args:
        net: takes (N, 14, S, S), returns (N, 4, S, S).
        pairs: the test split.
        device: where the network is.
        most: how many samples are looked at, from the first on; the same ones every time.

    Returns:
        For each bucket ("0-14" degrees and so on) and for "all": ``count``, and for ``mesh_`` and ``net_`` each
        ``error`` (mean absolute difference, levels of 255), ``ssim`` and ``sharpness`` (1 is the truth's); for
        "all" also ``mask`` (mean absolute difference, 0..1), ``mesh_flicker`` and ``net_flicker`` (what changes
        between two moments beside the truth's change, levels of 255).
    """
    yaws, rows, masks, flickers = [], [], [], []
    for start in range(0, min(most, len(pairs)), _AT_ONCE):
        samples = [pairs[index] for index in range(start, min(start + _AT_ONCE, most, len(pairs)))]
        batch = stack([example(sample) for sample in samples])
        planes, truth, visible, mask = (
            torch.from_numpy(part).to(device).float() / 255
            for part in (batch.planes, batch.truth, batch.visible, batch.mask)
        )
        made = net(planes).float()
        guides, pictures = planes[:, :3], made[:, :3]
        mesh, refined = _scores(guides, truth, visible), _scores(pictures, truth, visible)
        for place, sample in enumerate(samples):
            yaws.append(abs(sample.facts.yaw))
            row = {f"mesh_{name}": values[place] for name, values in mesh.items()}
            rows.append(row | {f"net_{name}": values[place] for name, values in refined.items()})
            if sample.facts.follows and place:
                flickers.append([_flicker(planes_, truth, visible, place) for planes_ in (guides, pictures)])
        masks += (made[:, 3:] - mask).abs().mean((1, 2, 3)).tolist()
    result = {}
    for low, high in (*BUCKETS, (0, 90)):
        inside = [row for yaw, row in zip(yaws, rows, strict=True) if low <= yaw < high]
        means = {name: float(np.mean([row[name] for row in inside])) for name in (inside[0] if inside else ())}
        result["all" if (low, high) == (0, 90) else f"{low}-{high}"] = {"count": float(len(inside)), **means}
    result["all"]["mask"] = float(np.mean(masks))
    if flickers:
        result["all"]["mesh_flicker"], result["all"]["net_flicker"] = np.mean(flickers, 0).tolist()
    return result


def _flicker(pictures: Tensor, truth: Tensor, visible: Tensor, place: int) -> float:
    wrong = (pictures[place] - pictures[place - 1]) - (truth[place] - truth[place - 1])
    weight = visible[place] * visible[place - 1]
    return float((wrong.abs() * weight).sum() / (3 * weight.sum() + 1e-6) * 255)


@torch.no_grad()
def before_and_after(net: nn.Module, pairs: Pairs, device: torch.device, *, rows: int = 8) -> Bytes:
    """A sheet: live, mesh warp, the network's result on the live picture, truth there, mask; turned heads at the end.

    Returns:
        (rows * S, 5 * S, 3) uint8 BGR.
    """
    reach = min(len(pairs), 128)
    order = sorted(range(reach), key=lambda index: abs(pairs[index].facts.yaw))
    chosen = [order[place] for place in np.linspace(0, reach - 1, min(rows, reach)).round().astype(int)]
    batch = stack([example(pairs[index]) for index in chosen])
    made = net(torch.from_numpy(batch.planes).to(device).float() / 255).float().cpu().numpy()
    return np.vstack([np.hstack(_row(batch, made, place)) for place in range(len(chosen))])


def _row(batch: Example, made: np.ndarray[tuple[int, ...], np.dtype[np.float32]], place: int) -> Sequence[Bytes]:
    planes, truth, right = (part[place].astype(np.float32) / 255 for part in (batch.planes, batch.truth, batch.visible))
    live, mask = planes[LIVE], made[place, 3:]
    shown = made[place, :3] * mask + live * (1 - mask)
    wanted = truth * right + live * (1 - right)
    pictures = [
        np.ascontiguousarray(np.clip(part * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0))
        for part in (live, planes[:3], shown, wanted, np.repeat(mask, 3, 0))
    ]
    if place == 0:
        for picture, title in zip(pictures, ("live", "mesh warp", "network", "truth", "mask"), strict=True):
            cv2.putText(picture, title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return pictures
