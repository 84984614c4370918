"""Signing in front of a camera, with real faces and real networks; the camera's pictures come from a list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from livefake.errors import ConsentError, LivefakeError
from livefake.faces.identity import SAME_PERSON, IdentityNet, distance
from livefake.frame import Bytes, Frame
from livefake.studio import Studio
from livefake.trust.consent import Output, Purpose
from livefake.trust.enrol import COMPANY, NOTICE, Looker, draw_up, enrol
from livefake.trust.grants import GrantBook
from livefake.trust.watch import TURN, Watched
from tests.footage import footage
from tests.grantkit import DURING, START, embedding

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def look(studio: Studio) -> Looker:
    return Looker(*studio.networks(COMPANY), IdentityNet())


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
        enrol(stream(pictures), look, tell=lambda text: None)
    return caught.value.problem


def test_a_person_who_turns_to_both_sides_signs_a_grant_and_is_known_again(look: Looker, tmp_path: Path) -> None:
    hints: list[str] = []
    watched = enrol(iter(footage(240)), look, tell=hints.append)
    assert hints[0] == "Turn your head slowly to one side."
    assert len(hints) == len(set(hints)) >= 2
    assert int(watched.evidence["watched_ms"]) >= 5000
    assert min(int(watched.evidence[f"yaw_{side}_degrees"]) for side in ("left", "right")) >= TURN
    book = GrantBook(tmp_path)
    grant = draw_up(
        book,
        watched,
        subject="Zoë",
        purposes=frozenset(Purpose),
        outputs=frozenset({Output.LIVE}),
        now=START,
        days=30,
        notice=NOTICE,
        adult=True,
    )
    assert book.check(grant.id, now=DURING, purpose=Purpose.WEAR, output=Output.LIVE) == grant
    assert grant.valid_until - grant.valid_from == 30 * 86_400
    assert grant.notice == hashlib.sha256(NOTICE.encode()).hexdigest()
    assert grant.evidence == watched.evidence
    seen = look(footage(40)[-1]).face
    other = look(Frame.from_bgr(astronaut())).face
    assert seen is not None
    assert other is not None
    assert book.matches(seen.embedding) == grant
    assert book.matches(other.embedding) is None
    assert distance(seen.embedding, other.embedding) > SAME_PERSON


def test_two_people_are_refused(look: Looker) -> None:
    pictures = clip()
    pictures[2] = np.hstack([pictures[2], cv2.resize(astronaut(), (720, 720))])
    assert refusal(look, pictures) == "There should be one person in the picture, and there are 2."


def test_another_person_half_way_is_refused(look: Looker) -> None:
    pictures = clip()[:6]
    wide = np.full_like(pictures[0], 128)
    wide[:, 280:1000] = astronaut()
    assert refusal(look, [*pictures, wide]) == "Another person is in front of the camera than at the beginning."


def test_a_head_that_never_turns_is_refused(look: Looker) -> None:
    assert refusal(look, [clip()[0]] * 12) == "The head was never turned to either side."


def test_a_dark_room_is_refused(look: Looker) -> None:
    dark = [np.asarray(picture * 0.12, np.uint8) for picture in clip()[:1]] * 27
    assert refusal(look, dark).startswith(("It is too dark", "No face can be seen"))


def test_a_face_far_away_is_refused(look: Looker) -> None:
    far = np.full((720, 1280, 3), 128, np.uint8)
    far[200:380, 400:720] = cv2.resize(clip()[0], (320, 180), interpolation=cv2.INTER_AREA)
    assert refusal(look, [far] * 27) == "Your face is too small in the picture; come closer."


def test_an_empty_room_is_refused(look: Looker) -> None:
    assert refusal(look, [np.full((360, 640, 3), 128, np.uint8)] * 27).startswith("No face can be seen")


def test_a_camera_that_ends_early_is_refused(look: Looker) -> None:
    assert refusal(look, []).startswith("No face can be seen")


def test_a_camera_faster_than_the_eye_is_looked_at_five_times_a_second() -> None:
    from livefake.trust.watch import Face, View

    looked: list[int] = []

    def glance(frame: Frame) -> View:
        looked.append(frame.instant)
        yaw = 30 * np.sin(len(looked) / 4)
        return View(frame.instant, 1, Face(embedding(1), yaw, 200, 120))

    frames = (Frame(np.zeros((96, 64), np.uint8), index * 1000, 0) for index in range(1000))
    enrol(frames, glance, tell=lambda text: None)
    assert 25 <= len(looked) <= 27
    assert np.diff(looked).min() >= 200_000_000


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
