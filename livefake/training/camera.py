"""What a webcam does to a picture: focus, movement, exposure, noise, few pixels, compression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes, Floats

__all__ = ["Camera", "respond", "sample_camera", "take"]


Numbers = NDArray[np.integer[Any] | np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera in one room.

    Attributes:
        share: side of the picture the camera really has, as a share of ours, 0..1; below 1 it is blown up.
        focus: standard deviation of the lens blur, pixels.
        motion: length of the motion blur, pixels; 0 is none.
        angle: its direction, radians.
        gain: exposure.
        gamma: of the response curve.
        balance: gains of blue, green and red.
        noise: standard deviation in mid-grey, levels.
        quality: JPEG quality, 1..100; stands for the block coding of a video.
    """

    share: float
    focus: float
    motion: float
    angle: float
    gain: float
    gamma: float
    balance: tuple[float, float, float]
    noise: float
    quality: int


def sample_camera(random: np.random.Generator) -> Camera:
    """A camera: most are good, some are not."""
    poor = random.random() < 0.3
    blue, green, red = np.clip(1 + random.normal(size=3) * 0.03, 0.9, 1.1)
    return Camera(
        share=float(random.uniform(0.4, 0.85)) if random.random() < 0.3 else 1.0,
        focus=float(random.uniform(0.4, 1.6)) if random.random() < 0.3 else float(random.uniform(0, 0.4)),
        motion=float(random.uniform(2, 9)) if random.random() < 0.12 else 0.0,
        angle=float(random.uniform(0, np.pi)),
        gain=float(np.clip(1 + random.normal() * 0.13, 0.6, 1.4)),
        gamma=float(np.clip(1 + random.normal() * 0.08, 0.75, 1.3)),
        balance=(float(blue), float(green), float(red)),
        noise=float(random.uniform(2, 9) if poor else random.uniform(0, 2.5)),
        quality=int(random.integers(35, 75) if poor else random.integers(75, 97)),
    )


def respond(picture: Bytes, camera: Camera) -> Bytes:
    """Exposure, response curve and white balance alone: the picture as a perfect camera gives it.

    Args:
        picture: (H, W, 3) uint8 BGR.
        camera: how it is set.
    """
    values = np.arange(256) / 255
    curve = np.clip((values * camera.gain) ** camera.gamma, 0, 1)[:, None] * camera.balance * 255
    return np.asarray(cv2.LUT(picture, np.clip(curve + 0.5, 0, 255).astype(np.uint8).reshape(1, 256, 3)), np.uint8)


def take(picture: Bytes, camera: Camera, random: np.random.Generator) -> Bytes:
    """The picture as that camera gives it.

    Args:
        picture: (H, W, 3) uint8 BGR.
        camera: what takes it.
        random: source of the noise.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    height, width = picture.shape[:2]
    shot: Numbers = respond(picture, camera)
    if camera.motion:
        shot = cv2.filter2D(shot, -1, _streak(camera.motion, camera.angle), borderType=cv2.BORDER_REPLICATE)
    if camera.focus > 0.2:
        shot = cv2.GaussianBlur(shot, (0, 0), camera.focus)
    small = (max(2, round(width * camera.share)), max(2, round(height * camera.share)))
    if small != (width, height):
        shot = cv2.resize(shot, small, interpolation=cv2.INTER_AREA)
    if camera.noise > 0.1:
        # Photon noise grows with the root of the light; half of it is the same in all three colours.
        grain = random.normal(size=(*shot.shape[:2], 1)) + random.normal(size=shot.shape)
        amount = camera.noise * 0.7 * np.sqrt(0.25 + shot / 170.0)
        shot = np.clip(shot + grain * amount + 0.5, 0, 255).astype(np.uint8)
    coded = cv2.imencode(".jpg", shot, [cv2.IMWRITE_JPEG_QUALITY, camera.quality])[1]
    shown: Numbers = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    if small != (width, height):
        shown = cv2.resize(shown, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(shown, np.uint8)


def _streak(length: float, angle: float) -> Floats:
    """A line of that length as a filter kernel that keeps the brightness."""
    side = int(np.ceil(length)) | 1
    kernel = np.zeros((side, side), np.float32)
    middle, reach = np.array([side // 2, side // 2]), np.array([np.cos(angle), np.sin(angle)]) * (length - 1) / 2
    ends = [np.round((middle + sign * reach) * 16).astype(int).tolist() for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(kernel / kernel.sum(), np.float32)
