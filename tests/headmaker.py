"""A tiny head kit for tests: a bent disc for a face, two beads for eyes, a plate for teeth."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from livefake.frame import Floats

# What the code asks for by name; the rest of a real kit's expressions are not needed here.
_PAIRED = ("eyeBlink", "eyeWide", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeLookDown", "mouthSmile")
EXPRESSIONS = (
    *(name + side for name in _PAIRED for side in ("_L", "_R")),
    "jawOpen",
    "mouthClose",
    "jawLeft",
    "jawRight",
)

_SIDE = 21


def _sheet(
    sides: tuple[float, float], heights: tuple[float, float], depth: float, bulge: float
) -> tuple[Floats, Floats]:
    """A grid of points that bulges to the camera, and its triangles, anticlockwise from there."""
    (left, right), (low, high) = sides, heights
    x, y = np.meshgrid(np.linspace(left, right, _SIDE), np.linspace(high, low, _SIDE))
    reach = ((x - (left + right) / 2) / (right - left)) ** 2 + ((y - (low + high) / 2) / (high - low)) ** 2
    points = np.stack([x, y, depth - bulge * 4 * reach], -1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(_SIDE - 1)[:, None] * _SIDE + np.arange(_SIDE - 1)).reshape(-1)
    upper = np.stack([corner, corner + _SIDE, corner + 1], 1)
    lower = np.stack([corner + 1, corner + _SIDE, corner + _SIDE + 1], 1)
    return points, np.vstack([upper, lower]).astype(np.int32)


def write_kit(folder: Path) -> Path:
    """A kit of 1764 points in the form of a real one."""
    sheets = [_sheet((-7, 7), (-8, 12), 9, 5)]
    sheets += [_sheet(sides, (3, 4.4), 9.4, 0.3) for sides in ((2, 4), (-4, -2))]
    sheets.append(_sheet((-2, 2), (-4.4, -3.6), 9.6, 0.2))
    count = _SIDE**2
    vertices = np.vstack([points for points, _ in sheets])
    triangles = np.vstack([rows + count * number for number, (_, rows) in enumerate(sheets)]).astype(np.int32)
    materials = np.repeat(np.array([0, 4, 5, 3], np.uint8), len(sheets[0][1]))
    face = vertices[:count]
    modes = np.random.default_rng(0).normal(size=(3, 1, 3)) * 0.2 * np.sin(vertices / 5)
    expressions = np.zeros((len(EXPRESSIONS), len(vertices), 3))
    expressions[EXPRESSIONS.index("jawOpen"), :count, 1] = np.where(face[:, 1] < -4, -1.5, 0)
    eyes = np.arange(count, 3 * count, dtype=np.int32)
    eye_local = np.zeros((len(vertices), 2))
    for number in (1, 2):
        rows = slice(number * count, (number + 1) * count)
        eye_local[rows] = vertices[rows, :2] - vertices[rows, :2].mean(0)
    marks = np.zeros((68, 2))
    angles = np.linspace(np.pi, 2 * np.pi, 17)
    marks[:17] = np.stack([6 * np.cos(angles), 4 + 11 * np.sin(angles)], 1)
    marks[17:27] = np.stack([np.linspace(-5, 5, 10), np.full(10, 5.5)], 1)
    marks[27:36] = np.array([[0, 4], [0, 3], [0, 2], [0, 1], [-1, 0], [-0.5, 0], [0, 0], [0.5, 0], [1, 0]])
    marks[36:42] = np.array([[-4, 3.7], [-3.4, 4.3], [-2.6, 4.3], [-2, 3.7], [-2.6, 3.1], [-3.4, 3.1]])
    marks[42:48] = np.add(marks[36:42], (6, 0))
    around = np.linspace(np.pi, -np.pi, 12, endpoint=False)
    marks[48:60] = np.stack([2 * np.cos(around), -4 + 0.8 * np.sin(around)], 1)
    inside = np.linspace(np.pi, -np.pi, 8, endpoint=False)
    marks[60:68] = np.stack([1.5 * np.cos(inside), -4 + 0.3 * np.sin(inside)], 1)
    landmarks = [int(np.linalg.norm(face[:, :2] - mark, axis=1).argmin()) for mark in marks]
    ones = np.ones(len(vertices))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "head.npz",
        vertices=vertices,
        triangles=triangles,
        uv=np.clip(vertices[:, :2] / 24 + 0.5, 0, 1).astype(np.float32),
        triangles_uv=triangles,
        triangle_material=materials,
        identity_modes=modes.astype(np.float16),
        expression_modes=expressions.astype(np.float16),
        expression_names=np.array(EXPRESSIONS),
        landmark_vertices=np.array(landmarks, np.int32),
        eye_vertices=eyes,
        eye_local=eye_local.astype(np.float16),
        head_weight=ones.astype(np.float16),
        hair_weight=np.where(vertices[:, 1] > 9, 1.0, 0.0).astype(np.float16),
        face_weight=np.where(np.abs(vertices[:, 0]) < 6, 1.0, 0.0).astype(np.float16),
        ambient_occlusion=ones.astype(np.float16),
    )
    outline = [[0.5 + 0.04 * step, 0.75] for step in range(1, 6)]
    mirrored = [[1 - x, y] for x, y in outline]
    sides = {"left": outline, "right": mirrored}
    edges = {side: {"upper": line, "lower": [[x, y - 0.02] for x, y in line]} for side, line in sides.items()}
    (folder / "brows.json").write_text(json.dumps(edges))
    (folder / "skins").mkdir(exist_ok=True)
    for number, tone in enumerate(((140, 170, 220), (120, 150, 205))):
        cv2.imwrite(str(folder / "skins" / f"light-{number}.jpg"), np.full((128, 128, 3), tone, np.uint8))
    return folder
