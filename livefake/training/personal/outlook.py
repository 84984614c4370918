"""The plan for one person's footage on this machine and on three rented ones, after a few seconds of measuring."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch

from livefake.clock import Clock, seconds
from livefake.errors import BadMedia
from livefake.faces.geometry import eye_middles, square_crop, transform
from livefake.faces.landmarks import crop_for_box
from livefake.frame import Frame
from livefake.resources import models_folder
from livefake.swap.mesh import MeshSwapper, face_triangles
from livefake.swap.persona import Persona, list_personas, load_persona
from livefake.training.footage.extract import Eyes
from livefake.training.footage.sources import FASTEST, frames_in, list_footage, read_frames
from livefake.training.footage.takes import EMBEDDING, MARGIN, SIZE, Take
from livefake.training.nets import count_flops, count_parameters
from livefake.training.personal.plan import GPUS, Plan, Speeds, Work, make_plan
from livefake.training.personal.samples import sample_scene, take_example
from livefake.training.personal.speeds import kept_bytes, teachers_weights, this_cpu, time_of
from livefake.training.personal.weights import read_network
from livefake.training.trainer import fast_type

__all__ = ["footage_seconds", "look_ahead", "quickest"]

_SIDE: Final = 256
_GUIDES: Final = 3
_FRAMES: Final = 8
_FACES: Final = 4


def footage_seconds(places: Sequence[Path], *, clock: Clock) -> float:
    """Seconds of footage, a picture counting as one frame; files that cannot be read count nothing.

    Raises:
        BadInput: there is no footage.
    """
    frames = 0
    for path in list_footage(places):
        try:
            frames += frames_in(path, clock=clock)
        except BadMedia:
            continue
    return max(frames, 1) / FASTEST


def quickest(start: Path, most: int, *, clock: Clock) -> int:
    """How many threads train fastest here: one, or as many as there may be.

    Threads wait for each other at every layer, so on cores that other programs use too, one alone can be a hundred
    times as fast as two.

    Args:
        start: the general network.
        most: threads that there may be.
        clock: monotonic.

    Raises:
        BadInput: the network cannot be used.
    """
    if most == 1:
        return 1
    net = read_network(start)
    return max((1, most), key=lambda threads: this_cpu(net, clock, threads=threads, budget=1.0).speed)


def look_ahead(
    places: Sequence[Path], start: Path, eyes: Eyes, *, batch: int, steps: int, threads: int, clock: Clock
) -> list[Plan]:
    """What a persona of this footage costs, here and on three GPUs.

    Args:
        places: the footage.
        start: the general network.
        eyes: what footage is looked at with.
        batch, steps: of fine-tuning.
        threads: that fine-tuning may use.
        clock: monotonic.

    Returns:
        This processor's plan first.

    Raises:
        BadInput: there is no footage, or the network cannot be used.
    """
    net = read_network(start)
    work = Work(
        footage=footage_seconds(places, clock=clock),
        looks=FASTEST,
        guides=_GUIDES,
        weights=count_parameters(net),
        teachers=teachers_weights(),
        flops=count_flops(net, _SIDE),
        kept=kept_bytes(net, _SIDE, short=fast_type(torch.device("cpu")) is not None),
        side=_SIDE,
        batch=batch,
        steps=steps,
    )
    speeds = _speeds(places, eyes, clock)
    return [make_plan(work, speeds, machine) for machine in (this_cpu(net, clock, threads=threads), *GPUS)]


def _speeds(places: Sequence[Path], eyes: Eyes, clock: Clock) -> Speeds:
    """Seconds of one core, measured on the footage's first frames and on a persona that comes with livefake."""
    triangles = face_triangles()
    persona = load_persona(list_personas(models_folder() / "personas")[0])
    shot = _as_take(persona)
    swapper = MeshSwapper(persona, triangles)
    faces = [(shot.picture, shot.points)] * _FACES
    return Speeds(
        look=_look(list_footage(places), eyes, clock),
        embed=time_of(lambda: eyes.embed(faces), clock, budget=0.5) / _FACES,
        example=time_of(
            lambda: take_example(
                shot, swapper, _SIDE, sample_scene(np.random.default_rng(0)), np.random.default_rng(0)
            ),
            clock,
            budget=0.5,
        ),
    )


def _look(files: Sequence[Path], eyes: Eyes, clock: Clock) -> float:
    """To decode a frame, find a face and read its mesh, on the first file that can be read."""
    for path in files:
        try:
            frames = read_frames(path, clock=clock)
            first = next(frames, None)
            if first is None:
                continue
            _see(first[1], eyes)
            begun, count = clock(), 0
            for _, frame in islice(frames, _FRAMES):
                _see(frame, eyes)
                count += 1
        except BadMedia:
            continue
        if count:
            return seconds(clock() - begun) / count
        return time_of(partial(_see, first[1], eyes), clock, budget=0.5)
    return 0.0


def _see(frame: Frame, eyes: Eyes) -> None:
    found = eyes.detector(frame)
    if found:
        eyes.landmarks(frame, crop_for_box(found[0].box, (found[0].points[0], found[0].points[1])))


def _as_take(persona: Persona) -> Take:
    """A persona's own picture as if it were footage."""
    frame, points = Frame.from_bgr(persona.picture), persona.points
    matrix = square_crop(points, eye_middles(points), SIZE, MARGIN)
    return Take(
        picture=frame.crop(matrix, (SIZE, SIZE)).bgr(),
        points=transform(points, matrix),
        file="",
        seconds=0.0,
        yaw=0.0,
        pitch=0.0,
        sharpness=0.0,
        open_mouth=0.0,
        embedding=np.zeros(EMBEDDING, np.float32),
    )
