"""How long a change of persona takes on air, and what is seen meanwhile.

    python -m benchmarks.switches --times 12 --json switches.json

A page in Chromium performs and presses one face after the other, most for the first time since the service started.
Every picture shown from the press on is kept: does it carry the label, and whose face is in it (dlib)? The first one is
a real person's persona: a pack with a fictional face, signed under a grant that was drawn up for this.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from benchmarks.browser import chromium, go_live, serve, write_camera
from livefake.cli.tools import open_studio
from livefake.clock import wall
from livefake.faces.identity import IdentityNet, distance
from livefake.faces.landmarks import crop_for_box
from livefake.frame import Bytes, Floats, Frame
from livefake.machine import describe_machine
from livefake.media.picture import to_frame
from livefake.resources import models_folder
from livefake.settings import read_settings
from livefake.trust.consent import Output, Purpose
from livefake.trust.enrol import draw_up
from livefake.trust.grants import GrantBook
from livefake.trust.packs import sign_pack
from livefake.trust.watch import Watched

__all__ = ["WATCH", "measure"]

WATCH: Final = """
() => {
  const video = document.querySelector("#remote");
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  globalThis.seen = [];
  globalThis.watching = true;
  const step = () => {
    if (!watching) return;
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0);
    seen.push({ at: performance.now(), picture: canvas.toDataURL("image/jpeg", 0.9).split(",")[1] });
    video.requestVideoFrameCallback(step);
  };
  video.requestVideoFrameCallback(step);
}
"""
"""From now on, keep every picture that the output shows, and when."""

_ORDER: Final = ("zoe", "edgar", "kofi", "zola", "nils", "ravi", "amparo", "inger")
_SOURCE: Final = "mara"
"""Whose face the person has."""
_SIZE: Final = (640, 360)
_KEPT_MS: Final = 2500

Name = Callable[[Bytes], str]


@dataclass(frozen=True, slots=True)
class _Turn:
    persona: str
    pressed: float
    answered: float
    pictures: list[tuple[float, Bytes]]


def measure(times: int, settle: float) -> dict[str, Any]:
    """Change the persona again and again.

    Args:
        times: how often.
        settle: seconds that the service gets to prepare its personas before the first change.

    Returns:
        Plain values: machine, milliseconds from the press to the first picture with the new face, and what was seen.
    """
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        os.environ["LIVEFAKE_DATA"] = str(Path(folder) / "data")
        name = _namer()
        _person(Path(folder) / "data")
        camera = Path(folder) / "camera.y4m"
        write_camera(models_folder() / "demo" / "performer.mp4", camera, _SIZE, frames=240)
        with serve(["--capacity", "1"]) as server, chromium(playwright, camera) as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.wait_for_timeout(settle * 1000)
            go_live(page, server.url, persona="inger")
            turns = [_change(page, persona) for persona in islice(cycle(_ORDER), times)]
    found = [_judge(turn, name) for turn in turns]
    took = [each["ms"] for each in found]
    return {
        "machine": describe_machine(),
        "size": "{}x{}".format(*_SIZE),
        "ms": {"p50": float(np.median(took)), "longest": max(took)},
        "pictures": sum(each["pictures"] for each in found),
        "without_label": sum(each["without_label"] for each in found),
        "performer_seen": sum(each["performer_seen"] for each in found),
        "turns": found,
    }


def _change(page: Page, persona: str) -> _Turn:
    page.evaluate(WATCH)
    page.wait_for_timeout(300)
    with page.expect_response(lambda answer: answer.request.method == "PATCH") as response:
        pressed = page.evaluate(
            """(persona) => {
                document.querySelector(`input[name=live-persona][value=${persona}]`).click();
                return performance.now();
            }""",
            persona,
        )
    if not response.value.ok:
        raise RuntimeError(f"{persona} was refused: {response.value.text()}")
    answered = page.evaluate("performance.now()") - pressed
    page.wait_for_timeout(_KEPT_MS)
    kept = page.evaluate("() => { watching = false; return seen.splice(0); }")
    pictures = [(entry["at"], _decoded(entry["picture"])) for entry in kept if entry["at"] > pressed]
    return _Turn(persona, pressed, answered, pictures)


def _judge(turn: _Turn, name: Name) -> dict[str, Any]:
    """Whose face each picture shows; from the first of the new face on, every sixth is enough."""
    first: float | None = None
    seen: list[str] = []
    for index, (at, picture) in enumerate(turn.pictures):
        if first is not None and index % 6:
            continue
        who = name(picture)
        seen.append(who)
        if who == turn.persona and first is None:
            first = at - turn.pressed
    if first is None:
        raise RuntimeError(f"{turn.persona} was not seen within {_KEPT_MS} ms, but {sorted(set(seen))}")
    return {
        "persona": turn.persona,
        "ms": round(first),
        "answered_ms": round(turn.answered),
        "pictures": len(turn.pictures),
        "without_label": sum(not _labelled(picture) for _, picture in turn.pictures),
        "performer_seen": seen.count("performer"),
    }


def _labelled(picture: Bytes) -> bool:
    """Are the label's bright letters on their dark plate there? No camera picture has them."""
    corner = cv2.cvtColor(picture[8:40, -150:-16], cv2.COLOR_BGR2GRAY)
    return bool(np.percentile(corner, 95) > 200 and np.percentile(corner, 20) < 90)


def _namer() -> Name:
    """Names the face in a picture: a persona, ``performer``, or ``nobody`` where there is none."""
    studio = open_studio(Console(stderr=True), read_settings(os.environ))
    (detector, landmarks), identity = studio.networks(), IdentityNet()

    def describe(picture: Bytes | Frame) -> Floats | None:
        frame = picture if isinstance(picture, Frame) else Frame.from_bgr(picture)
        faces = detector(frame)
        if not faces:
            return None
        face = max(faces, key=lambda one: one.box.area)
        return identity.embed(frame, landmarks(frame, crop_for_box(face.box, (face.points[0], face.points[1]))).points)

    known: dict[str, Floats] = {}
    for persona in _ORDER:
        path = models_folder() / "personas" / (_SOURCE if persona == "zoe" else persona) / "face.png"
        picture = cv2.resize(np.asarray(cv2.imread(str(path)), np.uint8), (512, 512), interpolation=cv2.INTER_AREA)
        look = describe(np.asarray(picture, np.uint8))
        assert look is not None
        known[persona] = look
    with av.open(str(models_folder() / "demo" / "performer.mp4")) as clip:
        look = describe(to_frame(next(clip.decode(video=0)), 0))
    assert look is not None
    known["performer"] = look

    def name(picture: Bytes) -> str:
        found = describe(picture)
        return "nobody" if found is None else min(known, key=lambda one: distance(found, known[one]))

    return name


def _person(data: Path) -> None:
    """A real person's pack, with a fictional face, and the grant for it."""
    source, book = models_folder() / "personas" / _SOURCE, GrantBook(data)
    picture = np.asarray(cv2.imread(str(source / "face.png")), np.uint8)
    grant = draw_up(
        book,
        Watched(IdentityNet().embed(picture, np.load(source / "landmarks.npy")), {"method": "benchmark"}),
        subject="Zoë",
        purposes=frozenset(Purpose),
        outputs=frozenset(Output),
        now=wall(),
        days=1,
        notice="notice",
        adult=True,
    )
    pack = data / "personas" / "zoe"
    shutil.copytree(source, pack)
    card = pack / "persona.toml"
    text = card.read_text("utf-8").replace('id = "mara"', 'id = "zoe"').replace('title = "Mara"', 'title = "Zoë"')
    card.write_text(text.replace('kind = "fictional"', f'kind = "person"\ngrant = "{grant.id}"'), "utf-8")
    sign_pack(pack, book.key)


def _decoded(data: str) -> Bytes:
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise RuntimeError("the page kept what is no picture")
    return np.asarray(picture, np.uint8)


def main() -> None:
    """Parse the command line, measure, print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=12)
    parser.add_argument("--settle", type=float, default=20, help="seconds for the service to prepare its personas")
    parser.add_argument("--json", type=Path, help="write the result to this file too")
    options = parser.parse_args()
    result = measure(options.times, options.settle)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
