"""Mesh warp and network on rendered pairs of held-out people, where the right answer is known to the pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.evaluation import measures
from livefake.faces.landmarks import LandmarkNet, crop_for_points
from livefake.frame import Box, Bytes, Face, Floats, Frame
from livefake.swap.base import Swapper
from livefake.swap.finisher import Finisher
from livefake.swap.guide import lay_over
from livefake.swap.refine import without_specks
from livefake.training.batches import LIVE, Example, Pairs, example
from livefake.training.samples import Sample

__all__ = ["BUCKETS", "WAYS", "Embed", "Judged", "judge_pairs", "table"]

BUCKETS: Final = ((0, 14), (14, 29), (29, 90))
"""Degrees of yaw, to either side."""
WAYS: Final = ("mesh", "network")
Embed = Callable[[Bytes, Floats], Floats]
"""A BGR picture and the (468, 3) landmarks of its face to an embedding of the identity."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One pair.

    Attributes:
        yaw: degrees, to either side.
        scores: by way and measure.
        row: (S, 5 * S, 3) uint8 BGR: live, mesh warp, network, truth, the network's mask.
    """

    yaw: float
    scores: Mapping[str, Mapping[str, float]]
    row: Bytes


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """What one way makes of a pair.

    Attributes:
        face: (S, S, 3) uint8 BGR, what it puts in the face's place.
        picture: the same blended into the live picture.
        mask: (S, S) uint8, how it was blended.
    """

    face: Bytes
    picture: Bytes
    mask: Bytes


def judge_pairs(
    folder: Path,
    finisher: Finisher,
    landmarks: LandmarkNet,
    swapper: Swapper,
    embed: Embed,
    *,
    most: int,
    tell: Callable[[int, int], None],
) -> Iterator[Judged]:
    """Judge the pairs of the test split.

    Args:
        folder: of the pairs, as ``livefake train synth`` fills it.
        finisher: the network.
        landmarks: reads the mesh of the results.
        swapper: any persona's; it says how far a mask may reach.
        embed: tells identities.
        most: how many pairs, from the first on.
        tell: called with done and all.

    Raises:
        BadInput: there are no such pairs.
    """
    pairs = Pairs(folder, "test")
    count = min(most, len(pairs))
    before: tuple[Example, dict[str, _Shown]] | None = None
    for index in range(count):
        sample = pairs[index]
        one = example(sample)
        live, truth = _picture(one.planes[LIVE]), _picture(one.truth)
        shown = _ways(one, sample, finisher, swapper, live)
        visible = np.ascontiguousarray(one.visible[0])
        person = embed(lay_over(live, truth, visible), sample.points)
        performer = embed(live, sample.points)
        seen = _read(landmarks, live, sample.points)
        scores = {}
        for way, made in shown.items():
            again = _read(landmarks, made.picture, sample.points)
            # Beside a hand in front of the face, what counts is that the hand is still there.
            covered = np.where(sample.region > 128, sample.hidden, 0).astype(np.uint8)
            opening = np.abs(np.subtract(measures.openings(again), measures.openings(seen)))
            found = {
                "error": measures.mean_error(made.face, truth, visible),
                "SSIM": measures.structural_similarity(made.face, truth, visible),
                "perceptual": measures.gradient_distance(made.face, truth, visible),
                "sharpness": measures.gradient_ratio(made.face, truth, visible),
                "fine detail": measures.detail_ratio(made.face, truth, visible),
                "to the persona": float(np.linalg.norm(embed(made.picture, sample.points) - person)),
                "to the performer": float(np.linalg.norm(embed(made.picture, sample.points) - performer)),
                "eyes": float(opening[:2].mean()),
                "mouth": float(opening[2]),
                "NME": measures.normalised_error(again, seen),
                "gaze": _gaze(made.picture, live, one.keep[0]),
                "seam": measures.seam(made.picture, live, made.mask),
            }
            if np.count_nonzero(covered > 128) > 50:
                found["in front"] = measures.mean_error(made.picture, live, covered)
            if sample.facts.follows and before is not None:
                earlier, was = before
                weight = cv2.min(visible, np.ascontiguousarray(earlier.visible[0]))
                found["flicker"] = measures.unrest(
                    made.face, was[way].face, truth, _picture(earlier.truth), np.asarray(weight, np.uint8)
                )
            scores[way] = found
        before = (one, shown)
        mask = cv2.merge([shown["network"].mask] * 3)
        pictures = (live, shown["mesh"].picture, shown["network"].picture, lay_over(live, truth, visible), mask)
        yield Judged(abs(sample.facts.yaw), scores, np.hstack(pictures))
        tell(index + 1, count)


def table(judged: list[Judged]) -> dict[str, dict[str, dict[str, float]]]:
    """Means by bucket of yaw, way and measure; ``count`` and ``error ratio`` beside them."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for low, high in (*BUCKETS, (0, 90)):
        inside = [one for one in judged if low <= one.yaw < high]
        name = "all" if (low, high) == (0, 90) else f"{low}-{high}"
        means: dict[str, dict[str, float]] = {}
        for way in WAYS:
            names = {measure for one in inside for measure in one.scores[way]}
            means[way] = {
                measure: float(np.mean([one.scores[way][measure] for one in inside if measure in one.scores[way]]))
                for measure in sorted(names)
            }
        if inside:
            means["network"]["error ratio"] = means["network"]["error"] / means["mesh"]["error"]
        means["pairs"] = {"count": float(len(inside))}
        result[name] = means
    return result


def _ways(one: Example, sample: Sample, finisher: Finisher, swapper: Swapper, live: Bytes) -> dict[str, _Shown]:
    guide = _picture(one.planes[:3])
    side = live.shape[0]
    patch = swapper(Frame.from_bgr(live), Face(Box.around(sample.points), sample.points, 1.0, 1.0, 1, performer=True))
    solid = np.zeros((side, side), np.uint8)
    if patch is not None:
        solid[patch.box.top : patch.box.bottom, patch.box.left : patch.box.right] = patch.solid
    made = finisher(one.planes)
    face = np.ascontiguousarray(np.clip(made[:3] * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0))
    mask = np.minimum(solid, np.clip(without_specks(made[3], solid) * 510, 0, 255).astype(np.uint8))
    return {
        "mesh": _Shown(guide, guide, np.ascontiguousarray(one.planes[10])),
        "network": _Shown(face, lay_over(live, face, mask), mask),
    }


def _picture(planes: Bytes) -> Bytes:
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def _read(net: LandmarkNet, picture: Bytes, points: Floats) -> Floats:
    return net(Frame.from_bgr(picture), crop_for_points(points)).points


def _gaze(made: Bytes, live: Bytes, keep: Bytes) -> float:
    """How alike the eyes and the mouth's inside look, as a correlation of luma; 1 is the same."""
    inside = keep > 128
    if np.count_nonzero(inside) < 30:
        return 1.0
    a, b = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[inside].astype(np.float64) for picture in (made, live))
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 1 and b.std() > 1 else 1.0
