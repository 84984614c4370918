"""The identity gate: is everybody in the footage the person who gave the grant? Pure logic; fails closed."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.errors import ConsentError
from livefake.faces.identity import SAME_PERSON
from livefake.frame import Floats
from livefake.training.footage.sightings import Sightings

__all__ = ["FRONTAL", "OTHER", "SURE", "appearances", "distances", "judge"]

OTHER: Final = SAME_PERSON
"""Distance from which a face is somebody else's."""
SURE: Final = 0.5
"""The median distance of an appearance has to be under this."""
FRONTAL: Final = 25.0
"""Turn in degrees up to which distances are judged by ``SURE``; turned heads lie farther from a frontal template."""
_JUMP: Final = 0.32
"""Distance of a frame's face from the one before, from which another appearance begins. On rendered footage with 30
frames a second 0.06 is usual and 0.30 the most within one appearance, and two people are 0.48 or more apart."""
_LEAST: Final = 3
"""Frames of an appearance that is judged; a shorter one is most often a blurred frame, and is not used."""
_STRANGE: Final = 0.62
"""Distance from which, in every frame of it, even a piece that is too short to be an appearance is somebody else's: two
spliced frames. A blurred frame of the right person stands alone, because it is as far from the next as from anybody;
two in a row that agree with each other do not come about so."""
_WINDOW: Final = 9
"""Frames whose median must never reach ``OTHER``, a third of a second."""


def distances(sightings: Sightings, template: Floats) -> Floats:
    """(N,) float32, how far each face is from the grant's template, (128,) float32."""
    return np.asarray(np.linalg.norm(sightings.embeddings - template, axis=1), np.float32)


def appearances(sightings: Sightings) -> list[NDArray[np.intp]]:
    """Rows of each unbroken appearance of one face: one track, cut where the face changes from frame to frame.

    Pieces that are too short to be judged and follow each other are one appearance: whoever flickers is judged too.
    """
    pieces: list[NDArray[np.intp]] = []
    short = False
    for piece in _unbroken(sightings):
        if len(piece) < _LEAST and short:
            pieces[-1] = np.concatenate([pieces[-1], piece])
        else:
            pieces.append(piece)
        short = len(piece) < _LEAST
    return pieces


def _unbroken(sightings: Sightings) -> list[NDArray[np.intp]]:
    """Rows of each stretch in which one face goes on from frame to frame, however short."""
    if not len(sightings):
        return []
    steps = np.linalg.norm(np.diff(sightings.embeddings, axis=0), axis=1)
    breaks = np.flatnonzero((np.diff(sightings.tracks) != 0) | (steps > _JUMP)) + 1
    return np.split(np.arange(len(sightings)), breaks)


def judge(file: str, sightings: Sightings, template: Floats) -> NDArray[np.bool_]:
    """Refuse footage that shows anybody but the person of the grant.

    An appearance is judged by its median, of its frontal frames where it has three, so that a blurred frame or a
    turned head does not refuse a person's own footage; somebody else's appearance of two frames does.

    Args:
        file: its name, for the sentence.
        sightings: all frames of the file with a face.
        template: (128,) float32, of the person who gave the grant.

    Returns:
        (N,) bool, which frames may be used: those of judged appearances that are near enough on their own too.

    Raises:
        ConsentError: somebody else is in the file, or two people are in one frame.
    """
    if len(crowded := np.flatnonzero(sightings.faces > 1)):
        raise ConsentError(
            f"Two faces are in {file} at {_clock(sightings.seconds[crowded[0]])}; footage may only show the person who"
            " gave the grant.",
            "Cut that part out and start again.",
        )
    away = distances(sightings, template)
    if not np.isfinite(away).all():
        raise ConsentError(f"The faces in {file} could not be compared with the grant's.", "Ask for a new grant.")
    facing = np.abs(sightings.turns).max(1, initial=0) <= FRONTAL
    allowed = away < np.where(facing, SURE + (OTHER - SURE) / 2, OTHER)
    for rows in _unbroken(sightings):
        if len(rows) >= 2 and away[rows].min() >= _STRANGE:
            raise _somebody_else(file, sightings.seconds[rows[0]])
    pieces = appearances(sightings)
    alone = len(sightings) < _LEAST
    for rows in pieces:
        if len(rows) < _LEAST and not alone:
            # Pieces of less than a tenth of a second are not judged, so they are not used.
            allowed[rows] = False
            continue
        front = rows[facing[rows]]
        judged, limit = (front, SURE) if len(front) >= min(_LEAST, len(rows)) else (rows, OTHER)
        if np.median(away[judged]) >= limit:
            raise _somebody_else(file, sightings.seconds[judged[0]])
        if (over := _over(away[rows])) is not None:
            raise _somebody_else(file, sightings.seconds[rows[over]])
    return allowed


def _over(away: Floats) -> int | None:
    """The first place where the median of ``_WINDOW`` frames reaches ``OTHER``."""
    if len(away) < _WINDOW:
        return None
    medians = np.median(np.lib.stride_tricks.sliding_window_view(away, _WINDOW), axis=1)
    places = np.flatnonzero(medians >= OTHER)
    return int(places[0]) if len(places) else None


def _somebody_else(file: str, seconds: float) -> ConsentError:
    return ConsentError(
        f"Somebody else is in {file} at {_clock(seconds)}: the face there is not the one of the grant.",
        "Cut that part out, or name the right grant with --grant.",
    )


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
