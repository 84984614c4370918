"""How well the invisible mark survives, what it costs, and how often it is seen where there is none.

    python -m benchmarks.watermark --out out/watermark

Takes about 25 minutes of one core. Every result is written to results.jsonl in that folder as soon as it is there, so
that a run that was stopped goes on where it was; table.md and summary.json are made from all of them. The mark counts
as recovered only if all 64 bits are right. With ``--share 1/2`` and ``--share 2/2`` two runs share the work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from rich.console import Console

from benchmarks.watermark_attacks import ATTACKS, RATE
from benchmarks.watermark_covers import Clip, covers
from benchmarks.watermark_drawn import field, studio_range
from benchmarks.watermark_false import false_trials, searched, tiles_of
from benchmarks.watermark_report import summary, tables
from benchmarks.watermark_trials import PAYLOAD, marked, quality, recover, recover_stills
from livefake.cli.tools import open_studio, settings
from livefake.machine import describe_machine
from livefake.studio import Studio
from livefake.trust.watermark.carrier import Carrier
from livefake.trust.watermark.code import encode
from livefake.trust.watermark.embed import Embedder

__all__ = ["main"]

Record = dict[str, Any]

_TRIALS_A_RUN: Final = 5_000
_WEAK_SHARE: Final = 10


def main() -> None:
    """Run what is missing, then print the table."""
    options = _options()
    cv2.setNumThreads(1)
    console = Console(stderr=True)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    results = out / f"results{options.share.replace('/', 'of') if options.share != '1/1' else ''}.jsonl"
    stamp = _stamp(options)
    done = _all(out, stamp)
    studio = open_studio(console, settings())
    with results.open("a", encoding="utf-8") as file:
        for record in _work(studio, options, done):
            record["stamp"] = stamp
            file.write(json.dumps(record) + "\n")
            file.flush()
            console.print(_line(record))
    found = summary(_all(out, stamp)) | {"machine": describe_machine(), "embed_cpu_ms": _embed_cost(options.psnr)}
    (out / "summary.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    text = tables(found) + f"Embedding, cpu: {found['embed_cpu_ms']}\n"
    (out / "table.md").write_text(text, "utf-8")
    sys.stdout.write(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4, help="length of each cover")
    parser.add_argument("--psnr", type=float, default=44.0, help="strength of the mark, in decibels")
    parser.add_argument("--trials", type=int, default=100_000, help="looks for a false reading")
    parser.add_argument("--attacks", nargs="+", choices=list(ATTACKS), default=list(ATTACKS), metavar="NAME")
    parser.add_argument("--only", choices=("covers", "trials"), help="one half of the work")
    parser.add_argument("--share", default="1/1", help="which part of the work, as N/OF")
    parser.add_argument("--out", type=Path, default=Path("out/watermark"))
    return parser.parse_args()


def _stamp(options: argparse.Namespace) -> str:
    """Results of another mark, or of other clips, do not count."""
    tile = Carrier().tile(encode(PAYLOAD))
    return hashlib.sha256(tile.tobytes() + f"{options.seconds} {options.psnr}".encode()).hexdigest()[:12]


def _all(folder: Path, stamp: str) -> list[Record]:
    """What every run so far, shared or alone, has found out about this mark."""
    return [one for path in sorted(folder.glob("results*.jsonl")) for one in _read(path) if one["stamp"] == stamp]


def _read(path: Path) -> list[Record]:
    """Whole lines of an earlier run."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def _work(studio: Studio, options: argparse.Namespace, done: list[Record]) -> Iterator[Record]:
    """Everything that is not done: recovery cover by cover, then looks for false readings."""
    had = {(record["part"], record["cover"], record.get("attack", "")) for record in done}
    part, of = (int(number) for number in options.share.split("/"))
    if options.only != "trials":
        for name in list(covers())[part - 1 :: of]:
            yield from _cover(studio, options, name, had)
    if options.only != "covers":
        tiles = np.concatenate([np.load(path) for path in sorted(options.out.glob("tiles-*.npy"))])
        weak = _TRIALS_A_RUN // _WEAK_SHARE
        for run in range(part - 1, options.trials // _TRIALS_A_RUN, of):
            if ("false", f"run {run}", "") not in had:
                counts = false_trials(tiles, _TRIALS_A_RUN - weak, weak, seed=run)
                yield {"part": "false", "cover": f"run {run}", "counts": counts, "tiles": len(tiles)}


def _cover(studio: Studio, options: argparse.Namespace, name: str, had: set[tuple[str, str, str]]) -> Iterator[Record]:
    """What is not done with one cover, which is made once and forgotten."""
    kinds = [*(("attack", attack) for attack in options.attacks), ("cover", ""), ("stills", ""), ("searched", "")]
    missing = [(kind, attack) for kind, attack in kinds if (kind, name, attack) not in had]
    tiles = options.out / f"tiles-{name}.npy"
    if not missing and tiles.exists():
        return
    started = time.process_time()
    clip: Clip = covers()[name](studio, options.seconds * RATE)
    if not tiles.exists():
        coded = ATTACKS["H.264 at 1 Mb/s"].change(clip[:RATE])
        carrier = Carrier()
        both = np.concatenate([tiles_of(clip, carrier), tiles_of(coded, carrier)])
        np.save(tiles, both.astype(np.complex64))
    copies = marked(clip, options.psnr)
    for kind, attack in missing:
        yield {"part": kind, "cover": name} | _one(kind, attack, clip, copies)
    yield {"part": "time", "cover": name, "seconds": round(time.process_time() - started, 1)}


def _one(kind: str, attack: str, clip: Clip, copies: Clip) -> Record:
    match kind:
        case "attack":
            return {"attack": attack} | recover(copies, ATTACKS[attack])
        case "cover":
            return {"quality": quality(clip, copies)}
        case "stills":
            return {"windows": recover_stills(copies)}
        case _:
            return searched(clip)


def _line(record: Record) -> str:
    """What is shown while it runs."""
    rest = {key: value for key, value in record.items() if key not in {"part", "cover", "stamp"}}
    return f"{record['part']}: {record['cover']} {json.dumps(rest)}"


def _embed_cost(psnr_db: float, rounds: int = 100) -> dict[str, float]:
    """Process cpu milliseconds of one mark by picture size, the best of five runs."""
    result = {}
    for width, height in ((640, 360), (1280, 720), (1920, 1080)):
        luma = studio_range(125 + 30 * field(np.random.default_rng(1), 4, height, width))
        embedder = Embedder(PAYLOAD, psnr_db)
        embedder.mark(luma)
        costs = []
        for _ in range(5):
            start = time.process_time_ns()
            for _ in range(rounds):
                embedder.mark(luma)
            costs.append((time.process_time_ns() - start) / rounds / 1e6)
        result[f"{width}x{height}"] = round(min(costs), 3)
    return result


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
