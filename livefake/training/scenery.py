"""What is behind a performer and in front of one: rooms, glasses, fringes, caps, hands, things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from livefake.frame import Bytes, Floats

__all__ = ["Layer", "Occluders", "draw_occluders", "room", "sample_occluders"]

Numbers = NDArray[np.integer[Any] | np.floating[Any]]

_EYES: Final = ((36, 39), (42, 45))
"""Corners of the left and the right eye among the 68 landmarks, from left to right in the picture."""
_FRACTION: Final = 4
"""Bits of sub-pixel position in drawing calls."""
_KINDS: Final = ("glasses", "fringe", "cap", "hand", "thing")
_CHANCES: Final = (0.16, 0.09, 0.05, 0.12, 0.06)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Something in front of a face.

    Attributes:
        pixels: (H, W, 3) uint8 BGR.
        alpha: (H, W) uint8, 255 where it hides what is behind.
    """

    pixels: Bytes
    alpha: Bytes


@dataclass(frozen=True, slots=True)
class Occluders:
    """What is in front of a performer, and the seed of how it looks: the same from frame to frame.

    Attributes:
        kinds: some of glasses, fringe, cap, hand, thing, in the order in which they are drawn.
        seed: of their looks.
        shift: how far hand and thing have moved, shares of the face's height, right and down.
    """

    kinds: tuple[str, ...]
    seed: int
    shift: tuple[float, float] = (0.0, 0.0)


def sample_occluders(random: np.random.Generator) -> Occluders:
    """Nothing in most cases; at times something, or two things."""
    kinds = tuple(kind for kind, chance in zip(_KINDS, _CHANCES, strict=True) if random.random() < chance)
    if "cap" in kinds and "fringe" in kinds:
        kinds = tuple(kind for kind in kinds if kind != "fringe")
    return Occluders(kinds, int(random.integers(1 << 31)))


def room(seed: int, size: tuple[int, int]) -> Bytes:
    """A room out of focus: a wall with a gradient, furniture, floor, lamps or windows.

    Args:
        seed: of the room.
        size: width and height, pixels.

    Returns:
        (height, width, 3) uint8 BGR.
    """
    random = np.random.default_rng(seed)
    width, height = 160, 90
    wall = np.array([108, 115, 120]) + random.uniform(-30, 30) * np.array([-1, 0, 1]) + random.normal(size=3) * 10
    across = np.linspace(random.uniform(0.6, 1), random.uniform(0.6, 1), width)
    down = np.linspace(1.05, random.uniform(0.65, 0.95), height)
    picture = (wall * random.uniform(0.35, 1.5) * across[None, :, None] * down[:, None, None]).astype(np.float32)
    for _ in range(int(random.integers(3, 9))):
        left, top = random.integers(-10, width), random.integers(0, height)
        corner = (int(left + random.integers(8, 50)), int(top + random.integers(10, 70)))
        shade = np.clip(np.array([78, 88, 100]) * random.uniform(0.3, 1.8) * (1 + random.normal(size=3) * 0.2), 0, 255)
        cv2.rectangle(picture, (int(left), int(top)), corner, shade.tolist(), -1)
    floor = int(height * random.uniform(0.75, 1.0))
    cv2.rectangle(picture, (0, floor), (width, height), (wall * random.uniform(0.3, 0.8)).tolist(), -1)
    for _ in range(int(random.integers(0, 3))):
        middle = (int(random.integers(0, width)), int(random.integers(0, height // 2)))
        axes = (int(random.integers(3, 16)), int(random.integers(3, 14)))
        cv2.ellipse(picture, middle, axes, 0, 0, 360, (np.array([215, 235, 255]) * random.uniform(0.8, 1)).tolist(), -1)
    soft = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.8, 4.5))
    return np.asarray(np.clip(cv2.resize(soft, size, interpolation=cv2.INTER_CUBIC), 0, 255), np.uint8)


def draw_occluders(chosen: Occluders, picture: Bytes, landmarks: Floats, skin: Floats) -> tuple[Bytes, Bytes]:
    """Put them in front of a face.

    Args:
        chosen: what there is.
        picture: (H, W, 3) uint8 BGR.
        landmarks: (68, 2) float32, pixels.
        skin: (3,) float32, the display colour of the performer's skin in this light, BGR 0..255.

    Returns:
        The picture, and (H, W) uint8, 255 where the face is hidden.
    """
    hidden = np.zeros(picture.shape[:2], np.uint8)
    for number, kind in enumerate(chosen.kinds):
        random = np.random.default_rng([chosen.seed, number])
        shift = np.array(chosen.shift, np.float32)
        match kind:
            case "glasses":
                layers = _glasses(random, picture, landmarks)
            case "fringe":
                layers = [_fringe(random, picture, landmarks, skin)]
            case "cap":
                layers = [_cap(random, picture, landmarks)]
            case "hand":
                layers = [_hand(random, picture, landmarks, skin, shift)]
            case _:
                layers = [_thing(random, picture, landmarks, shift)]
        for layer in layers:
            alpha = layer.alpha[..., None].astype(np.float32) / 255
            picture = np.asarray(picture + alpha * (layer.pixels.astype(np.float32) - picture) + 0.5, np.uint8)
            hidden = np.asarray(hidden + (255 - hidden) * (layer.alpha.astype(np.float32) / 255) + 0.5, np.uint8)
    return picture, hidden


def _fixed(points: Numbers) -> Numbers:
    """Whole numbers for OpenCV's drawing calls with sub-pixel position."""
    return np.round(points * (1 << _FRACTION)).astype(np.int32)


def _frame_of(landmarks: Floats) -> tuple[Floats, Floats, Floats]:
    """Middle between the eyes, a vector over half the face's width, a vector from brows to chin."""
    middle = landmarks[[36, 39, 42, 45]].mean(0)
    across = (landmarks[16] - landmarks[0]) / 2
    down = landmarks[8] - landmarks[[21, 22]].mean(0)
    return middle, across, down


def _ramp(shape: tuple[int, ...], random: np.random.Generator, colour: Numbers, amount: float) -> Bytes:
    """A surface of one colour, lighter at one side, with a little grain."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = random.uniform(0, 2 * np.pi)
    slope = (columns * np.cos(angle) + rows * np.sin(angle)) / max(shape[:2])
    grain = cv2.GaussianBlur(random.normal(size=shape[:2]).astype(np.float32), (0, 0), 1.5)
    light = 1 + amount * (slope - slope.mean()) + 0.04 * grain
    return np.asarray(np.clip(light[..., None] * colour, 0, 255), np.uint8)


def _glasses(random: np.random.Generator, picture: Bytes, landmarks: Floats) -> list[Layer]:
    """Lenses and a frame that follows eye corners and jaw, so it turns with the head."""
    _, _, down = _frame_of(landmarks)
    size = float(np.linalg.norm(down))
    wide, tall, square = random.uniform(0.8, 1.05), random.uniform(0.12, 0.2), random.choice([2.0, 2.6, 4.0])
    thick = max(1, round(size * random.uniform(0.008, 0.03)))
    rings = []
    for inner, outer in _EYES:
        middle, half = landmarks[[inner, outer]].mean(0), (landmarks[outer] - landmarks[inner]) / 2 * 1.75 * wide
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        # A superellipse: 2 is round, 4 nearly a rectangle (Lame curve).
        cosine, sine = np.cos(angles), np.sin(angles)
        x, y = np.sign(cosine) * np.abs(cosine) ** (2 / square), np.sign(sine) * np.abs(sine) ** (2 / square)
        rings.append(middle + down * 0.03 + x[:, None] * half + y[:, None] * down * tall)
    lens, frame = (np.zeros(picture.shape[:2], np.uint8) for _ in range(2))
    cv2.fillPoly(lens, [_fixed(ring) for ring in rings], 255, cv2.LINE_AA, _FRACTION)
    cv2.polylines(frame, [_fixed(ring) for ring in rings], True, 255, thick, cv2.LINE_AA, _FRACTION)
    bridge = [rings[0][0], landmarks[27] - down * 0.03, rings[1][24]]
    temples = [[rings[0][24], landmarks[0] + down * 0.02], [rings[1][0], landmarks[16] + down * 0.02]]
    for line in (bridge, *temples):
        cv2.polylines(frame, [_fixed(np.array(line))], False, 255, thick, cv2.LINE_AA, _FRACTION)
    dark = random.random() < 0.2
    tint = random.uniform(0.6, 0.95) if dark else random.uniform(0.0, 0.12)
    glare = np.zeros(picture.shape[:2], np.float32)
    for ring in rings:
        spot, reach = ring[int(random.integers(48))] * 0.4 + ring.mean(0) * 0.6, size * random.uniform(0.02, 0.08)
        cv2.circle(glare, _fixed(spot).tolist(), int(reach * 16), float(random.uniform(0, 150)), -1, cv2.LINE_AA, 4)
    glare = np.minimum(cv2.GaussianBlur(glare, (0, 0), size * 0.02), lens)
    glass = _ramp(picture.shape, random, random.uniform(5, 60, 3), 0.5)
    metal = _ramp(
        picture.shape, random, np.array([1, 1, 1]) * random.uniform(10, 200) + random.normal(size=3) * 12, 0.8
    )
    white = np.full_like(picture, 245)
    return [
        Layer(glass, np.asarray(lens * tint, np.uint8)),
        Layer(white, np.asarray(glare, np.uint8)),
        Layer(metal, frame),
    ]


def _fringe(random: np.random.Generator, picture: Bytes, landmarks: Floats, skin: Floats) -> Layer:
    """Strands of hair from above the forehead, down to about the brows."""
    middle, across, down = _frame_of(landmarks)
    alpha = np.zeros(picture.shape[:2], np.uint8)
    shade = np.zeros(picture.shape[:2], np.float32)
    side, density = random.uniform(-1, 1), int(random.integers(60, 260))
    level = random.uniform(-0.35, 0.0)
    for _ in range(density):
        at = random.uniform(-1, 1)
        root = middle + across * at * 0.95 - down * random.uniform(0.85, 1.1)
        tip = middle + across * (at + 0.35 * side * random.uniform(0.5, 1.5)) + down * (level + random.normal() * 0.05)
        bend = (root + tip) / 2 + across * random.normal() * 0.08
        steps = np.linspace(0, 1, 8)[:, None]
        curve = (1 - steps) ** 2 * root + 2 * steps * (1 - steps) * bend + steps**2 * tip
        width = max(1, round(float(np.linalg.norm(across)) * random.uniform(0.01, 0.05)))
        cv2.polylines(alpha, [_fixed(curve)], False, 255, width, cv2.LINE_AA, _FRACTION)
        cv2.polylines(shade, [_fixed(curve)], False, float(random.uniform(0.6, 1.4)), max(1, width // 2), 8, _FRACTION)
    tone = np.array([0.5, 0.65, 0.85]) * random.uniform(0.08, 0.75) * np.maximum(skin, 20)
    pixels = np.clip(tone * np.where(shade > 0, shade, 0.9)[..., None], 0, 255)
    return Layer(np.asarray(pixels, np.uint8), alpha)


def _cap(random: np.random.Generator, picture: Bytes, landmarks: Floats) -> Layer:
    """A cap or a beanie with a rim across the forehead."""
    middle, across, down = _frame_of(landmarks)
    rim = random.uniform(-0.62, -0.3)
    steps = np.linspace(-1.25, 1.25, 21)[:, None]
    sag = random.uniform(-0.1, 0.18)
    edge = middle + across * steps + down * (rim + sag * (1 - steps**2))
    top = edge[::-1] - down * 1.6
    alpha = cv2.fillPoly(
        np.zeros(picture.shape[:2], np.uint8), [_fixed(np.vstack([edge, top]))], 255, cv2.LINE_AA, _FRACTION
    )
    pixels = _ramp(picture.shape, random, random.uniform(15, 210, 3), 1.0)
    band = edge - down * random.uniform(0.05, 0.15)
    colour = random.uniform(10, 220, 3).tolist()
    thick = max(2, round(float(np.linalg.norm(down)) * random.uniform(0.02, 0.12)))
    cv2.polylines(pixels, [_fixed(band)], False, colour, thick, cv2.LINE_AA, _FRACTION)
    return Layer(pixels, np.asarray(alpha, np.uint8))


def _hand(random: np.random.Generator, picture: Bytes, landmarks: Floats, skin: Floats, shift: Floats) -> Layer:
    """A palm and fingers that come in from below or from a side, lit like a rounded thing."""
    middle, across, down = _frame_of(landmarks)
    size = float(np.linalg.norm(down))
    spot = middle + across * random.uniform(-1.1, 1.1) + down * random.uniform(-0.2, 1.0) + shift * size
    wrist = middle + across * random.choice([-1, 1]) * random.uniform(0.4, 2.2) + down * random.uniform(1.2, 2.2)
    along = (spot - wrist) / (float(np.linalg.norm(spot - wrist)) + 1e-6)
    sideways = np.array([-along[1], along[0]])
    alpha = np.zeros(picture.shape[:2], np.uint8)
    lines = [(wrist, spot - along * size * 0.2, 0.30)]
    lines += [
        (spot - along * size * 0.28 + sideways * size * 0.07 * k, spot + sideways * size * 0.07 * k, 0.2)
        for k in (-1, 1)
    ]
    spread = random.uniform(0.02, 0.16)
    for finger in (-1.5, -0.5, 0.5, 1.5):
        root = spot + sideways * size * 0.105 * finger
        tip = root + (along + sideways * finger * spread) * size * random.uniform(0.18, 0.42)
        lines.append((root - along * size * 0.1, tip, 0.098))
    thumb = spot - along * size * 0.2 + sideways * size * 0.16
    lines.append((thumb, thumb + (along * 0.5 + sideways) * size * random.uniform(0.1, 0.26), 0.11))
    solid = np.zeros(picture.shape[:2], np.float32)
    for start, end, thick in lines:
        part = np.zeros_like(alpha)
        width = max(2, round(size * thick))
        cv2.line(part, _fixed(start).tolist(), _fixed(end).tolist(), 255, width, cv2.LINE_AA, _FRACTION)
        alpha = np.maximum(alpha, part)
        depth = cv2.distanceTransform((part > 127).astype(np.uint8), cv2.DIST_L2, 3) / (width / 2)
        solid = np.where(part > 127, depth, solid)
    # Round things are darker at their edges: the depth inside a capsule stands for its normal.
    light = 0.55 + 0.5 * np.sqrt(np.clip(solid, 0, 1))
    tone = np.clip(skin * random.uniform(0.8, 1.15), 15, 255)
    pixels = np.clip(cv2.GaussianBlur(light, (0, 0), 0.8)[..., None] * tone, 0, 255)
    return Layer(np.asarray(pixels, np.uint8), alpha)


def _thing(random: np.random.Generator, picture: Bytes, landmarks: Floats, shift: Floats) -> Layer:
    """A cup, a telephone, a microphone: a turned box or an ellipse with a stripe."""
    middle, across, down = _frame_of(landmarks)
    size = float(np.linalg.norm(down))
    spot = middle + across * random.uniform(-1.2, 1.2) + down * random.uniform(0.1, 1.3) + shift * size
    box = (spot.tolist(), (size * random.uniform(0.15, 0.6), size * random.uniform(0.3, 0.9)), random.uniform(-60, 60))
    alpha = np.zeros(picture.shape[:2], np.uint8)
    corners = cv2.boxPoints(box)
    if random.random() < 0.5:
        cv2.fillPoly(alpha, [_fixed(corners)], 255, cv2.LINE_AA, _FRACTION)
    else:
        cv2.ellipse(alpha, box, 255, -1, cv2.LINE_AA)
    pixels = _ramp(picture.shape, random, random.uniform(10, 240, 3), 1.4)
    stripe = _fixed(np.stack([corners[:2].mean(0), corners[2:].mean(0)]))
    cv2.polylines(pixels, [stripe], False, random.uniform(0, 255, 3).tolist(), max(2, int(size * 0.05)), 8, _FRACTION)
    return Layer(pixels, alpha)
