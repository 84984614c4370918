"""Personas worn through the whole live path, with the network and without: the built-in clip and a real photograph.

There is no truth here, so the questions are others: whose face is it, does it do what the performer does, does it
flicker?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from benchmarks.quality_pairs import Embed
from livefake.clock import monotonic
from livefake.compose.others import Others
from livefake.evaluation import measures
from livefake.faces.geometry import five_points, similarity
from livefake.faces.landmarks import crop_for_points
from livefake.faces.performer import Performer
from livefake.faces.stages import Detect, Follow, ReadLandmarks
from livefake.faces.track import Tracks
from livefake.frame import Bytes, Drop, Floats, Frame
from livefake.offline import patient_budget
from livefake.studio import Studio
from livefake.trust.gate import never_shown

__all__ = ["Worn", "frames_of", "moving_photograph", "wear"]

_STEADY: Final = 160
"""Side of the steadied crop that flicker is measured in, pixels."""
_SKIP: Final = 12
"""Frames until the network has faded in."""


@dataclass(frozen=True, slots=True, eq=False)
class Worn:
    """One persona on one run of frames.

    Attributes:
        persona: its id.
        to_persona, to_performer: (N,) dlib distances of the shown frames.
        eyes, mouth: mean difference of the openings from the live ones, as a share of their width.
        nme: mean distance of the landmarks read again from the live ones, as a share of the eyes' distance.
        flicker: change between steadied frames beside the live picture's own change, levels.
        shown: how many frames were shown at all, 0..1.
        pictures: some frames, (H, W, 3) uint8 BGR.
    """

    persona: str
    to_persona: Floats
    to_performer: Floats
    eyes: float
    mouth: float
    nme: float
    flicker: float
    shown: float
    pictures: Sequence[Bytes]


def moving_photograph(picture: Bytes, count: int, seed: int = 0) -> list[Bytes]:
    """A photograph as a webcam might see it: it drifts, turns a little, comes nearer, and the light changes.

    Args:
        picture: (H, W, 3) uint8 BGR.
        count: frames.
        seed: of the drift.
    """
    height, width = picture.shape[:2]
    random = np.random.default_rng(seed)
    phases = random.uniform(0, 2 * np.pi, 5)
    frames = []
    for number in range(count):
        waves = np.sin(2 * np.pi * number / 60 + phases)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 8 * waves[0], 1.1 + 0.12 * waves[1])
        matrix[:, 2] += waves[2:4] * 0.03 * width
        moved = cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
        noisy = moved * (1 + 0.15 * waves[4]) + random.normal(size=moved.shape) * 2
        frames.append(np.asarray(np.clip(noisy, 0, 255), np.uint8))
    return frames


def wear(
    studio: Studio,
    persona: str,
    frames: Sequence[Bytes],
    embed: Embed,
    *,
    refine: bool,
    portrait: Floats,
    tell: Callable[[int], None],
    every: int = 6,
) -> Worn:
    """Run frames through a rig and look at what comes out.

    Args:
        studio: networks and personas.
        persona: id.
        frames: (H, W, 3) uint8 BGR.
        embed: tells identities.
        refine: whether the network works.
        portrait: embedding of the persona's own picture.
        tell: called after each frame.
        every: one frame in so many is looked at for identity and expression.
    """
    rig = studio.rig(
        persona,
        session=1,
        others=Others.BLUR,
        budget=patient_budget(),
        clock=monotonic,
        cpu_clock=monotonic,
        refine=refine,
        record=never_shown,
    )
    reader = _Reader(studio)
    distances: list[tuple[float, float]] = []
    shapes: list[tuple[float, float, float]] = []
    flickers: list[float] = []
    kept: list[Bytes] = []
    shown = 0
    before: tuple[Bytes, Bytes] | None = None
    for number, picture in enumerate(frames):
        frame = Frame.from_bgr(picture, pts=number * 3000)
        points = reader.find(Frame(frame.i420.copy(), frame.pts, 0))
        sealed = rig(frame)
        tell(number + 1)
        if sealed is None or points is None or number < _SKIP:
            before = None
            continue
        shown += 1
        made = sealed.frame.bgr()
        steady = _steadied(picture, points), _steadied(made, points)
        if before is not None:
            whole = np.full(steady[0].shape[:2], 255, np.uint8)
            flickers.append(measures.unrest(steady[1], before[1], steady[0], before[0], whole))
        before = steady
        if number % every == 0:
            again = reader.reread(made, points)
            found = embed(made, points)
            distances.append(tuple(float(np.linalg.norm(found - one)) for one in (portrait, embed(picture, points))))  # type: ignore[arg-type]
            change = np.abs(np.subtract(measures.openings(again), measures.openings(points)))
            shapes.append((float(change[:2].mean()), float(change[2]), measures.normalised_error(again, points)))
            kept.append(made)
    looked = np.array(distances, np.float32).reshape(-1, 2)
    eyes, mouth, nme = np.array(shapes).reshape(-1, 3).mean(0) if shapes else (np.nan,) * 3
    step = max(1, len(kept) // 4)
    return Worn(
        persona=persona,
        to_persona=looked[:, 0],
        to_performer=looked[:, 1],
        eyes=float(eyes),
        mouth=float(mouth),
        nme=float(nme),
        flicker=float(np.mean(flickers)) if flickers else float("nan"),
        shown=shown / max(1, len(frames) - _SKIP),
        pictures=kept[::step][:4],
    )


class _Reader:
    """Finds the performer's mesh in the live picture, and again in what was made of it."""

    def __init__(self, studio: Studio) -> None:
        detector, self._net = studio.networks()
        tracks = Tracks()
        detect = Detect(detector, tracks, interval=8)
        self._stages = (detect, ReadLandmarks(self._net, tracks), Follow(tracks, Performer(), detect))

    def find(self, frame: Frame) -> Floats | None:
        try:
            for stage in self._stages:
                frame = stage(frame)
        except Drop:
            return None
        return next((face.points for face in frame.faces if face.performer), None)

    def reread(self, picture: Bytes, points: Floats) -> Floats:
        return self._net(Frame.from_bgr(picture), crop_for_points(points)).points


def _steadied(picture: Bytes, points: Floats) -> Bytes:
    """The face moved to one place, so that only its own changes are left."""
    target = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.58], [0.36, 0.76], [0.64, 0.76]], np.float32) * _STEADY
    matrix = similarity(five_points(points), target)
    return np.asarray(cv2.warpAffine(picture, matrix, (_STEADY, _STEADY)), np.uint8)


def frames_of(path: str, most: int) -> Iterator[Bytes]:
    """The first pictures of a clip."""
    import av

    with av.open(path) as clip:
        for number, frame in enumerate(clip.decode(video=0)):
            if number >= most:
                return
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
