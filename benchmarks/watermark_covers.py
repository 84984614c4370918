"""What the mark is put into: swapped and labelled faces from the live path's own stages, and drawn scenes.

Half of the covers are faces: the built-in clip and photographs that move, worn as every persona, some through a
noisy, dim or soft camera. The rest is what else a camera or a screen may show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import cv2
import numpy as np
import skimage

from benchmarks.quality_worn import frames_of, moving_photograph
from benchmarks.watermark_drawn import DRAWN, HEIGHT, WIDTH, with_chroma
from livefake.compose.blend import Blend
from livefake.compose.colour import MatchColour
from livefake.faces.performer import Performer
from livefake.faces.stages import Detect, Follow, ReadLandmarks
from livefake.faces.track import Tracks
from livefake.frame import Bytes, Drop, Frame
from livefake.media.holdcard import CardPainter
from livefake.resources import models_folder
from livefake.studio import Studio
from livefake.swap.refine import Refine
from livefake.swap.stage import Swap
from livefake.trust.label import Label

__all__ = ["Clip", "Cover", "covers"]

Clip = list[Bytes]
"""I420 pictures, each (height * 3 // 2, width) uint8."""

Cover = Callable[[Studio, int], Clip]
"""Makes so many frames, not marked yet."""

Camera = Callable[[Bytes, np.random.Generator], Bytes]

_WORN_AFTER: Final = 12
"""Frames before the first one that counts: by then the network has faded in."""


def covers() -> dict[str, Cover]:
    """Every cover by its name, the same in every run."""
    made: dict[str, Cover] = {
        f"performer as {persona}, {camera}": partial(_performer, persona, camera) for persona, camera in _WORN
    }
    made |= {f"{who} as {persona}": partial(_photograph, who, persona) for who, persona in _PHOTOGRAPHED}
    made["hold card"] = _card
    made |= {f"{name} {seed}": partial(_drawn, name, seed) for name, seed in _SCENES}
    return made


def _plain(picture: Bytes, rng: np.random.Generator) -> Bytes:
    return picture


def _noisy(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """A webcam with its gain turned up."""
    return _grainy(picture.astype(np.float32), 5, rng)


def _dim(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """An evening room."""
    return _grainy(picture * np.float32(0.45), 4, rng)


def _soft(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """A camera of 480 lines, enlarged."""
    small = cv2.resize(picture, (854, 480), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return _grainy(np.asarray(large, np.float32), 1.5, rng)


def _grainy(
    picture: np.ndarray[tuple[int, ...], np.dtype[np.float32]], deviation: float, rng: np.random.Generator
) -> Bytes:
    grain = rng.standard_normal(picture.shape, np.float32) * np.float32(deviation)
    return np.asarray(np.clip(np.rint(picture + grain), 0, 255), np.uint8)


_CAMERAS: Final[dict[str, Camera]] = {"plain": _plain, "noisy": _noisy, "dim": _dim, "soft": _soft}
_WORN: Final = (
    ("mara", "plain"),
    ("kofi", "noisy"),
    ("edgar", "dim"),
    ("zola", "soft"),
    ("inger", "plain"),
    ("ravi", "noisy"),
    ("amparo", "dim"),
    ("nils", "soft"),
)
_PHOTOGRAPHED: Final = (("astronaut", "mara"), ("astronaut", "edgar"), ("nils", "kofi"), ("inger", "zola"))
_SCENES: Final = (
    *((name, 1) for name in DRAWN),
    ("texture", 2),
    ("noise", 2),
    ("shapes", 2),
    ("portrait", 2),
    ("page", 2),
)


def _performer(persona: str, camera: str, studio: Studio, count: int) -> Clip:
    """The built-in clip through a camera, swapped."""
    rng = np.random.default_rng(3)
    clip = frames_of(str(models_folder() / "demo" / "performer.mp4"), count + _WORN_AFTER)
    return list(_worn(studio, persona, (_CAMERAS[camera](picture, rng) for picture in clip)))[_WORN_AFTER:]


def _photograph(who: str, persona: str, studio: Studio, count: int) -> Clip:
    """A photograph that moves before a blurred copy of itself, swapped."""
    if who == "astronaut":
        load: Callable[[], Bytes] = skimage.data.astronaut  # Eileen Collins, by NASA: public domain
        face = np.ascontiguousarray(load()[..., ::-1])
    else:
        face = np.asarray(cv2.imread(str(models_folder() / "personas" / who / "portrait.jpg")), np.uint8)
    wide = cv2.resize(face[64:352], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    scene = np.asarray(cv2.GaussianBlur(wide, (0, 0), 24), np.uint8)
    left = (WIDTH - HEIGHT) // 2
    scene[:, left : left + HEIGHT] = cv2.resize(face, (HEIGHT, HEIGHT), interpolation=cv2.INTER_CUBIC)
    moving = moving_photograph(scene, count + _WORN_AFTER, seed=5)
    return list(_worn(studio, persona, moving))[_WORN_AFTER:]


def _worn(studio: Studio, persona: str, pictures: Iterator[Bytes] | Sequence[Bytes]) -> Iterator[Bytes]:
    """The stages of a rig up to the label; the last swapped picture stands in where no face is found."""
    detector, landmarks = studio.networks()
    outfit, tracks = studio.outfit(persona), Tracks()
    detect = Detect(detector, tracks, interval=8)
    stages = (
        detect,
        ReadLandmarks(landmarks, tracks),
        Follow(tracks, Performer(), detect),
        Swap(outfit.swapper, everybody=False),
        MatchColour(),
        Refine(outfit.finishers()),
        Blend(),
        Label(),
    )
    last: Bytes | None = None
    for number, picture in enumerate(pictures):
        frame = Frame.from_bgr(picture, pts=number * 3000)
        try:
            for stage in stages:
                frame = stage(frame)
        except Drop:
            if last is None:
                raise
        else:
            last = frame.i420
        yield last.copy()


def _card(studio: Studio, count: int) -> Clip:
    """The hold card, which stands still."""
    card = CardPainter().paint(
        WIDTH, HEIGHT, "Your face is not in the picture", "Come back to go on.", pts=0, arrived=0
    )
    return [Label()(card).i420] * count


def _drawn(name: str, seed: int, studio: Studio, count: int) -> Clip:
    return [with_chroma(luma) for luma in DRAWN[name](np.random.default_rng(seed), count)]
