"""Swap with a .dfm file: DeepFaceLive's contract, one person's face in a network that needs no mesh and no picture.

Takes ``in_face:0`` (N, S, S, 3) float32 BGR 0..1, the whole-face crop, and perhaps ``morph_value:0`` (1,); gives
``out_face_mask:0``, ``out_celeb_face:0`` and ``out_celeb_face_mask:0`` in this order, channels last, 0..1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.engine.base import Engine
from livefake.engine.onnxfile import Summary, summarise
from livefake.errors import BadPersona, EngineError
from livefake.faces.geometry import five_points, inverse, similarity
from livefake.frame import Box, Bytes, Face, Floats, Frame, Patch, Planes

__all__ = ["FACE", "MORPH", "OUTPUTS", "WHOLE_FACE", "DfmSwapper", "aligned", "dfm_shapes", "read_dfm"]

FACE: Final = "in_face:0"
MORPH: Final = "morph_value:0"
OUTPUTS: Final = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
WHOLE_FACE: Final = np.array(
    [
        [0.35342266, 0.39285716],
        [0.62797622, 0.39285716],
        [0.48660713, 0.54017860],
        [0.38839287, 0.68750011],
        [0.59821427, 0.68750011],
    ],
    np.float32,
)
"""Eyes, nose and mouth corners in DeepFaceLab's whole-face crop, as shares of its side: the five-point form that
FaceFusion uses for .dfm files."""
_USUAL_MORPH: Final = 0.75
"""DeepFaceLive's own default."""
_SIDES: Final = (64, 512)
_SMALLEST: Final = 32
_RIM: Final = 0.04
"""Width of the soft rim of the crop, as a share of its side: a mask that reaches the crop's edge must not end there
with a step."""
_SOFT: Final = 0.02


def aligned(points: Floats, size: int) -> Floats:
    """The crop that a .dfm network is given.

    Args:
        points: (468, 2 or more) float32, mesh landmarks, pixels.
        size: side of the crop, pixels.

    Returns:
        (2, 3) float32, from those pixels to pixels of the crop.
    """
    return similarity(five_points(points), WHOLE_FACE * size)


def read_dfm(path: Path) -> dict[str, tuple[int, ...]]:
    """Look a .dfm file through, without running it.

    Returns:
        The shapes of its inputs for one face.

    Raises:
        BadPersona: it is no ONNX model, holds what is not run here, or does not keep the contract.
    """
    try:
        return dfm_shapes(summarise(path), path.name)
    except EngineError as error:
        raise BadPersona(error.problem, "Bring a .dfm file as DeepFaceLab exports it.") from error


def dfm_shapes(summary: Summary, name: str) -> dict[str, tuple[int, ...]]:
    """The shapes of a .dfm network's inputs for one face.

    Args:
        summary: of the file.
        name: of the file, for the sentence.

    Raises:
        BadPersona: it does not keep DeepFaceLive's contract.
    """
    names, given = set(summary.inputs), tuple(summary.outputs)
    face = summary.inputs.get(FACE, ())
    side = face[1] if len(face) == 4 else None
    morph = summary.inputs.get(MORPH, (1,))
    kinds = {summary.kinds[port] for port in (*names, *given)}
    keeps = (
        {FACE} <= names <= {FACE, MORPH}
        and given == OUTPUTS
        and kinds == {1}
        and side is not None
        and face[0] in (None, 1)
        and face[1:] == (side, side, 3)
        and _SIDES[0] <= side <= _SIDES[1]
        and morph in ((1,), (None,))
    )
    if not keeps or side is None:
        raise BadPersona(
            f"{name} should take {FACE} (1, S, S, 3) with S from {_SIDES[0]} to {_SIDES[1]} and give"
            f" {', '.join(OUTPUTS)}, all float32; it takes {_words(summary.inputs)} and gives"
            f" {_words(summary.outputs)}.",
            "Bring a .dfm file as DeepFaceLab exports it.",
        )
    shapes: dict[str, tuple[int, ...]] = {FACE: (1, side, side, 3)}
    return shapes | {MORPH: (1,)} if MORPH in names else shapes


def _words(ports: object) -> str:
    return repr(ports).strip("{}")[:200] or "nothing"


class DfmSwapper:
    """Wears the face in a .dfm network. One thread only.

    Args:
        engine: opened with the shapes that ``read_dfm`` gives.
        morph: for models that take it, how far the face goes from the performer's (0) to the person's (1).
    """

    def __init__(self, engine: Engine, *, morph: float = _USUAL_MORPH) -> None:
        self._engine = engine
        self.size = int(engine.inputs[FACE][1])
        self._feeds: dict[str, Floats] = {FACE: np.empty((1, self.size, self.size, 3), np.float32)}
        if MORPH in engine.inputs:
            self._feeds[MORPH] = np.array([morph], np.float32)
        rim = max(2, round(_RIM * self.size))
        frame = np.zeros((self.size, self.size), np.float32)
        frame[rim:-rim, rim:-rim] = 1
        self._rim = np.asarray(cv2.blur(frame, (rim, rim)), np.float32)

    @property
    def name(self) -> str:
        """What it is, in words for the page."""
        return f"brought model at {self.size} pixels"

    def __call__(self, frame: Frame, face: Face) -> Patch | None:
        """The person in the live face's place; see ``Swapper``.

        Raises:
            EngineError: the network failed, or gave what is no picture.
        """
        if min(face.box.width, face.box.height) < _SMALLEST:
            return None
        matrix = aligned(face.points, self.size)
        back = inverse(matrix)
        corners = np.array([[0, 0], [self.size, 0], [self.size, self.size], [0, self.size]], np.float32)
        box = Box.around(corners @ back[:, :2].T + back[:, 2]).within(frame.width, frame.height)
        if min(box.width, box.height) < _SMALLEST:
            return None
        picture, mask = self._made(frame.crop(matrix, (self.size, self.size)).bgr())
        # From the crop's pixels to the patch's own.
        back[:, 2] -= (box.left, box.top)
        region = (box.width, box.height)
        pixels = cv2.warpAffine(picture, back, region, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cover = np.asarray(cv2.warpAffine(mask, back, region, flags=cv2.INTER_LINEAR), np.uint8)
        return Patch(box, Planes.of_bgr(np.asarray(pixels, np.uint8)), cover, face, cover, cover)

    def _made(self, crop: Bytes) -> tuple[Bytes, Bytes]:
        """The face (S, S, 3) uint8 BGR, and where it shows, (S, S) uint8."""
        np.multiply(crop, np.float32(1 / 255), out=self._feeds[FACE][0], casting="unsafe")
        made = self._engine.run(self._feeds)
        side = self.size
        face, masks = made[OUTPUTS[1]], [made[name] for name in (OUTPUTS[0], OUTPUTS[2])]
        if face.shape != (1, side, side, 3) or any(mask.shape != (1, side, side, 1) for mask in masks):
            raise EngineError(
                f"A .dfm model should give a face of {side} pixels a side and two masks, got {face.shape} and"
                f" {[mask.shape for mask in masks]}."
            )
        if not all(np.isfinite(one).all() for one in (face, *masks)):
            raise EngineError("The .dfm model gives what is no picture: some of it are no numbers.")
        # Where the performer's face is, and the person's reaches: DeepFaceLive's usual choice too.
        both = np.clip(masks[0], 0, 1)[0, :, :, 0] * np.clip(masks[1], 0, 1)[0, :, :, 0]
        width = max(3, round(_SOFT * side) | 1)
        mask = cv2.blur(cv2.erode(both, np.ones((width, width), np.uint8)), (width, width)) * self._rim
        levels = np.clip(face[0] * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
        return levels, (mask * 255 + 0.5).astype(np.uint8)
