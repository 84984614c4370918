"""A parametric head and its skins, read from a folder, and the fictional people made from it.

The folder holds ``head.npz`` (mesh, shape and expression modes, painted weights), ``skins/*.jpg`` and
``brows.json``. It is data for making weights; no part of it is needed to run livefake.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadInput
from livefake.frame import Bytes, Floats
from livefake.training.kernels import Ints, vertex_normals
from livefake.training.shading import BACK, FACE, GUMS, IRISES, MATERIALS, TEETH, TORSO, Coat, Model

__all__ = ["HeadKit", "Identity", "make_identity", "read_headkit"]

_ARRAYS: Final = (
    "vertices", "triangles", "uv", "triangles_uv", "triangle_material", "identity_modes", "expression_modes",
    "expression_names", "landmark_vertices", "eye_vertices", "eye_local", "head_weight", "hair_weight", "face_weight",
    "ambient_occlusion",
)  # fmt: skip

# Linear BGR.
_GUMS: Final = (0.10, 0.09, 0.28)
_TEETH: Final = (0.40, 0.47, 0.54)
# Dark to light; displayed tones, raised to a power below to become linear.
_HAIR: Final = np.array(
    [[0.03, 0.035, 0.045], [0.05, 0.075, 0.12], [0.09, 0.16, 0.27], [0.16, 0.27, 0.42], [0.45, 0.47, 0.50]]
)
_HAIR_SHARES: Final = (0.22, 0.30, 0.24, 0.16, 0.08)
_IRIS: Final = np.array([[0.06, 0.11, 0.22], [0.09, 0.17, 0.30], [0.18, 0.30, 0.32], [0.42, 0.34, 0.22], [0.36] * 3])
_SHIRT: Final = np.array(
    [[0.10, 0.09, 0.08], [0.32, 0.18, 0.10], [0.16, 0.20, 0.14], [0.55] * 3, [0.16, 0.14, 0.36], [0.40, 0.36, 0.24]]
)
# Landmarks (of 68) over and under the gap between the lips.
_LIPS_OVER: Final = (61, 62, 63)
_LIPS_UNDER: Final = (67, 66, 65)


@dataclass(frozen=True, slots=True, eq=False)
class HeadKit:
    """The head and what it wears.

    Attributes:
        model: mesh and painted weights, as the renderer takes them. Irises are painted, not drawn.
        solid: (F', 3) int32, the triangles that throw shadows.
        identity_modes: (M, N, 3) float32, shape displacements, each for one standard deviation.
        expression_modes: (E, N, 3) float32, displacements at weight 1.
        expressions: names of the expression modes, in their order.
        landmarks: (68,) int32, vertices of the usual 68 landmarks.
        eyes: vertices of both eyeballs.
        turns: (N,) float32, 1 turns with the head, 0 stays with the body.
        outward: (N, 3) float32, normals of the mean head, along which hair grows.
        skins: texture files by name.
        brows: outlines by side and edge, (P, 2) float64 texture coordinates.
    """

    model: Model
    solid: Ints
    identity_modes: Floats
    expression_modes: Floats
    expressions: tuple[str, ...]
    landmarks: Ints
    eyes: Ints
    turns: Floats
    outward: Floats
    skins: tuple[Path, ...]
    brows: Mapping[str, Mapping[str, Floats]]

    def expression(self, *names: str) -> list[int]:
        """Numbers of expression modes."""
        return [self.expressions.index(name) for name in names]


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """A person who does not exist.

    Attributes:
        number: the seed that made them.
        shape: (N, 3) float32, neutral vertices, model units.
        coat: skin with brows, hair, eyes and clothes.
        hair_length: outward growth of the hair, model units.
    """

    number: int
    shape: Floats
    coat: Coat
    hair_length: float


def read_headkit(folder: Path) -> HeadKit:
    """Read a kit.

    Raises:
        BadInput: a file is missing or is not what it should be.
    """
    try:
        with np.load(folder / "head.npz", allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _ARRAYS}
        outlines = json.loads((folder / "brows.json").read_text("utf-8"))
        brows = {
            side: {edge: np.array(outlines[side][edge], np.float32) for edge in ("upper", "lower")}
            for side in ("left", "right")
        }
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"The head kit in {folder} cannot be read: {error}.", "Name its folder with --kit.") from error
    skins = tuple(sorted((folder / "skins").glob("*.jpg")))
    if len(skins) < 2:
        raise BadInput(f"{folder / 'skins'} should hold two or more .jpg textures, {len(skins)} are there.")
    drawn = ~np.isin(arrays["triangle_material"], IRISES)
    triangles, materials = (np.ascontiguousarray(arrays[name][drawn]) for name in ("triangles", "triangle_material"))
    rest = np.ascontiguousarray(arrays["vertices"], np.float32)
    columns = [arrays[name] for name in ("ambient_occlusion", "hair_weight", "face_weight")]
    solid = np.ascontiguousarray(triangles[np.isin(materials, (FACE, BACK, TORSO))])
    return HeadKit(
        model=Model(
            triangles=triangles,
            corners=np.ascontiguousarray(arrays["triangles_uv"][drawn]),
            materials=materials,
            uv=np.ascontiguousarray(arrays["uv"], np.float32),
            rest=rest,
            paint=np.column_stack([*columns, arrays["eye_local"]]).astype(np.float32),
            strands=_strands(),
        ),
        solid=solid,
        identity_modes=arrays["identity_modes"].astype(np.float32),
        expression_modes=arrays["expression_modes"].astype(np.float32),
        expressions=tuple(str(name) for name in arrays["expression_names"]),
        landmarks=arrays["landmark_vertices"],
        eyes=arrays["eye_vertices"],
        turns=arrays["head_weight"].astype(np.float32),
        outward=vertex_normals(rest, solid),
        skins=skins,
        brows=brows,
    )


def _strands() -> Floats:
    """Noise drawn out along one axis: hair over (polar angle, azimuth)."""
    noise = np.random.default_rng(1).normal(size=(256, 2048)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigmaX=1.1, sigmaY=14)
    return np.asarray(np.clip(smooth / smooth.std() * 0.45, -1, 1), np.float32)


def make_identity(kit: HeadKit, number: int, *, spread: float = 0.9) -> Identity:
    """The person with that number: the same person for the same kit, always.

    Args:
        kit: the head.
        number: seed, 0 or more.
        spread: how far people differ from the mean head; 1 is the population the shape modes were made from.
    """
    random = np.random.default_rng(number)
    amounts = np.clip(random.normal(size=len(kit.identity_modes)) * spread, -2.2, 2.2).astype(np.float32)
    dark = ["dark" in path.stem for path in kit.skins]
    first = int(random.integers(len(dark)))
    # Two skins of about the same tone are mixed: a light and a dark one would give neither.
    alike = [place for place in range(len(dark)) if place != first and dark[place] == dark[first]] or [first]
    texture = _mixed_skin(kit, first, int(random.choice(alike)), random)
    _weather(texture, random)
    tones = 2 if dark[first] else len(_HAIR)
    shares = np.array(_HAIR_SHARES[:tones]) / sum(_HAIR_SHARES[:tones])
    hair = _HAIR[int(random.choice(tones, p=shares))] ** 1.6
    iris = _IRIS[int(random.integers(2 if dark[first] else len(_IRIS)))] ** 1.4
    _paint_brows(kit, texture, hair * 0.8 + 0.004, random)
    flat = np.zeros((MATERIALS, 3), np.float32)
    cheek = texture[60:200, 100:300] if texture.shape[0] >= 512 else texture
    flat[[FACE, BACK]] = (np.median(cheek.reshape(-1, 3), 0) / 255) ** 2
    flat[GUMS], flat[TEETH] = _GUMS, _TEETH
    flat[TORSO] = _SHIRT[int(random.integers(len(_SHIRT)))] ** 2
    length = float(random.uniform(0.15, 1.25))
    hairline = 1.0 if random.random() < 0.06 else float(random.uniform(0, 0.45))
    lids = float(random.uniform(0.08, 0.26))
    coat = Coat(texture, flat, hair.astype(np.float32), iris.astype(np.float32), hairline)
    return Identity(number, _shape(kit, amounts, lids), coat, length)


def _shape(kit: HeadKit, amounts: Floats, lids: float) -> Floats:
    """Neutral vertices: lids a little down, as in life, and lips that meet."""
    shape = kit.model.rest + np.tensordot(amounts, kit.identity_modes, 1)
    shape += lids * kit.expression_modes[kit.expression("eyeBlink_L", "eyeBlink_R")].sum(0)
    close = kit.expression_modes[kit.expression("mouthClose")[0]]
    over, under = kit.landmarks[list(_LIPS_OVER)], kit.landmarks[list(_LIPS_UNDER)]
    gap = float((shape[over, 1] - shape[under, 1]).mean())
    closing = float((close[under, 1] - close[over, 1]).mean())
    shape += close * float(np.clip((gap - 0.02) / max(closing, 1e-3), 0, 0.6))
    return np.ascontiguousarray(shape, np.float32)


def _mixed_skin(kit: HeadKit, first: int, second: int, random: np.random.Generator) -> Bytes:
    share = random.uniform(0.3, 1)
    one, two = (cv2.imread(str(kit.skins[place]), cv2.IMREAD_COLOR) for place in (first, second))
    if one is None or two is None or one.shape != two.shape or one.shape[0] != one.shape[1]:
        raise BadInput(f"The skins {kit.skins[first].name} and {kit.skins[second].name} should be squares of one size.")
    gain = np.array([random.uniform(0.93, 1.04), random.uniform(0.96, 1.03), 1.0]) * random.uniform(0.94, 1.08)
    mixed = cv2.addWeighted(one, share, two, 1 - share, 0)
    return np.asarray(cv2.transform(mixed, np.diag(gain)), np.uint8)


def _weather(texture: Bytes, random: np.random.Generator) -> None:
    """Give a skin its own unevenness, from patches of red to pores, and moles or freckles, in place.

    A dozen textures serve hundreds of people: without this the network would learn those textures by heart.
    """
    side = texture.shape[0]
    light = np.ones((side, side, 3), np.float32)
    for cells, amount in ((8, 0.025), (40, 0.02), (160, 0.02), (side // 2, 0.03)):
        grey, tint = (random.standard_normal((cells, cells, planes), np.float32) for planes in (1, 3))
        grown = cv2.resize(grey * 0.8 + tint * 0.4, (side, side), interpolation=cv2.INTER_LINEAR)
        light += grown * np.float32(amount * random.uniform(0.3, 1.4))
    freckled = random.random() < 0.25
    spots = np.zeros((side, side), np.float32)
    for _ in range(int(random.integers(200, 700)) if freckled else int(random.integers(0, 25))):
        middle = np.round(random.uniform(0, side, 2) * 16).astype(int).tolist()
        radius = random.uniform(0.8, 2.2) if freckled else random.uniform(1.0, 4.5)
        depth = random.uniform(0.08, 0.3) if freckled else random.uniform(0.15, 0.6)
        cv2.circle(spots, middle, round(radius * side / 1024 * 16), float(depth), -1, cv2.LINE_AA, 4)
    shade = cv2.GaussianBlur(spots, (0, 0), 0.9)[..., None] * np.array([1.0, 0.85, 0.6], np.float32)
    texture[:] = np.clip(texture * light * (1 - shade) + 0.5, 0, 255)


def _paint_brows(kit: HeadKit, texture: Bytes, colour: Floats, random: np.random.Generator) -> None:
    """Draw both brows into a texture as short strokes between their outlines."""
    side = texture.shape[0]
    thick, lift, count = random.uniform(0.6, 1.15), random.uniform(-4, 4), int(random.integers(450, 900))
    reach = side / 1024
    margin = round(30 * reach) + 1
    for outline in kit.brows.values():
        upper, lower = (np.array([0, side - 1]) + outline[edge] * [side - 1, 1 - side] for edge in ("upper", "lower"))
        everything = np.vstack([upper, lower])
        corner = np.maximum(np.floor(everything.min(0)).astype(int) - margin, 0)
        end = np.minimum(np.ceil(everything.max(0)).astype(int) + margin, side)
        alpha = np.zeros((end[1] - corner[1], end[0] - corner[0]), np.uint8)
        layer = np.zeros_like(alpha)
        for _ in range(count):
            along = random.uniform(0, len(upper) - 1.02)
            piece, part = int(along), along % 1
            over, under = (edge[piece] * (1 - part) + edge[piece + 1] * part for edge in (upper, lower))
            thin = min(1.0, 0.55 + along) * (1 - 0.18 * max(0.0, along - 2))
            start = (over + under) / 2 + (under - over) * (random.beta(2, 2) - 0.5) * thick * thin
            start = start - corner + [0, (lift + 3) * reach]
            run = upper[piece + 1] - upper[piece]
            # Hairs stand up near the nose and lie down towards the temple.
            lean = run / np.linalg.norm(run) + [0, -0.9 + 0.42 * along]
            tip = start + lean / np.linalg.norm(lean) * random.uniform(7, 15) * reach
            ends = [np.round(point * 16).astype(int).tolist() for point in (start, tip)]
            cv2.line(layer, ends[0], ends[1], int(random.integers(70, 170)), 1, cv2.LINE_AA, 4)
            if random.random() < 0.5:
                alpha = np.maximum(alpha, layer)
                layer[:] = 0
        strokes = cv2.GaussianBlur(np.maximum(alpha, layer).astype(np.float32) / 255, (0, 0), 0.8)
        cover = np.clip(strokes * 1.1 + cv2.GaussianBlur(strokes, (0, 0), 5 * reach) * 0.75, 0, 0.9)[..., None]
        place = texture[corner[1] : end[1], corner[0] : end[0]]
        place[:] = np.clip(place * (1 - cover) + np.sqrt(colour) * 255 * cover + 0.5, 0, 255)
