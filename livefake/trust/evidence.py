"""What is known about a file before it is judged: what was seen, what was recorded, and how near the two come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from livefake.trust.consent import Grant
from livefake.trust.fingerprint import LIKELY
from livefake.trust.ledger import SessionRecord
from livefake.trust.provenance import Provenance
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.detect import Reading

__all__ = ["Evidence", "Held", "Look", "Match", "chosen_payload", "compare"]

_STRAIGHT: Final = 0.02


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen in one place of a clip, or in a still.

    Attributes:
        seconds: where the place begins, from the beginning of the clip.
        reading: of its mark.
        prints: fingerprints of pictures there.
        mirrored: of the same pictures, turned left to right.
    """

    seconds: float
    reading: Reading
    prints: tuple[int, ...] = ()
    mirrored: tuple[int, ...] = ()

    @property
    def straight(self) -> bool:
        """Whether the mark lies as it was put in: the picture was not cut, scaled or turned since."""
        return abs(self.reading.scale - 1) < _STRAIGHT and not self.reading.rotation


@dataclass(frozen=True, slots=True)
class Held:
    """What is left of a grant.

    Attributes:
        grant: as it was signed; None where it is no longer here, or is damaged.
        revoked_at: when it was taken back, seconds since 1970 UTC; None when it was not.
    """

    grant: Grant | None
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that is known about a file.

    Attributes:
        looks: what was seen, in order.
        own: number of this installation as an issuer.
        issuers: names of other issuers that are known here, by number.
        record: what this installation's ledger has about the session that the mark names.
        unread: why the ledger could not be asked; empty where it could, or need not be.
        grants: what is left of the grants that the record names, by id.
        provenance: what the manifest of the file says.
    """

    looks: tuple[Look, ...]
    own: int
    issuers: Mapping[int, str]
    provenance: Provenance
    record: SessionRecord | None = None
    unread: str = ""
    grants: Mapping[str, Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """How near a file comes to what was recorded.

    Attributes:
        distance: bits of 64 in which the nearest fingerprint differs.
        fitting: places that are near enough.
        compared: places that could be compared.
        at: when the nearest was shown, seconds since 1970 UTC.
        grant: id of the grant that it was shown under; None for a fictional persona.
    """

    distance: int
    fitting: int
    compared: int
    at: float
    grant: str | None

    @property
    def fits(self) -> bool:
        """Whether every place is near enough."""
        return self.fitting == self.compared


def chosen_payload(looks: Sequence[Look]) -> Payload | None:
    """What most of the places say that carry a mark; the first of them where several do equally."""
    votes = Counter(look.reading.payload for look in looks if look.reading.payload is not None)
    return votes.most_common(1)[0][0] if votes else None


def compare(marked: Sequence[Look], record: SessionRecord) -> Match | None:
    """The nearest of what was recorded, for each place; None where there is nothing to compare."""
    recorded = [
        (print, segment.start + (index + 0.5) * (segment.end - segment.start) / len(segment.prints), segment.grant)
        for segment in record.segments
        for index, print in enumerate(segment.prints)
    ]
    seen = [set(look.mirrored if look.reading.flipped else look.prints) for look in marked]
    seen = [prints for prints in seen if prints]
    if not recorded or not seen:
        return None
    # All at once: a session of hours has tens of thousands of fingerprints.
    known = np.array([print for print, _, _ in recorded], np.uint64)
    apart = [np.bitwise_count(known[:, None] ^ np.array(sorted(prints), np.uint64)).min(1) for prints in seen]
    nearest = [int(distances.min()) for distances in apart]
    best = min(range(len(nearest)), key=nearest.__getitem__)
    _, at, grant = recorded[int(apart[best].argmin())]
    return Match(nearest[best], sum(distance <= LIKELY for distance in nearest), len(nearest), at, grant)
