"""Whose face comes out: the rules by which a persona's pictures are compared with everybody who gave a grant. Pure.

What a pack or a model says of itself proves nothing: a network carries a person without any photograph of them. So the
faces that come out are looked at instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from livefake.errors import ConsentError
from livefake.faces.identity import SAME_PERSON
from livefake.frame import Floats

__all__ = ["LIKE", "Verdict", "compare", "judge"]

LIKE: Final = 0.52
"""Median distance to a grant's template under which the faces that come out are that person's.

Measured on five of the personas that come with livefake, worn by six performers each, with the swap network and
without: 0.26 to 0.45 to the persona's own picture, 0.56 and more to any other's.
"""
_AGREE: Final = 0.75
"""Share of the pictures that must show a face, and share of the faces that must be within ``SAME_PERSON``."""
_OTHERS: Final = "Choose another persona."


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose face comes out.

    Attributes:
        grant: id of the grant it was allowed under; None for nobody's face.
        distances: median distance of the faces to each grant's template, by id.
        faces: how many faces were compared.
    """

    grant: str | None
    distances: Mapping[str, float]
    faces: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "distances", MappingProxyType(dict(self.distances)))


def compare(embeddings: Floats, templates: Mapping[str, Floats]) -> dict[str, float]:
    """Median distance of faces to each template.

    Args:
        embeddings: (N, 128) float32, N >= 1.
        templates: (128,) float32 each, by the id of their grant.
    """
    return {
        id: float(np.median(np.linalg.norm(embeddings.astype(np.float64) - face, axis=1)))
        for id, face in templates.items()
    }


def judge(
    title: str, *, grant: str | None, embeddings: Floats, pictures: int, templates: Mapping[str, Floats]
) -> Verdict:
    """Decide whether a persona is who it says it is.

    Args:
        title: of the persona, for the sentence.
        grant: id of the grant that it names; None where it says that it is nobody's face.
        embeddings: (N, 128) float32, of the faces that came out.
        pictures: how many pictures each should have shown a face.
        templates: (128,) float32 of every grant that was not revoked, by id.

    Returns:
        The verdict; only who is allowed gets one.

    Raises:
        ConsentError: too few faces came out, they are no numbers, they are not the person's of the grant or another
            grant is nearer, or nobody's face is somebody's.
    """
    if not len(embeddings) or len(embeddings) < _AGREE * pictures:
        raise ConsentError(
            f"A face was expected in all {pictures} pictures that {title} was tried on, {len(embeddings)} show one; so "
            "nobody can tell whose it is.",
            _OTHERS,
        )
    if not np.isfinite(embeddings).all():
        raise ConsentError(f"The faces that come out of {title} cannot be compared with anybody's.", _OTHERS)
    distances = compare(embeddings, templates)
    verdict = Verdict(grant, distances, len(embeddings))
    near = min(distances, key=lambda id: (distances[id], id != grant), default=None)
    if grant is None:
        # Written so that NaN, from a damaged template, refuses too.
        if near is not None and not all(away >= LIKE for away in distances.values()):
            raise ConsentError(
                f"{title} says that it is nobody's face, but its face is that of grant {near} "
                f"({distances[near]:.2f} away, {LIKE} is the limit).",
                f"A real person's face is worn under a grant: livefake personas add FILE --grant {near}",
            )
        return verdict
    if grant not in templates:
        raise ConsentError(f"There is no face to compare {title} with: the template of grant {grant} is gone.", _OTHERS)
    own = np.linalg.norm(embeddings.astype(np.float64) - templates[grant], axis=1)
    if not distances[grant] < LIKE or not np.mean(own < SAME_PERSON) >= _AGREE:
        raise ConsentError(
            f"The face that comes out of {title} is not the one of grant {grant}: {distances[grant]:.2f} away, "
            f"{LIKE} is the limit.",
            "Name the grant of the person whose face it is.",
        )
    if near != grant:
        raise ConsentError(
            f"The face that comes out of {title} is nearer to grant {near} ({distances[near or '']:.2f}) than to its "
            f"own, {grant} ({distances[grant]:.2f}).",
            "Name the grant of the person whose face it is.",
        )
    return verdict
