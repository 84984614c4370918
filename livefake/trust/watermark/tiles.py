"""From a picture with tiles in some pose to the one tile they all are."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from livefake.frame import Floats
from livefake.trust.watermark.carrier import TILE

__all__ = ["Pose", "fold", "straightened"]


@dataclass(frozen=True, slots=True)
class Pose:
    """How a mark lies in a picture.

    Attributes:
        scale: its size over its usual size.
        rotation: degrees, positive clockwise.
        tiles: (top, bottom, left, right) tiles of the straightened picture that are looked at; ``None`` for all.
    """

    scale: float = 1.0
    rotation: float = 0.0
    tiles: tuple[int, int, int, int] | None = None


def straightened(picture: Floats, pose: Pose) -> Floats:
    """The picture turned back and divided by its scale about its middle; only the tiles of the pose."""
    height, width = picture.shape
    scale, angle = pose.scale, np.deg2rad(pose.rotation)
    out_width, out_height = int(width / scale), int(height / scale)
    corner = np.zeros(2)
    middle = np.array([out_width, out_height]) / 2
    if pose.tiles is not None:
        top, bottom, left, right = (TILE * edge for edge in pose.tiles)
        corner = np.array([left, top], np.float64)
        out_width, out_height = min(right, out_width) - left, min(bottom, out_height) - top
    elif scale == 1.0 and angle == 0.0:
        return picture
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([width, height]) / 2 + turn @ (corner - middle)
    matrix = np.column_stack([turn, shift])
    # The short waves of a picture that is made smaller would fold into the mark's own.
    if scale > 1.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 * scale), np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix, (out_width, out_height), flags=flags), np.float32)


def fold(picture: Floats) -> Floats:
    """All tiles of a picture added into one (TILE, TILE)."""
    height, width = picture.shape
    down, across = -(-height // TILE), -(-width // TILE)
    padded = np.zeros((down * TILE, across * TILE), np.float32)
    padded[:height, :width] = picture
    return np.asarray(padded.reshape(down, TILE, across, TILE).sum((0, 2)), np.float32)
