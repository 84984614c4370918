"""What the ledger costs: processor time for a second of a session, and how long a check takes.

    python -m benchmarks.ledger [--folder FOLDER] [--json FILE]

The demo clip is marked as a live session marks it; its pictures are fingerprinted once a second of the clip, and the
segments are written to a ledger in a folder of this run's own. The folder decides how long an entry takes: it should
lie on the disk in question.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from livefake.clock import milliseconds, monotonic
from livefake.frame import Bytes, Frame
from livefake.machine import describe_machine
from livefake.media.file import FileReader
from livefake.resources import models_folder
from livefake.trust.fingerprint import apart, fingerprint
from livefake.trust.ledger import Ledger
from livefake.trust.records import Segment, segment_fields
from livefake.trust.watermark.code import Payload
from livefake.trust.watermark.embed import Embedder

_SEGMENTS: Final = 200
_RUNS: Final = 300
_SPAN: Final = 10
_RATE: Final = 30


def main() -> None:
    """Measure, print, and write JSON where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="folder on the disk in question; the system's temporary one else")
    parser.add_argument("--json", type=Path, help="write the result there too")
    chosen = parser.parse_args()
    cv2.setNumThreads(1)
    clip = _clip()
    folder = Path(tempfile.mkdtemp(dir=chosen.folder))
    try:
        measured = {**_prints(clip), **_entries(folder)}
    finally:
        shutil.rmtree(folder)
    measured["cpu_ms_a_second"] = round(measured["print_cpu_ms"] + measured["entry_cpu_ms"] / _SPAN, 3)
    result = {"machine": describe_machine(), **measured}
    print(json.dumps(result, indent=2))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")


def _clip() -> list[Bytes]:
    """The luma of the demo clip's pictures, marked."""
    embedder = Embedder(Payload(version=1, issuer=0x5EED, session=7), 44.0)
    pictures = []
    with FileReader(models_folder() / "demo" / "performer.mp4", clock=monotonic) as reader:
        for item in reader:
            if isinstance(item, Frame):
                luma = item.y.copy()
                embedder.mark(luma)
                pictures.append(luma)
    return pictures


def _prints(clip: Sequence[Bytes]) -> dict[str, float]:
    """What a fingerprint costs, and how near the pictures of a second are to their print."""
    known = [fingerprint(picture) for picture in clip[::_RATE]]
    near = [min(apart(fingerprint(picture), one) for one in known) for picture in clip]
    cpu, _ = _timed(lambda: fingerprint(clip[0]), _RUNS)
    return {"print_cpu_ms": cpu, "nearest_print_p95": float(np.percentile(near, 95)), "nearest_print_max": max(near)}


def _entries(folder: Path) -> dict[str, float]:
    """What an entry of ten seconds costs to write and to check."""
    ledger = Ledger(folder, Ed25519PrivateKey.generate())
    prints = tuple(range(1 << 63, (1 << 63) + _SPAN))
    fields = segment_fields(7, Segment(0, _SPAN, prints, _SPAN * _RATE, 0, "0123456789abcdef"))
    ledger.append("segment", fields)
    cpu, wall = _timed(lambda: ledger.append("segment", fields), _SEGMENTS)
    check, _ = _timed(ledger.verify, 1)
    size = ledger.path.stat().st_size
    return {
        "entry_cpu_ms": cpu,
        "entry_wall_ms": wall,
        "entry_bytes": round(size / (_SEGMENTS + 1)),
        "check_cpu_ms_an_entry": round(check / (_SEGMENTS + 1), 3),
    }


def _timed(act: Callable[[], object], runs: int) -> tuple[float, float]:
    """Milliseconds of processor time and of the clock on the wall, each for one run."""
    cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
    for _ in range(runs):
        act()
    spent = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
    return round(milliseconds(spent[0]) / runs, 3), round(milliseconds(spent[1]) / runs, 3)


if __name__ == "__main__":
    main()
