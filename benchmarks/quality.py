"""How good the swap is: mesh warp against network, on people that no training has seen.

    python -m benchmarks.quality --pairs FOLDER --out out/quality

Rendered pairs of held-out people have an exact answer; the built-in clip and a real photograph in the public domain
have none and are judged by whose face it is, what it does, and how still it holds. Writes report.html with pictures
and quality.json beside it. Without ``--pairs`` (they are made with ``livefake train synth`` and a head kit) the
first part is left out.
"""

from __future__ import annotations

import argparse
import html
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.quality_pairs import BUCKETS, WAYS, Embed, Judged, judge_pairs, table
from benchmarks.quality_worn import Worn, frames_of, moving_photograph, wear
from livefake.cli.tools import open_studio, settings
from livefake.faces.identity import IdentityNet
from livefake.frame import Bytes
from livefake.machine import describe_machine
from livefake.resources import models_folder
from livefake.studio import Studio
from livefake.swap.finisher import Finisher
from livefake.swap.persona import find_persona, load_persona

__all__ = ["main"]

_MEASURES: Final = (
    "error", "error ratio", "SSIM", "perceptual", "sharpness", "fine detail", "to the persona", "to the performer",
    "eyes", "mouth", "NME", "gaze", "in front", "seam", "flicker",
)  # fmt: skip
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; margin: 1rem 0; font-size: .85rem }
td, th { padding: .2rem .6rem; text-align: right }
tr + tr { border-top: 1px solid #ddd } td:first-child, th:first-child { text-align: left } img { max-width: 100% }
"""


def main() -> None:
    """Measure, write the report, print the tables."""
    options = _options()
    console = Console()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    studio = open_studio(console, settings())
    embed = IdentityNet().embed
    facts: dict[str, Any] = {"machine": describe_machine()}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    parts: list[str] = []
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        if options.pairs is not None:
            judged = _pairs(studio, embed, options, bar)
            facts["pairs"] = table(judged)
            parts.append(_pairs_part(facts["pairs"], judged, out))
        for name, title, frames in _runs(options.frames):
            worn = _worn(studio, embed, frames, title, bar)
            facts[name] = {way: [_facts(one) for one in found] for way, found in worn.items()}
            facts[name]["summary"] = {way: _summary(found) for way, found in worn.items()}
            parts.append(_worn_part(name, title, worn, facts[name]["summary"], out))
    page = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Quality</title><style>{_STYLE}</style>"
    page += f"<h1>Quality of the swap</h1><p>{html.escape(facts['machine'])}</p>{''.join(parts)}</html>\n"
    (out / "report.html").write_text(page, "utf-8")
    (out / "quality.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    _print(console, facts)
    console.print(f"The report is {out / 'report.html'}.")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, help="folder with test-*.npz of livefake train synth")
    parser.add_argument("--most", type=int, default=320, help="pairs to judge")
    parser.add_argument("--frames", type=int, default=72, help="frames of the clip and of the photograph")
    parser.add_argument("--out", type=Path, default=Path("out/quality"))
    return parser.parse_args()


def _pairs(studio: Studio, embed: Embed, options: argparse.Namespace, bar: Progress) -> list[Judged]:
    task = bar.add_task("Held-out pairs", total=None)
    outfit = studio.outfit("mara")
    side = max(outfit.engines)
    _, landmarks = studio.networks()
    finisher = Finisher(outfit.engines[side].sibling())

    def tell(done: int, all_: int) -> None:
        bar.update(task, completed=done, total=all_)

    return list(judge_pairs(options.pairs, finisher, landmarks, outfit.swapper, embed, most=options.most, tell=tell))


def _runs(count: int) -> list[tuple[str, str, list[Bytes]]]:
    """The built-in clip and, where scikit-image is installed, a photograph."""
    clip = list(frames_of(str(models_folder() / "demo" / "performer.mp4"), count))
    runs = [("clip", "The built-in clip: a fictional performer", clip)]
    try:
        from skimage import data
    except ImportError:
        return runs
    load: Callable[[], Bytes] = data.astronaut
    picture = np.ascontiguousarray(load()[..., ::-1])
    title = "A real photograph: Eileen Collins by NASA, public domain, moved as a webcam would see it"
    return [*runs, ("photograph", title, moving_photograph(picture, count))]


def _worn(studio: Studio, embed: Embed, frames: list[Bytes], title: str, bar: Progress) -> dict[str, list[Worn]]:
    personas = [card.id for card in studio.personas if not card.grant]
    task = bar.add_task(title.split(":", maxsplit=1)[0], total=len(WAYS) * len(personas) * len(frames))
    result: dict[str, list[Worn]] = {}
    for way in WAYS:
        result[way] = []
        for persona in personas:
            pack = load_persona(find_persona(models_folder() / "personas", persona))
            result[way].append(
                wear(
                    studio,
                    persona,
                    frames,
                    embed,
                    refine=way == "network",
                    portrait=embed(pack.picture, pack.points),
                    tell=lambda _: bar.advance(task),
                )
            )
    return result


def _facts(one: Worn) -> dict[str, Any]:
    return {
        "persona": one.persona,
        "to the persona, median": float(np.median(one.to_persona)),
        "to the performer, median": float(np.median(one.to_performer)),
        "under 0.6 to the persona": float((one.to_persona < 0.6).mean()),
        "eyes": one.eyes,
        "mouth": one.mouth,
        "NME": one.nme,
        "flicker": one.flicker,
        "shown": one.shown,
    }


def _summary(found: list[Worn]) -> dict[str, float]:
    near, far = (np.concatenate([getattr(one, name) for one in found]) for name in ("to_persona", "to_performer"))
    means = {
        name: float(np.mean([getattr(one, name) for one in found]))
        for name in ("eyes", "mouth", "nme", "flicker", "shown")
    }
    return {
        "to the persona, median": float(np.median(near)),
        "to the performer, median": float(np.median(far)),
        "under 0.6 to the persona": float((near < 0.6).mean()),
        **means,
    }


def _pairs_part(facts: Mapping[str, Any], judged: list[Judged], out: Path) -> str:
    order = sorted(range(len(judged)), key=lambda index: judged[index].yaw)
    chosen = [order[place] for place in np.linspace(0, len(order) - 1, min(16, len(order))).round().astype(int)]
    cv2.imwrite(
        str(out / "pairs.jpg"), np.vstack([judged[index].row for index in chosen]), [cv2.IMWRITE_JPEG_QUALITY, 92]
    )
    hidden = [one for one in judged if "in front" in one.scores["network"]][:12]
    if hidden:
        cv2.imwrite(str(out / "in-front.jpg"), np.vstack([one.row for one in hidden]), [cv2.IMWRITE_JPEG_QUALITY, 92])
    more = (
        "<h3>Hands, glasses and things in front</h3><img src='in-front.jpg' alt='Faces half hidden'>" if hidden else ""
    )
    return (
        f"<h2>Held-out pairs</h2>{_html_table(facts)}<p>Live, mesh warp, network, truth, the network's mask; turned "
        f"heads last.</p><img src='pairs.jpg' alt='Rows of faces by growing yaw'>{more}"
    )


def _html_table(facts: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("yaw", "pairs", "way", *_MEASURES))
    rows = []
    for bucket, found in facts.items():
        for way in WAYS:
            cells = "".join(
                f"<td>{found[way][name]:.3f}</td>" if name in found[way] else "<td>-</td>" for name in _MEASURES
            )
            rows.append(f"<tr><td>{bucket}</td><td>{found['pairs']['count']:.0f}</td><td>{way}</td>{cells}</tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _worn_part(name: str, title: str, worn: dict[str, list[Worn]], summary: Mapping[str, Any], out: Path) -> str:
    rows = []
    for mesh, network in zip(worn["mesh"], worn["network"], strict=True):
        pictures = [*mesh.pictures[:3], *network.pictures[:3]]
        rows.append(np.hstack([_portrait(picture) for picture in pictures]))
    width = min(row.shape[1] for row in rows)
    cv2.imwrite(str(out / f"{name}.jpg"), np.vstack([row[:, :width] for row in rows]), [cv2.IMWRITE_JPEG_QUALITY, 90])
    head = "".join(f"<th>{key}</th>" for key in ("way", *summary["mesh"]))
    lines = "".join(
        f"<tr><td>{way}</td>{''.join(f'<td>{value:.3f}</td>' for value in summary[way].values())}</tr>" for way in WAYS
    )
    return (
        f"<h2>{html.escape(title)}</h2><table><tr>{head}</tr>{lines}</table><p>A row a persona: three frames of mesh "
        f"warp, the same three with the network.</p><img src='{name}.jpg' alt='Each persona worn'>"
    )


def _portrait(picture: Bytes) -> Bytes:
    """The middle of a frame at a common height."""
    height, width = picture.shape[:2]
    side = min(height, width)
    left = (width - side) // 2
    return np.asarray(cv2.resize(picture[:, left : left + side], (320, 320), interpolation=cv2.INTER_AREA), np.uint8)


def _print(console: Console, facts: Mapping[str, Any]) -> None:
    if "pairs" in facts:
        grid = Table("yaw", "way", *_MEASURES, title="Held-out pairs")
        for bucket in (*(f"{low}-{high}" for low, high in BUCKETS), "all"):
            for way in WAYS:
                found = facts["pairs"][bucket][way]
                grid.add_row(bucket, way, *(f"{found[name]:.3f}" if name in found else "-" for name in _MEASURES))
        console.print(grid)
    for name in ("clip", "photograph"):
        if name in facts:
            grid = Table("way", *facts[name]["summary"]["mesh"], title=name)
            for way in WAYS:
                grid.add_row(way, *(f"{value:.3f}" for value in facts[name]["summary"][way].values()))
            console.print(grid)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
