"""The pictures of the README, made anew from what the program does now.

    python -m benchmarks.pictures --out docs/pictures

``swap.jpg`` shows the built-in clip's performer and the same moment as five personas, ``faces.jpg`` each persona worn
at four moments, ``page.jpg`` and ``start.jpg`` the page in Chromium while the clip plays.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from playwright.sync_api import sync_playwright
from rich.console import Console

from benchmarks.browser import chromium, go_live, serve
from benchmarks.quality_worn import frames_of
from livefake.cli.tools import open_studio, settings
from livefake.clock import monotonic
from livefake.compose.others import Others
from livefake.frame import Bytes, Frame
from livefake.offline import patient_budget
from livefake.resources import models_folder
from livefake.studio import Studio

__all__ = ["main"]

_SHOWN: Final = ("mara", "kofi", "edgar", "zola", "inger")
_MOMENT: Final = 60
_MOMENTS: Final = (32, 60, 95, 140)
_PAGE: Final = {"width": 1280, "height": 860}
_SETTLE: Final = 4000


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    studio = open_studio(console, settings())
    clip = list(frames_of(str(models_folder() / "demo" / "performer.mp4"), max(_MOMENTS) + 1))
    live = [_small(clip[moment]) for moment in _MOMENTS]
    worn: dict[str, list[Bytes]] = {}
    with console.status("Wearing each persona"):
        for card in studio.personas:
            if card.grant is None:
                worn[card.id] = _worn(studio, card.id, clip)
    place = _MOMENTS.index(_MOMENT)
    cells = [live[place], *(worn[name][place] for name in _SHOWN)]
    _write(out / "swap.jpg", np.vstack([np.hstack(cells[:3]), np.hstack(cells[3:])]))
    small = [np.hstack([_half(cell) for cell in row]) for row in (live, *worn.values())]
    _write(out / "faces.jpg", np.vstack([np.hstack(pair) for pair in zip(small[::2], small[1::2], strict=False)]))
    with console.status("Looking at the page"):
        _page(out)


def _worn(studio: Studio, persona: str, clip: list[Bytes]) -> list[Bytes]:
    rig = studio.rig(
        persona, session=1, others=Others.BLUR, budget=patient_budget(), clock=monotonic, cpu_clock=monotonic
    )
    shown = [rig(Frame.from_bgr(picture, pts=number * 3000)) for number, picture in enumerate(clip)]
    kept = [shown[moment] for moment in _MOMENTS]
    return [_small(sealed.frame.bgr()) for sealed in kept if sealed is not None]


def _small(picture: Bytes) -> Bytes:
    """The whole picture, label included."""
    return np.asarray(cv2.resize(picture, (448, 252), interpolation=cv2.INTER_AREA), np.uint8)


def _half(picture: Bytes) -> Bytes:
    return np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)


def _write(path: Path, picture: Bytes) -> None:
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


def _page(out: Path) -> None:
    with serve() as server, sync_playwright() as playwright, chromium(playwright) as browser:
        page = browser.new_page(viewport={"width": _PAGE["width"], "height": _PAGE["height"]})
        page.goto(server.url)
        page.wait_for_selector(".personas img")
        page.wait_for_timeout(1000)
        page.screenshot(path=out / "start.jpg", type="jpeg", quality=85, full_page=True)
        go_live(page, server.url, source="clip", persona=_SHOWN[0])
        page.wait_for_timeout(_SETTLE)
        page.screenshot(path=out / "page.jpg", type="jpeg", quality=85)


if __name__ == "__main__":
    main()
