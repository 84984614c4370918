"""From the modes of a tile to what they say: pilots find the beginning, weigh the evidence, and the code is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from livefake.trust.watermark.carrier import TILE, Carrier, Complexes
from livefake.trust.watermark.code import CODED_BITS, Payload, decode

__all__ = ["PILOT_GATE", "PLACE_GATE", "VERSIONS", "beginnings", "evidence", "likeness", "message", "mixed"]

PILOT_GATE: Final = 6.0
"""Pilots must stand out by this many standard deviations anywhere before the code is looked at.

In an unmarked picture one position in 1e9 does, one of 65,536 positions in 15,000 attempts. A list of 16 messages,
read twice, fits a 24-bit check and the 4-bit version once in 8e6: a false reading comes up once in 1e11 attempts.
"""

PLACE_GATE: Final = 3.5
"""The same where the tile begins if the picture was neither cut nor moved: one position instead of 65,536.

In an unmarked picture one attempt in 4,300 gets that far, and a false reading comes up once in 4e10 attempts.
"""

VERSIONS: Final = frozenset({1})
"""Versions of the payload that are in use; a message of another one is not believed."""

_WEAKEST: Final = 0.02
_LOADING: Final = 0.03


def evidence(carrier: Carrier, waves: Complexes) -> Complexes:
    """Modes (N,) without the carrier's phases, every ring brought to power 1."""
    power = np.bincount(carrier.ring, np.square(np.abs(waves))) / np.bincount(carrier.ring)
    return np.asarray(waves / (np.sqrt(power)[carrier.ring] + 1e-9) * carrier.phases.conj(), np.complex128)


def likeness(carrier: Carrier, plain: Complexes) -> NDArray[np.float64]:
    """(TILE, TILE), for each place where the tile may begin: how far its pilots stand out, in standard deviations."""
    found = carrier.synthesise(plain[carrier.pilot], carrier.pilot)
    return found / (float(found.std()) + 1e-12)


def beginnings(found: NDArray[np.float64], usual: int | None = None) -> list[tuple[float, int, int]]:
    """Where a tile may begin, as (score, down, right); nowhere in most pictures without a mark.

    Args:
        found: ``likeness`` of the tile.
        usual: where it begins, pixels from the left, if the picture is as it was made; it needs to stand out less.
    """
    peak = int(found.argmax())
    places = [(float(found.flat[peak]), *divmod(peak, TILE))] if found.flat[peak] > PILOT_GATE else []
    if usual is not None and found[0, usual] > PLACE_GATE and (0, usual) not in [place[1:] for place in places]:
        places.append((float(found[0, usual]), 0, usual))
    return places


def message(carrier: Carrier, pieces: Complexes, down: int, right: int) -> Payload | None:
    """The message in a tile that begins ``down``, ``right`` pixels late.

    Args:
        carrier: public.
        pieces: (K, N) modes of that tile in pieces of time.
        down, right: where it begins.
    """
    turn = carrier.turned(down, right)
    for waves in _mixtures(carrier, pieces * turn):
        payload = _decode(carrier, evidence(carrier, waves))
        if payload is not None and payload.version in VERSIONS:
            return payload
    return None


def _mixtures(carrier: Carrier, pieces: Complexes) -> Iterator[Complexes]:
    """Ways to make one tile of several pieces, best first."""
    if len(pieces) > 1:
        yield mixed(carrier, pieces)
    yield pieces.sum(0)


def mixed(carrier: Carrier, pieces: Complexes) -> Complexes:
    """The sum of pieces in which the pilots stand out best against everything else: (N,).

    Capon's beamformer with time in the place of antennas: weights ``R^-1 g``, where ``g`` is each piece's gain on the
    pilots and ``R`` how the pieces resemble each other. A picture that stands still is alike in all pieces while the
    mark grows, so that early pieces are taken off the late ones.

    Args:
        carrier: public.
        pieces: (K, N) modes of a tile that begins at its beginning.
    """
    count, modes = pieces.shape
    power = np.bincount(carrier.ring, np.square(np.abs(pieces)).mean(0)) / np.bincount(carrier.ring)
    plain = pieces * carrier.phases.conj() / (np.sqrt(power)[carrier.ring] + 1e-9)
    alike = (plain @ plain.conj().T).real / modes
    alike += (_LOADING * np.trace(alike) / count + 1e-12) * np.eye(count)
    gains = plain[:, carrier.pilot].real.mean(1)
    return np.asarray(np.linalg.solve(alike, gains) @ pieces, np.complex128)


def _decode(carrier: Carrier, plain: Complexes) -> Payload | None:
    """What the modes of a tile say, each ring weighed as its pilots prove it."""
    real, pilots = plain.real, carrier.pilot
    known = np.bincount(carrier.ring[pilots], real[pilots], carrier.rings)
    gain = known / np.maximum(np.bincount(carrier.ring[pilots], minlength=carrier.rings), 1)
    gain = np.convolve(np.pad(gain, 1, "edge"), (0.25, 0.5, 0.25), "valid")
    gain = np.clip(gain, _WEAKEST, None)
    # Signal over noise power: the maximum-ratio weight.
    weight = (gain / np.maximum(1.0 - gain**2, 0.05))[carrier.ring]
    soft = np.bincount(carrier.bits, (weight * real)[carrier.data], CODED_BITS)
    return decode(np.asarray(soft, np.float64))
