"""A performer who does not exist and who does each thing that people are asked for, as pictures of a camera.

The clip holds one piece a gesture; each begins and ends with the same calm face, so they can be joined in any order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.clock import FakeClock, Nanos
from livefake.frame import Bytes, Frame
from livefake.media.file import FileReader
from livefake.trust.hearing import RATE
from livefake.trust.liveness import Liveness
from livefake.trust.prompts import Prompt
from tests.actor import SECOND, voice

CLIP: Final = Path(__file__).parent / "clips" / "prompts.mp4"
FPS: Final = 15
SIDE: Final = 480

CALM: Final = range(24)
PIECES: Final = {
    Prompt.TURN_LEFT: range(24, 50),
    Prompt.TURN_RIGHT: range(50, 76),
    Prompt.LOOK_UP: range(76, 102),
    Prompt.OPEN_MOUTH: range(102, 128),
    Prompt.BLINK: range(128, 146),
    Prompt.SMILE: range(146, 172),
    Prompt.READ_CODE: range(172, 217),
}
_WAIT: Final = 8


@cache
def pictures() -> tuple[Bytes, ...]:
    """All pictures of the clip, (480, 480, 3) uint8 BGR each."""
    with FileReader(CLIP, clock=FakeClock()) as reader:
        return tuple(item.bgr() for item in reader if isinstance(item, Frame))


class Webcam:
    """Shows pictures as a camera does that stands on a desk: 640 x 480, in which the person sways, with noise.

    Args:
        seed: of the noise and the sway.
        noise: standard deviation, levels.
        sway: how far the person moves to each side, pixels.
    """

    def __init__(self, seed: int = 0, *, noise: float = 4.0, sway: float = 9.0) -> None:
        self._random = np.random.default_rng(seed)
        self._speeds = self._random.uniform(0.5, 1.1, 3)
        self._phases = self._random.uniform(0, 6, 3)
        self._noise = noise
        self._sway = sway
        self._count = 0

    def __call__(self, picture: Bytes) -> Frame:
        time = self._count / FPS
        x, y, near = np.sin(time * self._speeds + self._phases) * (self._sway, self._sway / 2, self._sway / 300)
        matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), float(x) / 10, 1 + float(near))
        matrix[:, 2] += (640 - SIDE) / 2 + x, y
        shown = cv2.warpAffine(picture, matrix, (640, 480), borderMode=cv2.BORDER_REFLECT)
        noisy = shown + self._random.standard_normal(shown.shape, np.float32) * np.float32(self._noise)
        frame = Frame.from_bgr(np.clip(noisy, 0, 255).astype(np.uint8), pts=self._count * 6000)
        self._count += 1
        return frame


def numbers(liveness: Liveness, *, limit: float = 90, silent: bool = False, chatty: bool = False) -> Iterator[int]:
    """Numbers of the clip's pictures, one after the other, of somebody who does as asked half a second later.

    Args:
        liveness: asks; hears their voice while the code is to be read.
        limit: seconds.
        silent: the microphone is off.
        chatty: they talk before each movement, and at the beginning.
    """
    sound = voice(2.6)
    chat = list(PIECES[Prompt.READ_CODE]) if chatty else []
    queue = chat * 2
    index, heard = -1, 0
    for count in range(round(limit * FPS)):
        step = liveness.step
        if step.prompt is not None and step.index != index:
            index, heard = step.index, 0
            queue = [*_calm(_WAIT), *(chat if step.prompt is not Prompt.READ_CODE else []), *PIECES[step.prompt]]
        if step.prompt is Prompt.READ_CODE and not silent:
            start = max(0, heard - _WAIT) * RATE // FPS
            piece = sound[start : start + RATE // FPS] if heard >= _WAIT else np.zeros(RATE // FPS, np.int16)
            liveness.hear(piece, instant(count))
            heard += 1
        queue = queue or _calm(len(CALM))
        yield queue.pop(0)


def instant(count: int) -> Nanos:
    """When a camera takes the picture with that number."""
    return count * SECOND // FPS


def perform(liveness: Liveness, webcam: Webcam | None = None, **options: bool) -> Iterator[Frame]:
    """The same as a camera's pictures."""
    show = webcam or Webcam()
    for number in numbers(liveness, **options):
        yield show(pictures()[number])


def recording(order: Sequence[Prompt | None]) -> list[int]:
    """Numbers of the clip's pictures for gestures in an order, a calm second before each; None is a calm second."""
    joined = list[int]()
    for prompt in order:
        joined += [*_calm(FPS), *([] if prompt is None else PIECES[prompt])]
    return joined


def _calm(count: int) -> list[int]:
    return [number % len(CALM) for number in range(count)]
