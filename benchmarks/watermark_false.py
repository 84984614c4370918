"""How often something is read that is not there.

A trial is one look at the modes of a tile, straight and mirrored, through everything that a reading goes through:
pilots anywhere, pilots at the usual place, evidence, list decoding, check sum, version. Three kinds:

``unmarked``: the sum of a random choice of tiles, each moved at random, out of pictures without a mark (every cover,
as made and through H.264). ``weak``: such a sum with a tile of a random payload added so faintly that it is
unreadable or barely readable; reading anything but that payload counts as false. The covers are also read whole,
with search, which is counted apart.
"""

from __future__ import annotations

import math
import time
from typing import Any, Final

import numpy as np

from benchmarks.watermark_attacks import luma_of
from benchmarks.watermark_covers import Clip
from benchmarks.watermark_trials import gathered
from livefake.trust.watermark.carrier import TILE, Carrier, Complexes
from livefake.trust.watermark.code import Payload, encode
from livefake.trust.watermark.combine import PILOT_GATE, PLACE_GATE, beginnings, evidence, likeness, message
from livefake.trust.watermark.gather import whitened

__all__ = ["false_trials", "modelled", "searched", "tiles_of"]

_SEARCHED: Final = 30
_PIECES: Final = 3
_FAINT: Final = (0.02, 0.3)
_ROOTS: Final = np.exp(2j * np.pi * np.arange(TILE) / TILE)


def modelled() -> dict[str, float]:
    """Chances of a false reading in theory: independent normal deviates at every place."""

    def beyond(deviations: float) -> float:
        return math.erfc(deviations / math.sqrt(2)) / 2

    # 16 messages, read from two mixtures, against 24 bits of check and 4 of version.
    message_fits = 2 * 16 / 2**28
    anywhere, usual = TILE * TILE * beyond(PILOT_GATE), beyond(PLACE_GATE)
    return {
        "gate_anywhere": anywhere,
        "gate_usual_place": usual,
        "false_reading_a_look": (anywhere + usual) * message_fits,
        "false_reading_with_pilots": message_fits,
    }


def tiles_of(clip: Clip, carrier: Carrier) -> Complexes:
    """(T, N) modes of the tiles of some frames and sums of frames of a clip without a mark."""
    found = []
    for start, count in ((0, 1), (5, 3), (20, 6)):
        total = np.sum([whitened(luma_of(picture)) for picture in clip[start : start + count]], 0)
        height, width = total.shape
        rows, columns = range(0, height - TILE + 1, TILE // 2), range(0, width - TILE + 1, TILE // 2)
        found += [carrier.analyse(total[y : y + TILE, x : x + TILE]) for y in rows for x in columns]
    return np.stack(found)


def searched(clip: Clip) -> dict[str, Any]:
    """Read one second without a mark, with search.

    Returns:
        Whether something was read, the best score, cpu seconds of the reading.
    """
    detector = gathered(clip[:_SEARCHED])
    started = time.process_time()
    reading = detector.read(search=True)
    return {"present": reading.present, "score": reading.score, "seconds": round(time.process_time() - started, 2)}


def false_trials(tiles: Complexes, unmarked: int, weak: int, *, seed: int) -> dict[str, float]:
    """Run trials.

    Args:
        tiles: (T, N) modes of tiles without a mark.
        unmarked, weak: trials of each kind.
        seed: of the choices.

    Returns:
        Counts: trials and false readings of each kind, looks that passed a gate, weak marks that were read right.
    """
    carrier, rng = Carrier(), np.random.default_rng(seed)
    counts = {"unmarked": 0, "unmarked_false": 0, "gates_passed": 0, "weak": 0, "weak_false": 0, "weak_read": 0}
    for trial in range(unmarked + weak):
        pieces = np.stack([_pile(carrier, tiles, rng) for _ in range(_PIECES)])
        expected: Payload | None = None
        if trial >= unmarked:
            expected = Payload(1, int(rng.integers(1 << 24)), int(rng.integers(1 << 36)))
            pieces += rng.uniform(*_FAINT) * _mark(carrier, expected) * np.abs(pieces).mean()
        kind = "unmarked" if expected is None else "weak"
        counts[kind] += 1
        for flipped in (False, True):
            turned = carrier.mirrored(pieces) if flipped else pieces
            places = beginnings(likeness(carrier, evidence(carrier, turned.sum(0))), 0)
            counts["gates_passed"] += kind == "unmarked" and bool(places)
            for _, down, right in places:
                payload = message(carrier, turned, down, right)
                counts[f"{kind}_false"] += payload is not None and payload != expected
                counts["weak_read"] += payload is not None and payload == expected
    return dict(counts)


def _pile(carrier: Carrier, tiles: Complexes, rng: np.random.Generator) -> Complexes:
    """Some tiles, each moved at random, in one."""
    chosen = tiles[rng.integers(0, len(tiles), rng.integers(1, 9))]
    down, right = rng.integers(0, TILE, (2, len(chosen), 1))
    turn = _ROOTS[(carrier.rows * down + carrier.columns * right) % TILE]
    return np.asarray((chosen * turn).sum(0), np.complex128)


def _mark(carrier: Carrier, payload: Payload) -> Complexes:
    """The modes of a marked tile, of mean size 1."""
    waves = carrier.analyse(carrier.tile(encode(payload)))
    return np.asarray(waves / np.abs(waves).mean(), np.complex128)
