"""Pairs of fictional people in one state: the performer, and the persona who takes the performer's place.

There are two right answers, and a set of pairs has one of them.

``Answer.SHAPE``: each point of the persona's skin, with its own relief, texture and light, lands where the same
point of the performer's face is in the picture. Light, skin and expression are exact to the pixel, but a face is
known by its proportions, and these are the performer's: a network that learns nothing else ends up showing the
performer (dlib distance 0.46 to a photographed performer, 0.69 to the persona).

``Answer.MESH``: the persona is drawn in the same state on its own head, its mesh is read by the real landmark
network, and its picture is bent onto the performer's mesh, as the live program bends the neutral one. That is the
picture which the guide would be if it had been taken in this pose, expression and light, with all that makes the
persona known. Eyes and the inside of the mouth are those of the first answer, with the performer's irises: the
live program keeps live eyes, and the guide has no others to show.

Every sample follows from (seed, shard, place in the shard) alone. The identities of the test split are never
part of a training sample, neither as performer nor as persona; the skin textures that identities are mixed from
are shared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from livefake.faces.geometry import transform
from livefake.faces.landmarks import LandmarkNet, Landmarks
from livefake.frame import Bytes, Floats, Frame
from livefake.swap.guide import crop_for_net, lay_over
from livefake.swap.mesh import MeshSwapper
from livefake.swap.raster import Triangles, painting_order
from livefake.training.answer import Answer
from livefake.training.camera import Camera, respond, sample_camera, take
from livefake.training.guide import make_swapper, paint_picture, read_mesh, warp_onto
from livefake.training.headkit import HeadKit, Identity, make_identity
from livefake.training.render import Picture, place, render
from livefake.training.samples import Facts, Sample
from livefake.training.scenery import Occluders, draw_occluders, room, sample_occluders
from livefake.training.states import State, gaze_of, next_state, sample_state

__all__ = ["SHARD", "TEST", "TRAIN", "Cast", "Workshop", "make_shard", "split_of"]

SHARD: Final = 64
"""Samples in a shard."""
TRAIN: Final = range(0, 400)
"""Identities of the training split."""
TEST: Final = range(100_000, 100_080)
"""Identities of the test split."""
_TEST_EVERY: Final = 16
"""One shard in so many belongs to the test split; the first one does, so a short run can be judged too."""
_ROLES: Final = 7
"""Performers in a shard, and as many personas: making an identity costs as much as a picture."""
_SCENE: Final = 4
"""Samples in a scene; the last one shows the one before it a moment later."""
_PERSONA_SIDE: Final = 512
_ROOM: Final = 1.32
"""Side of the performer's picture as a multiple of the crop's: the landmark network looks at more than we keep."""
_TRIES: Final = 6
_PRESENCE: Final = 0.5
_ASTRAY: Final = 0.12
"""Mean distance of the found eyes, nose and mouth from the true ones, as a share of the crop, that is too much:
the live program would have lost such a face."""


@dataclass(frozen=True, slots=True, eq=False)
class Workshop:
    """What a worker holds.

    Attributes:
        kit: the head.
        landmarks: the real landmark network.
        triangles: of the mesh.
        size: side of the crops, pixels; even.
        seed: of the whole set.
        answer: which answer is given.
    """

    kit: HeadKit
    landmarks: LandmarkNet
    triangles: Triangles
    size: int
    seed: int
    answer: Answer = Answer.SHAPE


@dataclass(frozen=True, slots=True, eq=False)
class Cast:
    """The people of a shard.

    Attributes:
        performers: who is in front of the camera.
        personas: who takes their place, each with the warp of one neutral picture.
    """

    performers: tuple[Identity, ...]
    personas: tuple[tuple[Identity, MeshSwapper], ...]


def split_of(shard: int) -> range:
    """The identities that a shard may show."""
    return TRAIN if shard % _TEST_EVERY else TEST


def make_shard(workshop: Workshop, shard: int) -> list[Sample]:
    """The samples of a shard, ``SHARD`` of them."""
    random = np.random.default_rng([workshop.seed, shard])
    cast = _make_cast(workshop, split_of(shard), random)
    samples: list[Sample] = []
    while len(samples) < SHARD:
        samples += _make_scene(workshop, cast, random)
    return samples[:SHARD]


def _make_cast(workshop: Workshop, pool: range, random: np.random.Generator) -> Cast:
    numbers = random.choice(len(pool), 2 * _ROLES, replace=False)
    people = [make_identity(workshop.kit, pool[int(number)]) for number in numbers]
    personas = tuple((person, _persona(workshop, person, random)) for person in people[_ROLES:])
    return Cast(tuple(people[:_ROLES]), personas)


def _persona(workshop: Workshop, person: Identity, random: np.random.Generator) -> MeshSwapper:
    """The one neutral picture of a persona, as packs have it: even light, no hair, skin as the background."""
    bare = replace(person, coat=person.coat._replace(hairline=1.0))
    turn = np.clip(random.normal(size=3) * 0.02, -0.05, 0.05).astype(np.float32)
    light = np.array([random.normal() * 0.15, 0.35 + random.normal() * 0.1, 1.0], np.float32)
    state = State(np.zeros(len(workshop.kit.expressions), np.float32), turn, light)
    background = np.full((_PERSONA_SIDE, _PERSONA_SIDE, 3), _skin_level(person), np.uint8)
    placement = place(workshop.kit, bare, state, _PERSONA_SIDE, _PERSONA_SIDE * 0.55)
    picture = render(workshop.kit, bare, state, placement, background)
    found = read_mesh(workshop.landmarks, Frame.from_bgr(picture.pixels), picture.landmarks)
    return make_swapper(picture.pixels, found.points, workshop.triangles)


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """What stays the same from one moment to the next."""

    performer: Identity
    persona: Identity
    swapper: MeshSwapper
    background: Bytes
    occluders: Occluders
    camera: Camera
    placement: Floats


def _make_scene(workshop: Workshop, cast: Cast, random: np.random.Generator) -> list[Sample]:
    """Three scenes, and the third one a moment later."""
    samples: list[Sample] = []
    while len(samples) < _SCENE - 1:
        scene, state = _stage(workshop, cast, random)
        for _ in range(_TRIES):
            sample = _shoot(workshop, scene, state, random, follows=False)
            if sample is not None:
                samples.append(sample)
                break
            # The landmark network was lost: most often a head turned far behind a hand. Turn it back, clear the view.
            state = replace(state, rotation=state.rotation * 0.7)
            scene = replace(scene, occluders=Occluders((), scene.occluders.seed))
    later = next_state(state, workshop.kit.expressions, random)
    drift = random.normal(size=2) * 0.02
    moved = replace(scene.occluders, shift=(float(drift[0]), float(drift[1])))
    sample = _shoot(workshop, replace(scene, occluders=moved), later, random, follows=True)
    return samples if sample is None else [*samples, sample]


def _stage(workshop: Workshop, cast: Cast, random: np.random.Generator) -> tuple[_Scene, State]:
    state = sample_state(workshop.kit.expressions, random)
    performer = cast.performers[int(random.integers(len(cast.performers)))]
    persona, swapper = cast.personas[int(random.integers(len(cast.personas)))]
    side = _picture_side(workshop.size)
    height = workshop.size * random.uniform(0.66, 0.72)
    placement = place(workshop.kit, performer, state, side, height)
    placement[:, 2] += random.normal(size=2) * workshop.size * 0.015
    background = room(int(random.integers(1 << 31)), (side, side))
    scene = _Scene(performer, persona, swapper, background, sample_occluders(random), sample_camera(random), placement)
    return scene, state


def _picture_side(size: int) -> int:
    return round(size * _ROOM) // 2 * 2


def _shoot(
    workshop: Workshop, scene: _Scene, state: State, random: np.random.Generator, *, follows: bool
) -> Sample | None:
    """Take one picture of a scene; None where the landmark network does not find the face."""
    # The camera blurs what it sees, so fewer samples a pixel do for the performer than for the truth.
    drawn = render(workshop.kit, scene.performer, state, scene.placement, scene.background, supersample=1.5)
    skin = np.array(cv2.mean(drawn.pixels, drawn.region)[:3], np.float32)
    seen, hidden = draw_occluders(scene.occluders, drawn.pixels, drawn.landmarks, skin)
    frame = Frame.from_bgr(take(seen, scene.camera, random))
    # Where tracking looks is where the face was a frame ago.
    rough = drawn.landmarks + (random.normal(size=2) * workshop.size * 0.012).astype(np.float32)
    found = read_mesh(workshop.landmarks, frame, rough)
    if not _credible(found, drawn, workshop.size):
        return None
    matrix = crop_for_net(found.points, workshop.size)
    size = (workshop.size, workshop.size)
    points = transform(found.points, matrix)
    warped = warp_onto(scene.swapper, workshop.size, points)
    if warped is None:
        return None
    # The same camera through the same crop: first the plane to the picture, then the picture to the crop.
    placement = matrix @ np.vstack([scene.placement, [0, 0, 1]])
    behind = np.asarray(cv2.warpAffine(scene.background, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    coat = scene.persona.coat._replace(iris=scene.performer.coat.iris)
    answer = replace(scene.persona, coat=coat)
    mesh = workshop.answer is Answer.MESH
    # Under the bent picture only eyes and mouth of this one are seen.
    fineness = 1.25 if mesh else 2.0
    truth = render(
        workshop.kit, answer, state, placement.astype(np.float32), behind, worn_by=scene.performer, supersample=fineness
    )
    right = truth.pixels
    if mesh:
        bent = _bent(workshop, scene.persona, state, points)
        if bent is None:
            return None
        right = lay_over(right, bent, warped[1])
    region, veil = (cv2.warpAffine(mask, matrix, size, flags=cv2.INTER_LINEAR) for mask in (drawn.region, hidden))
    return Sample(
        live=frame.crop(matrix, size).bgr(),
        warp=warped[0],
        truth=respond(right, scene.camera),
        cover=warped[1],
        region=np.minimum(np.asarray(region, np.uint8), truth.region),
        hidden=np.asarray(veil, np.uint8),
        inner=truth.inner,
        points=points,
        landmarks=transform(drawn.landmarks, matrix),
        facts=Facts(
            scene.performer.number,
            scene.persona.number,
            float(np.degrees(state.yaw)),
            gaze_of(workshop.kit.expressions, state.expression),
            follows,
        ),
    )


def _bent(workshop: Workshop, person: Identity, state: State, points: Floats) -> Bytes | None:
    """A persona in the performer's state, bent onto the performer's mesh; None where no mesh is found on it.

    Args:
        points: (468, 3) float32, the performer's mesh, pixels of the crop.

    Returns:
        (S, S, 3) uint8 BGR, plain skin where there is no mesh.
    """
    size = workshop.size
    side = _picture_side(size)
    placement = place(workshop.kit, person, state, side, size * 0.85)
    background = np.full((side, side, 3), _skin_level(person), np.uint8)
    bare = replace(person, coat=person.coat._replace(hairline=1.0))
    picture = render(workshop.kit, bare, state, placement, background, supersample=1.25)
    found = read_mesh(workshop.landmarks, Frame.from_bgr(picture.pixels), picture.landmarks)
    if not _credible(found, picture, size):
        return None
    pixels = np.full((size, size, 3), cv2.mean(picture.pixels, picture.region)[:3], np.uint8)
    source = np.clip(found.points[:, :2], 1, side - 3).astype(np.float32)
    order = painting_order(workshop.triangles, points)
    paint_picture(
        workshop.triangles,
        order,
        np.ascontiguousarray(points[:, :2]),
        np.ascontiguousarray(source),
        picture.pixels,
        pixels,
        np.zeros((size, size), np.uint8),
    )
    return pixels


def _skin_level(person: Identity) -> Floats:
    """A person's mean skin colour as a display shows it: (3,) levels, BGR."""
    return np.asarray(np.sqrt(np.clip(person.coat.flat[0], 0, 1)) * 255, np.float32)


def _credible(found: Landmarks, drawn: Picture, size: int) -> bool:
    if found.presence < _PRESENCE:
        return False
    corners = found.points[[33, 263, 4, 61, 291], :2] - drawn.landmarks[[36, 45, 30, 48, 54]]
    return float(np.linalg.norm(corners, axis=1).mean()) < _ASTRAY * size
