"""One cover, one attack: is the mark read, from one second, from two, from four?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from benchmarks.watermark_attacks import Attack, luma_of
from benchmarks.watermark_covers import Clip
from livefake.frame import Bytes
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.detect import Detector
from livefake.trust.watermark.embed import Embedder

__all__ = ["PAYLOAD", "STILLS", "marked", "quality", "recover", "recover_stills"]

PAYLOAD: Final = Payload(version=1, issuer=0x5EED, session=0x9_8765_4321)

STILLS: Final = ("PNG", "JPEG 90", "JPEG 75", "JPEG 50", "360 lines, JPEG 75")
"""What a single picture is stored as."""

_SECONDS: Final = (1, 2, 4)
_OF_EACH_CLIP: Final = 4
"""Stills looked at of each cover."""


def marked(clip: Clip, psnr_db: float) -> Clip:
    """A marked copy."""
    embedder, copies = Embedder(PAYLOAD, psnr_db), [picture.copy() for picture in clip]
    for picture in copies:
        embedder.mark(luma_of(picture))
    return copies


def quality(clip: Clip, copies: Clip) -> dict[str, float]:
    """Mean PSNR of luma, in decibels, and the change's deviation, in levels."""
    pairs = [(luma_of(a), luma_of(b)) for a, b in zip(clip, copies, strict=True)][::10]
    changes = [float(np.std(b.astype(np.int16) - a)) for a, b in pairs]
    return {"psnr_db": round(float(np.mean([cv2.PSNR(a, b) for a, b in pairs])), 2), "levels": float(np.mean(changes))}


def recover(copies: Clip, attack: Attack) -> dict[str, Any]:
    """Attack a marked clip and read it.

    Windows of one length follow each other without overlap. Every second is whitened once; longer windows are put
    together from its pieces, as a reader of a long clip does. A search takes seconds: there only the first
    window of each length is read, while the codec is still drawing the picture in.

    Returns:
        Per window length in seconds a list of 1 (all 64 bits are right), 0 (nothing was read) and -1 (something else
        was read); the longest reading's cpu seconds.
    """
    clip = attack.change(copies)
    each = [gathered(clip[start : start + attack.rate]) for start in range(0, len(clip), attack.rate)]
    results: dict[str, list[int]] = {}
    slowest = 0.0
    for length in (length for length in _SECONDS if length <= len(each)):
        spans = [each[start : start + length] for start in range(0, len(each) - length + 1, length)]
        if attack.search:
            spans = spans[:1]
        results[str(length)] = []
        for span in spans:
            started = time.process_time()
            results[str(length)].append(outcome(together(span), search=attack.search))
            slowest = max(slowest, time.process_time() - started)
    return {"windows": results, "slowest_read_s": round(slowest, 2)}


def recover_stills(copies: Clip) -> dict[str, list[int]]:
    """Read single pictures, stored in several ways."""
    results: dict[str, list[int]] = {kind: [] for kind in STILLS}
    for picture in copies[:: len(copies) // _OF_EACH_CLIP][:_OF_EACH_CLIP]:
        for kind in STILLS:
            results[kind].append(outcome(gathered_luma([_stored(luma_of(picture), kind)]), search=False))
    return results


def gathered(clip: Clip) -> Detector:
    """A detector that has seen a clip."""
    return gathered_luma([luma_of(picture) for picture in clip])


def gathered_luma(pictures: Sequence[Bytes]) -> Detector:
    """A detector that has seen these pictures."""
    detector = Detector()
    for picture in pictures:
        detector.add(picture)
    return detector


def together(detectors: Sequence[Detector]) -> Detector:
    """One detector with what several gathered."""
    whole = Detector()
    for detector in detectors:
        whole.absorb(detector)
    return whole


def outcome(detector: Detector, *, search: bool) -> int:
    """1 for the right payload, 0 for none, -1 for another."""
    payload = detector.read(search=search).payload
    return 0 if payload is None else 1 if payload == PAYLOAD else -1


def _stored(luma: Bytes, kind: str) -> Bytes:
    if kind == "PNG":
        return luma
    if kind.startswith("360"):
        luma = np.asarray(cv2.resize(luma, (640, 360), interpolation=cv2.INTER_AREA), np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, int(kind.rsplit(maxsplit=1)[-1])]
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", luma, options)[1], cv2.IMREAD_GRAYSCALE), np.uint8)
