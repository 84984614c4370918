"""General against fine-tuned network, on takes that neither has learnt from; and which of the two is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from livefake.frame import Bytes, Floats
from livefake.training.batches import LIVE, Example
from livefake.training.losses import ssim

__all__ = ["Embed", "Exam", "Scores", "choose", "score", "sheet"]

Embed = Callable[[Sequence[tuple[Bytes, Floats]]], Floats]
"""Pictures (H, W, 3) uint8 BGR with their (468, 2 or more) points, to (N, 128) float32, whose face each shows."""
_AT_ONCE: Final = 8
_SSIM_SLACK: Final = 0.002
"""Structural similarity that a smaller error may cost."""
_IDENTITY_SLACK: Final = 0.02
"""Distance to the person that a smaller error may cost; two strangers are 0.6 apart and more."""
_FORGOTTEN: Final = 1.25
"""Error on other people, as a multiple of the general network's, beyond which too much was forgotten."""


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """What is judged on.

    Attributes:
        held: a batch of held-out examples.
        points: (468, 3) float32 of each, pixels of the crop.
        person: (128,) float32, the person; None where nobody can tell whose face a picture shows.
        embed: tells it; None likewise.
    """

    held: Example
    points: Sequence[Floats]
    person: Floats | None = None
    embed: Embed | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """How good a network is.

    Attributes:
        error: mean absolute difference from the truth in the face region, levels of 255.
        ssim: structural similarity there, at most 1.
        identity: mean distance of the shown picture from the person, 0 and more; None where it was not measured.
        others: error on rendered pairs of other people, levels; None where there are none.
    """

    error: float
    ssim: float
    identity: float | None = None
    others: float | None = None


@torch.no_grad()
def score(net: nn.Module | None, exam: Exam, device: torch.device, *, others: float | None = None) -> Scores:
    """Judge a network.

    Args:
        net: takes (N, 14, S, S), returns (N, 4, S, S); None judges the mesh warp, the picture without a network.
        exam: what on.
        device: where the network is.
        others: handed through to the scores.
    """
    errors: list[float] = []
    structures: list[float] = []
    shown: list[Bytes] = []
    for start in range(0, len(exam.held.persona), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        planes, truth, visible = (
            torch.from_numpy(part[rows]).to(device).float() / 255
            for part in (exam.held.planes, exam.held.truth, exam.held.visible)
        )
        made = _made(net, planes, visible)
        area = visible.sum((1, 2, 3)) + 1e-6
        errors += (((made[:, :3] - truth).abs() * visible).sum((1, 2, 3)) / (3 * area) * 255).tolist()
        structures += ssim(made[:, :3], truth, visible).tolist()
        shown += _shown(made, planes)
    identity = None
    if exam.embed is not None and exam.person is not None:
        found = exam.embed(list(zip(shown, exam.points, strict=True)))
        identity = float(np.linalg.norm(found - exam.person, axis=1).mean())
    return Scores(float(np.mean(errors)), float(np.mean(structures)), identity, others)


def choose(general: Scores, tuned: Scores) -> tuple[bool, str]:
    """Which network is kept: the fine-tuned one only where it is better and has forgotten little.

    Returns:
        Whether it is the fine-tuned one, and why in one sentence.
    """
    better = f"Its error on held-out takes is {tuned.error:.2f} levels, the general network's {general.error:.2f}"
    reasons = []
    if not np.isfinite([tuned.error, tuned.ssim]).all():
        reasons.append("its pictures are no numbers")
    if not tuned.error < general.error:
        reasons.append(f"its error is {tuned.error:.2f} levels against {general.error:.2f}")
    if tuned.ssim < general.ssim - _SSIM_SLACK:
        reasons.append(f"its structural similarity is {tuned.ssim:.3f} against {general.ssim:.3f}")
    if (
        tuned.identity is not None
        and general.identity is not None
        and tuned.identity > general.identity + _IDENTITY_SLACK
    ):
        reasons.append(f"it is {tuned.identity:.2f} away from the person against {general.identity:.2f}")
    if tuned.others is not None and general.others is not None and tuned.others > general.others * _FORGOTTEN:
        reasons.append(f"its error on other performers is {tuned.others:.2f} levels against {general.others:.2f}")
    if reasons:
        return False, f"The general network is kept, because of the fine-tuned one {' and '.join(reasons)}."
    return True, f"The fine-tuned network is kept. {better}."


@torch.no_grad()
def sheet(general: nn.Module, tuned: nn.Module, exam: Exam, device: torch.device, *, rows: int = 6) -> Bytes:
    """Before and after: live, mesh warp, general network, fine-tuned network, truth.

    Returns:
        (rows * S, 5 * S, 3) uint8 BGR.
    """
    chosen = np.unique(np.linspace(0, len(exam.held.persona) - 1, rows).round().astype(int))
    planes, visible = (
        torch.from_numpy(part[chosen]).to(device).float() / 255 for part in (exam.held.planes, exam.held.visible)
    )
    columns: list[list[Bytes]] = [[_picture(planes[row, LIVE]) for row in range(len(chosen))]]
    columns += [_shown(_made(net, planes, visible), planes) for net in (None, general, tuned)]
    columns.append([np.ascontiguousarray(exam.held.truth[row].transpose(1, 2, 0)) for row in chosen])
    for column, title in zip(columns, ("live", "mesh warp", "general", "fine-tuned", "truth"), strict=True):
        cv2.putText(column[0], title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.hstack([np.vstack(column) for column in columns])


def _made(net: nn.Module | None, planes: Tensor, visible: Tensor) -> Tensor:
    return torch.cat([planes[:, :3], visible], 1) if net is None else net(planes).float()


def _shown(made: Tensor, planes: Tensor) -> list[Bytes]:
    """What the performer's viewers see, (S, S, 3) uint8 BGR each."""
    pictures = made[:, :3] * made[:, 3:] + planes[:, LIVE] * (1 - made[:, 3:])
    return [_picture(picture) for picture in pictures]


def _picture(planes: Tensor) -> Bytes:
    levels = (planes.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
    return np.ascontiguousarray(levels.cpu().numpy().transpose(1, 2, 0))
