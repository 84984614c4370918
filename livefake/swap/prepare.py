"""Making a persona pack ready: landmarks found once, checksums written."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadPersona
from livefake.faces.detect import Detector
from livefake.faces.landmarks import LandmarkNet, crop_for_box, crop_for_points
from livefake.frame import Bytes, Floats, Frame
from livefake.swap.persona import FILES

__all__ = ["measure", "prepare_pack"]

_ROUNDS: Final = 5


def measure(picture: Bytes, detector: Detector, landmarks: LandmarkNet) -> Floats:
    """The landmarks of the one face in a picture.

    The crop is centred on the landmarks and read again a few times, because the first crop, made from the
    detector's box, is only roughly in place.

    Args:
        picture: (H, W, 3) uint8 BGR.

    Returns:
        (468, 3) float32, pixels.

    Raises:
        BadPersona: there is no face, or more than one.
    """
    frame = Frame.from_bgr(picture)
    found = detector(frame)
    if len(found) != 1:
        raise BadPersona(f"A persona's picture should show one face, {len(found)} were found.")
    result = landmarks(frame, crop_for_box(found[0].box, (found[0].points[0], found[0].points[1])))
    for _ in range(_ROUNDS):
        result = landmarks(frame, crop_for_points(result.points))
    if result.presence < 0.9:
        raise BadPersona(f"The face should be clear to see, its presence is {result.presence:.2f} of 1.")
    return result.points


def prepare_pack(folder: Path, detector: Detector, landmarks: LandmarkNet) -> None:
    """Write ``landmarks.npy`` and the ``[files]`` table of ``persona.toml``.

    Raises:
        BadPersona: a file is missing or cannot be read, or the picture does not show one face.
    """
    picture = cv2.imread(str(folder / "face.png"), cv2.IMREAD_COLOR)
    if picture is None:
        raise BadPersona(f"{folder / 'face.png'} should be a picture and cannot be read.")
    try:
        np.save(folder / "landmarks.npy", measure(np.asarray(picture, np.uint8), detector, landmarks))
        digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
        path = folder / "persona.toml"
        kept = re.split(r"^\[files\]", path.read_text("utf-8"), maxsplit=1, flags=re.MULTILINE)[0].rstrip()
        table = "\n".join(f'"{name}" = "{digest}"' for name, digest in digests.items())
        path.write_text(f"{kept}\n\n[files]\n{table}\n", "utf-8")
    except OSError as error:
        raise BadPersona(f"The pack {folder} cannot be prepared: {error}.") from error
