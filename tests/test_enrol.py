"""Signing in front of a camera, with real faces and real networks; the camera's pictures come from a list."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from livefake.errors import ConsentError, LivefakeError
from livefake.faces.identity import IdentityNet
from livefake.frame import Bytes, Frame
from livefake.studio import Studio
from livefake.trust.consent import Output, Purpose
from livefake.trust.enrol import COMPANY, NOTICE, Looker, draw_up, enrol
from livefake.trust.grants import GrantBook
from livefake.trust.liveness import Liveness, draw
from livefake.trust.watch import Watched
from tests.footage import footage
from tests.grantkit import START, embedding

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def look(studio: Studio) -> Looker:
    return Looker(*studio.networks(COMPANY), studio.eyes(), IdentityNet())


def stream(pictures: Iterable[Bytes], gap: int = 6) -> Iterator[Frame]:
    """Pictures as a camera would send them, 30 / ``gap`` a second."""
    for index, picture in enumerate(pictures):
        yield Frame.from_bgr(picture, pts=index * gap * 3000)


def clip() -> list[Bytes]:
    """Every sixth picture of the demo clip, in which the performer turns to both sides."""
    return [frame.bgr() for frame in footage(240)[::6]]


def astronaut() -> Bytes:
    picture = np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])  # type: ignore[no-untyped-call]
    return np.asarray(cv2.resize(picture, (720, 720)), np.uint8)


def refusal(look: Looker, pictures: Iterable[Bytes]) -> str:
    with pytest.raises(ConsentError) as caught:
        enrol(stream(pictures), look, Liveness(draw(random.Random(1))), tell=lambda text: None)
    return caught.value.problem


def test_two_people_are_refused(look: Looker) -> None:
    pictures = clip()
    for place in (2, 3):
        pictures[place] = np.hstack([pictures[place], cv2.resize(astronaut(), (720, 720))])
    assert refusal(look, pictures) == "There should be one person in the picture, and there are 2."


def test_a_dark_room_is_refused(look: Looker) -> None:
    dark = [np.asarray(picture * 0.12, np.uint8) for picture in clip()[:1]] * 52
    assert refusal(look, dark).startswith(("It is too dark", "No face can be seen"))


def test_a_face_far_away_is_refused(look: Looker) -> None:
    far = np.full((720, 1280, 3), 128, np.uint8)
    far[200:380, 400:720] = cv2.resize(clip()[0], (320, 180), interpolation=cv2.INTER_AREA)
    assert refusal(look, [far] * 52) == "Your face is too small in the picture; come closer."


def test_an_empty_room_is_refused(look: Looker) -> None:
    assert refusal(look, [np.full((360, 640, 3), 128, np.uint8)] * 52).startswith("No face can be seen")


def test_a_camera_that_ends_early_is_refused(look: Looker) -> None:
    assert refusal(look, []) == "The check ended after 0 of 7 movements."


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({"adult": False}, "of age"), ({"subject": ""}, "1 to 80"), ({"days": 0}, "later"), ({"days": 4000}, "two years")],
)
def test_a_grant_that_cannot_be_leaves_no_template(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    book = GrantBook(tmp_path)
    fields: dict[str, object] = {
        "subject": "Zoë",
        "purposes": frozenset(Purpose),
        "outputs": frozenset(Output),
        "now": START,
        "days": 1,
        "notice": NOTICE,
        "adult": True,
        **changes,
    }
    with pytest.raises(LivefakeError, match=problem):
        draw_up(book, Watched(embedding(1), {}), **fields)  # type: ignore[arg-type]
    assert list((tmp_path / "templates").iterdir()) == []
    assert book.ids() == ()
