"""Finding faces in a whole picture: MediaPipe's full-range detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.engine.base import Engine
from livefake.frame import Box, Floats, Frame

__all__ = ["Detection", "Detector", "suppress"]

_SIDE: Final = 192
_GRID: Final = 48
_BOXES: Final = "reshaped_regressor_face_4"
_SCORES: Final = "reshaped_classifier_face_4"


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A face as the detector sees it.

    Attributes:
        box: in frame pixels, brow to chin.
        points: (6, 2) float32, frame pixels: left eye, right eye, nose tip, mouth, left ear, right ear.
        score: 0..1.
    """

    box: Box
    points: Floats
    score: float


class Detector:
    """Finds faces from about 3 % of the picture's width upward.

    Args:
        engine: the ``face-detector`` weights.
        threshold: lowest score that counts as a face.
        most: how many faces are returned at most, the surest first.
    """

    def __init__(self, engine: Engine, *, threshold: float = 0.6, most: int = 8) -> None:
        self._engine = engine
        self._threshold = threshold
        self._most = most
        self._input = np.empty((1, _SIDE, _SIDE, 3), np.float32)
        rows, columns = np.mgrid[:_GRID, :_GRID]
        self._anchors = (np.stack([columns, rows], -1).reshape(-1, 2) + 0.5) / _GRID * _SIDE

    def __call__(self, frame: Frame) -> tuple[Detection, ...]:
        """All faces, the surest first.

        Raises:
            EngineError: the network failed.
        """
        scale = _SIDE / max(frame.width, frame.height)
        size = (max(2, round(frame.width * scale) & ~1), max(2, round(frame.height * scale) & ~1))
        small = frame.shrunk(size).rgb()
        self._input.fill(-1.0)
        np.multiply(small, np.float32(1 / 127.5), out=self._input[0, : size[1], : size[0]], casting="unsafe")
        self._input[0, : size[1], : size[0]] -= 1.0
        results = self._engine.run({"input": self._input})
        # The two sides are rounded to even numbers on their own, so each has its own way back.
        back = np.array([frame.width / size[0], frame.height / size[1]])
        return self._decode(results[_BOXES][0], results[_SCORES][0, :, 0], back)

    def _decode(self, values: Floats, logits: Floats, back: NDArray[np.float64]) -> tuple[Detection, ...]:
        likely = np.flatnonzero(logits > np.log(self._threshold / (1 - self._threshold)))
        if not likely.size:
            return ()
        scores = 1 / (1 + np.exp(-logits[likely].astype(np.float64)))
        anchors, rows = self._anchors[likely], values[likely].astype(np.float64)
        middles = (rows[:, :2] + anchors) * back
        halves = rows[:, 2:4] * back / 2
        boxes = np.hstack([middles - halves, middles + halves])
        points = (rows[:, 4:].reshape(-1, 6, 2) + anchors[:, None]) * back
        return tuple(
            Detection(
                Box.around(boxes[index].reshape(2, 2).astype(np.float32)), points[index].astype(np.float32), score
            )
            for index, score in suppress(boxes, scores)[: self._most]
        )


def suppress(boxes: NDArray[np.float64], scores: NDArray[np.float64], limit: float = 0.3) -> list[tuple[int, float]]:
    """Greedy non-maximum suppression.

    Args:
        boxes: (N, 4), left, top, right, bottom.
        scores: (N,).
        limit: boxes that overlap a better one by more than this intersection over union are dropped.

    Returns:
        (index, score) of the boxes that stay, best first.
    """
    kept = cv2.dnn.NMSBoxes(
        np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist(), scores.tolist(), 0.0, limit
    )
    return [(int(index), float(scores[int(index)])) for index in kept]
