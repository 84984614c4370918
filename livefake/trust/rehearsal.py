"""Trying a persona on: fictional performers' pictures go in, and the faces that come out are described.

Nothing of it is ever shown: the pictures stay in memory and only 128 numbers of each leave this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from livefake.compose.blend import Blend
from livefake.compose.colour import MatchColour
from livefake.errors import EngineError
from livefake.faces.detect import Detector
from livefake.faces.identity import LENGTH, Describer
from livefake.faces.landmarks import LandmarkNet, crop_for_box, crop_for_points
from livefake.faces.performer import Performer
from livefake.faces.stages import Detect, Follow, ReadLandmarks
from livefake.faces.track import Tracks
from livefake.frame import Bytes, Drop, Floats, Frame
from livefake.swap.base import Swapper
from livefake.swap.finisher import Finisher
from livefake.swap.refine import Refine
from livefake.swap.stage import Swap

__all__ = ["Rehearsal", "Render", "Sight", "Wearing"]

Render = Callable[[Frame], Sequence[Frame]]
"""From a performer's picture to the swapped ones that a session could show of it; raises ``Drop`` where none."""

_ROUNDS: Final = 2
_PRESENT: Final = 0.5
_LATER: Final = 90_000
"""Clock ticks from one look to the next, a second: by then the swap network has faded in."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """What came out.

    Attributes:
        embeddings: (N, 128) float32, of the faces.
        pictures: how many pictures should have shown one.
    """

    embeddings: Floats
    pictures: int


class Wearing:
    """A persona, worn as in a session up to the label, for pictures that stay in memory.

    Args:
        detector, landmarks: networks of one thread.
        swapper: wears it.
        finisher: its swap network at one size; None where there is none.
    """

    def __init__(
        self, detector: Detector, landmarks: LandmarkNet, swapper: Swapper, finisher: Finisher | None = None
    ) -> None:
        self._detector, self._landmarks = detector, landmarks
        self._swapper, self._finisher = swapper, finisher

    def __call__(self, frame: Frame) -> Sequence[Frame]:
        """The persona in a performer's place: as it is warped and, where there is a network, as it finishes that.

        Raises:
            Drop: the performer's face is not found, or the replacement does not cover it.
            EngineError: a network failed.
        """
        tracks = Tracks()
        detect = Detect(self._detector, tracks)
        refine = Refine({} if self._finisher is None else {self._finisher.size: self._finisher})
        stages = (
            detect,
            ReadLandmarks(self._landmarks, tracks),
            Follow(tracks, Performer(), detect),
            Swap(self._swapper),
            MatchColour(),
            refine,
            Blend(),
        )
        shown = []
        for look in range(1 if self._finisher is None else 2):
            one = Frame(frame.i420.copy(), look * _LATER, look)
            for stage in stages:
                one = stage(one)
            shown.append(one)
        return shown


class Rehearsal:
    """Looks at what comes out. One thread only.

    Args:
        detector, landmarks: networks.
        identity: describes what is seen, here or in another process.
    """

    def __init__(self, detector: Detector, landmarks: LandmarkNet, identity: Describer) -> None:
        self._detector, self._landmarks, self._identity = detector, landmarks, identity

    def __call__(self, render: Render, performers: Iterable[Frame], pictures: Iterable[Bytes] = ()) -> Sight:
        """Try a persona on several performers.

        Args:
            render: see ``Render``.
            performers: their pictures.
            pictures: of the persona itself, (H, W, 3) uint8 BGR: whoever is in them must be the same person.

        Raises:
            EngineError: a network failed, or gave what is no picture.
        """
        found: list[Floats] = []
        count = 0
        for performer in performers:
            try:
                shown = render(performer)
            except Drop:
                count += 1
                continue
            count += len(shown)
            found += [one for frame in shown for one in self._faces(frame)]
        for picture in pictures:
            count += 1
            found += self._faces(Frame.from_bgr(_small(picture)))
        return Sight(np.array(found, np.float32).reshape(-1, LENGTH), count)

    def _faces(self, frame: Frame) -> list[Floats]:
        """The largest face in a picture, (128,) float32; none where there is no face."""
        found = self._detector(frame)
        if not found:
            return []
        face = max(found, key=lambda one: one.box.area)
        mesh = self._landmarks(frame, crop_for_box(face.box, (face.points[0], face.points[1])))
        for _ in range(_ROUNDS):
            mesh = self._landmarks(frame, crop_for_points(mesh.points))
        if mesh.presence < _PRESENT:
            return []
        try:
            return [self._identity.embed(frame, mesh.points)]
        except ValueError as error:
            raise EngineError(f"A face that came out cannot be looked at: {error}.") from error


def _small(picture: Bytes) -> Bytes:
    longest = max(picture.shape[:2])
    if longest <= 640:
        return picture
    scale = 640 / longest
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
