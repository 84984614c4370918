"""Marked clips made of the demo footage, as a session would leave them, and the ledger entries that go with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from livefake.frame import Bytes
from livefake.trust.fingerprint import fingerprint
from livefake.trust.keys import installation_key
from livefake.trust.ledger import Ledger, Segment
from livefake.trust.records import segment_fields
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.embed import Embedder
from tests.footage import footage

RATE = 30


def pictures(count: int, payload: Payload | None = None) -> list[Bytes]:
    """Luma of the first frames of the demo clip, marked or not."""
    lumas = [np.ascontiguousarray(frame.y) for frame in footage(count)]
    if payload is not None:
        embedder = Embedder(payload)
        for luma in lumas:
            embedder.mark(luma)
    return lumas


def write_clip(path: Path, lumas: Sequence[Bytes], *, bits: int = 2_000_000) -> Path:
    """A clip of these pictures in grey, H.264."""
    height, width = lumas[0].shape
    grey = np.full((height // 2, width), 128, np.uint8)
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("libx264", rate=RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", bits
        for luma in lumas:
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(np.concatenate([luma, grey]), "yuv420p")))
        sink.mux(stream.encode(None))
    return path


def note_session(
    data: Path, number: int, lumas: Sequence[Bytes], *, at: float, grant: str | None = None
) -> Ed25519PrivateKey:
    """Have an installation's ledger say that it showed these pictures, one fingerprint a second; its key."""
    key = installation_key(data)
    ledger = Ledger(data, key, time_of_day=lambda: at)
    kind = "fictional" if grant is None else "person"
    prints = tuple(fingerprint(luma) for luma in lumas[::RATE])
    ledger.append("session-start", {"session": number, "persona_kind": kind, "grant": grant, "output": "live"})
    segment = Segment(at, at + len(lumas) / RATE, prints, len(lumas), 0, grant)
    ledger.append("segment", segment_fields(number, segment))
    ledger.append("session-end", {"session": number})
    return key
