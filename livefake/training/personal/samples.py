"""A person's takes to what a training step takes: the pack's picture warped onto a take, with the take as the answer.

The network sees a performer only as low-pass colours, eyes and mouth, so a take of the person themself teaches what
the persona looks like in that pose and light, whoever performs later. So that it does not lean on what still comes
through, some performers get another persona's skin. Light and exposure change answer and live picture alike: the
persona has to stand in the performer's light. Blur, noise and compression change the live picture alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from livefake.errors import BadInput, BadPersona
from livefake.faces.geometry import POINTS, transform
from livefake.faces.pose import head_turn
from livefake.frame import Box, Bytes, Face, Floats, Frame
from livefake.swap.guide import crop_for_net, kept_alive, net_planes
from livefake.swap.mesh import MeshSwapper
from livefake.swap.persona import (
    SIDES,
    Kind,
    Persona,
    PersonaCard,
    Turned,
    load_persona,
    read_card,
    view_files,
)
from livefake.swap.raster import Triangles
from livefake.training.batches import Example, opened
from livefake.training.camera import Camera, respond, sample_camera, take
from livefake.training.footage.takes import Take
from livefake.training.guide import matched_guide, warp_onto
from livefake.training.personal.light import Light, sample_light, shine
from livefake.training.tone import Tone, move_tone

__all__ = ["Scene", "crop_example", "cropped_take", "pack_swapper", "sample_scene", "strangers_in", "take_example"]

_JITTER: Final = 0.002
"""Standard deviation of where the mesh lies, as a share of the crop: the landmark network's own on a noisy picture."""
_CAMERA_SIDE: Final = 256
"""Side of the crop, pixels, that ``sample_camera`` draws its faults for."""
_FINE: Final = 0.5
"""Scale from take to crop below which the crop is first made at twice its size: no aliasing."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What becomes of a take before the network sees it.

    Attributes:
        light, tone: of the scene: in the live picture and in the answer.
        camera: its exposure is in both, the rest in the live picture alone.
        shift: (2,) float32, how far the mesh is off, as a share of the crop's side.
    """

    light: Light
    tone: Tone
    camera: Camera
    shift: Floats


def sample_scene(random: np.random.Generator) -> Scene:
    """Draw a scene."""
    light, camera = sample_light(random), sample_camera(random)
    # Of the 8-bit Lab channels: paler to darker, and a little of each hue. The gain is about mid-grey.
    gain = np.clip(1 + random.normal(size=3) * 0.05, 0.85, 1.15).astype(np.float32)
    offset = (random.normal(size=3) * (6.0, 2.0, 2.0) + 128 * (1 - gain)).astype(np.float32)
    return Scene(light, Tone(gain, offset), camera, (random.normal(size=2) * _JITTER).astype(np.float32))


def pack_swapper(pack: Path, triangles: Triangles) -> MeshSwapper:
    """The mesh warp of a pack's pictures, also of one that is being made and has no card yet.

    Args:
        pack: folder with ``face.png`` and ``landmarks.npy``, and perhaps with pictures of the turned head.
        triangles: of the mesh.

    Raises:
        BadPersona: a file is missing or is not what it should be.
    """
    picture, points = _guide_of(pack, "face.png", "landmarks.npy")
    turned = []
    for side in SIDES:
        names = view_files(side)
        if all((pack / name).exists() for name in names):
            # As the live program wears them, so that the network learns from what it will be given.
            view, marks = _guide_of(pack, *names)
            turned.append(Turned(view, marks, head_turn(marks)[0]))
    card = PersonaCard(pack.name, pack.name, Kind.PERSON, "", "", pack, {})
    return MeshSwapper(Persona(card, picture, points, tuple(turned)), triangles)


def _guide_of(pack: Path, face: str, landmarks: str) -> tuple[Bytes, Floats]:
    picture = cv2.imread(str(pack / face), cv2.IMREAD_COLOR)
    if picture is None:
        raise BadPersona(f"The pack {pack} should have a picture {face}, it has none that can be read.")
    try:
        points = np.load(pack / landmarks, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BadPersona(f"{landmarks} of the pack {pack} cannot be read: {error}.") from error
    if points.shape != (POINTS, 3) or points.dtype != np.float32 or not np.isfinite(points).all():
        raise BadPersona(
            f"{landmarks} of {pack} should be ({POINTS}, 3) finite float32, got {points.dtype} {points.shape}."
        )
    return np.asarray(picture, np.uint8), points


def strangers_in(folder: Path, triangles: Triangles, *, apart_from: Path) -> list[MeshSwapper]:
    """The mesh warps of the fictional personas in a folder, whose skin performers may get.

    Args:
        folder: of packs, such as ``models/personas``; it may be missing.
        triangles: of the mesh.
        apart_from: the pack that is worn.

    Raises:
        BadPersona: one of the packs is damaged.
    """
    packs = [path.parent for path in sorted(folder.glob("*/persona.toml")) if path.parent.name != apart_from.name]
    cards = [card for card in map(read_card, packs) if card.kind == "fictional"]
    return [MeshSwapper(load_persona(card), triangles) for card in cards]


def cropped_take(take: Take, size: int) -> tuple[Bytes, Floats]:
    """The crop that the network works in, out of a take.

    Args:
        take: with room around the face.
        size: side of the crop, pixels.

    Returns:
        (S, S, 3) uint8 BGR and (468, 3) float32, its landmarks in pixels of the crop.
    """
    matrix = crop_for_net(take.points, size)
    share = 2 if float(np.hypot(*matrix[0, :2])) < _FINE else 1
    if share == 2:
        matrix = crop_for_net(take.points, size * share)
    side = size * share
    crop = np.asarray(cv2.warpAffine(take.picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    points = transform(take.points, matrix)
    if share == 2:
        crop = np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
        # Pixel centres at whole numbers: half the size maps x to (x + 0.5) / 2 - 0.5.
        points = np.column_stack([(points[:, :2] + 0.5) / 2 - 0.5, points[:, 2] / 2]).astype(np.float32)
    return crop, points


def take_example(
    shot: Take,
    swapper: MeshSwapper,
    size: int,
    scene: Scene,
    random: np.random.Generator,
    *,
    stranger: MeshSwapper | None = None,
) -> Example:
    """One example.

    Args:
        shot: the person.
        swapper: wears the persona.
        size: side of the crop, pixels, a multiple of 32.
        scene: what becomes of it.
        random: source of the camera's noise.
        stranger: whose skin the performer gets; their own if None. Eyes and mouth stay.

    Returns:
        The example; its persona's number is 0.

    Raises:
        BadInput: the face in the take is too small or outside the picture.
    """
    person, points = cropped_take(shot, size)
    one = crop_example(person, points, swapper, scene, random, stranger=stranger)
    if one is None:
        raise BadInput(f"The face in the take of {shot.file} at {shot.seconds:.1f} s is too small or cut off.")
    return one


def crop_example(
    person: Bytes,
    points: Floats,
    swapper: MeshSwapper,
    scene: Scene,
    random: np.random.Generator,
    *,
    stranger: MeshSwapper | None = None,
) -> Example | None:
    """One example of a crop that was made already.

    Args:
        person: (S, S, 3) uint8 BGR.
        points: (468, 3) float32, mesh landmarks, pixels of the crop.
        swapper, scene, random, stranger: see ``take_example``.

    Returns:
        The example; None if the face is too small or outside the crop.
    """
    size = person.shape[0]
    found = points + np.append(scene.shift * size, 0).astype(np.float32)
    worn, solid = warp_onto(swapper, size, found), _solid(swapper, size, points)
    if worn is None or solid is None:
        return None
    warp, cover = worn
    truth = respond(_in_light(person, scene), scene.camera)
    seen = person
    if stranger is not None and (other := warp_onto(stranger, size, points)) is not None:
        seen = matched_guide(person, *other, points)
    live = take(_in_light(seen, scene), _at_size(scene.camera, size), random)
    guide = matched_guide(live, warp, cover, found)
    return Example(
        net_planes(live, guide, kept_alive(found, size), cover),
        np.stack(cv2.split(truth)).astype(np.uint8),
        solid[None],
        opened(solid)[None],
        np.array(0, np.int64),
    )


def _at_size(camera: Camera, size: int) -> Camera:
    """The same faults in a smaller crop: as if its pixels were averaged from those of a crop of 256."""
    share = size / _CAMERA_SIDE
    motion = camera.motion * share
    return replace(
        camera, focus=camera.focus * share, motion=motion if motion > 1.5 else 0.0, noise=camera.noise * min(1.0, share)
    )


def _in_light(picture: Bytes, scene: Scene) -> Bytes:
    return shine(move_tone(picture, scene.tone), scene.light)


def _solid(swapper: MeshSwapper, size: int, points: Floats) -> Bytes | None:
    """(S, S) uint8, as far as a mask may reach: the warp's cover with eyes and mouth filled in."""
    empty = Frame(np.zeros((size * 3 // 2, size), np.uint8), 0, 0)
    patch = swapper(empty, Face(Box.around(points), points, 1.0, 1.0, 1))
    if patch is None:
        return None
    solid = np.zeros((size, size), np.uint8)
    solid[patch.box.top : patch.box.bottom, patch.box.left : patch.box.right] = patch.solid
    return solid
