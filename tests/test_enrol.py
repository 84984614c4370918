"""Signing in front of a camera, with real faces and real networks; the camera's pictures come from a list."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from livefake.errors import ConsentError, LivefakeError
from livefake.faces.identity import IdentityNet
from livefake.frame import Bytes, Frame
from livefake.studio import Studio
from livefake.trust.consent import Output, Purpose
from livefake.trust.enrol import COMPANY, NOTICE, Looker, draw_up, enrol
from livefake.trust.grants import GrantBook
from livefake.trust.hearing import RATE
from livefake.trust.liveness import Liveness, draw
from livefake.trust.prompts import ASKED, Prompt, Rest, calm, shares
from livefake.trust.watch import Face, View, Watched
from tests.actor import make_face, voice
from tests.footage import footage
from tests.grantkit import DURING, START, embedding
from tests.puppet import CALM, FPS, PIECES, Webcam, instant, numbers, perform, pictures, recording

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def look(studio: Studio) -> Looker:
    return Looker(*studio.networks(COMPANY), studio.eyes(), IdentityNet())


@pytest.fixture(scope="module")
def seen(look: Looker) -> dict[int, Face]:
    """What the networks see in every second picture of the clip, through a webcam."""
    webcam = Webcam(3, sway=3)
    views = {number: look(webcam(pictures()[number])) for number in range(0, len(pictures()), 2)}
    assert all(view.face is not None for view in views.values())
    return {number: view.face for number, view in views.items() if view.face is not None}


def noisy(face: Face, noise: np.random.Generator) -> Face:
    """As the networks see the same picture with other noise on it."""
    yaw, pitch, mouth = noise.normal(size=3) * (0.3, 0.3, 0.003)
    return replace(face, yaw=face.yaw + yaw, pitch=face.pitch + pitch, mouth=face.mouth + mouth)


def stream(shown: Iterable[Bytes], fps: float = 1) -> Iterator[Frame]:
    """Pictures as a camera would send them."""
    for index, picture in enumerate(shown):
        yield Frame.from_bgr(picture, pts=round(index * 90_000 / fps))


def webcam(shown: Iterable[int], **options: float) -> Iterator[Frame]:
    """Pictures of the clip, through a webcam."""
    show = Webcam(7, **options)
    return (show(pictures()[number]) for number in shown)


def somebody_else() -> Bytes:
    """The performer of the demo clip, (480, 480, 3) uint8 BGR."""
    return np.asarray(cv2.resize(footage(1)[0].bgr()[:, 280:1000], (480, 480)), np.uint8)


def beside(left: Bytes, right: Bytes) -> Bytes:
    return np.hstack([left, right])


def refusal(look: Looker, frames: Iterable[Frame], seed: int = 1) -> str:
    with pytest.raises(ConsentError) as caught:
        enrol(frames, look, Liveness(draw(random.Random(seed))), tell=lambda text: None)
    return caught.value.problem


@pytest.mark.slow
def test_a_person_who_does_what_they_are_asked_signs_a_grant_and_is_known_again(look: Looker, tmp_path: Path) -> None:
    liveness, hints = Liveness(draw(random.Random(5))), list[str]()
    watched = enrol(perform(liveness, Webcam(1, noise=6)), look, liveness, tell=hints.append)
    assert hints[0].startswith("Look straight into the camera")
    assert [hint for hint in hints if hint in ASKED.values()] == [ASKED[one] for one in liveness.challenge.prompts]
    assert hints[-1] == "Thank you, that is enough."
    assert watched.evidence["slips"] == 0
    assert int(watched.evidence["farthest_distance_milli"]) < 500
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
    known, other = (look(frame).face for frame in stream([pictures()[0], somebody_else()]))
    assert known is not None
    assert other is not None
    assert known.embedding is not None
    assert other.embedding is not None
    assert book.matches(known.embedding) == grant
    assert book.matches(other.embedding) is None


@pytest.mark.parametrize("prompt", [one for one in Prompt if one is not Prompt.READ_CODE])
def test_each_movement_counts_for_itself_alone(seen: dict[int, Face], prompt: Prompt) -> None:
    rest = Rest.of([seen[number] for number in CALM if number in seen])
    made = [shares(seen[number], rest) for number in PIECES[prompt] if number in seen]
    middle = made[len(made) // 4 : -len(made) // 4]
    assert min(share[prompt] for share in middle) > 1.2
    assert max(much for share in made for other, much in share.items() if other is not prompt) < 1
    assert all(calm(shares(seen[number], rest)) for number in CALM if number in seen)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("chatty", [False, True])
def test_any_order_passes(seen: dict[int, Face], seed: int, chatty: bool) -> None:
    liveness = Liveness(draw(random.Random(seed)))
    noise, sway = np.random.default_rng(seed), np.random.default_rng(seed).uniform(0.5, 1.1, 2)
    for count, number in enumerate(numbers(liveness, chatty=chatty)):
        if count % 2:
            continue
        face = noisy(seen[number - number % 2], noise)
        x, y = np.sin(count / FPS * sway) * 9
        if liveness.see(View(instant(count), 1, replace(face, middle=(face.middle[0] + x, face.middle[1] + y)))):
            break
    assert liveness.result().evidence["slips"] == 0


def test_two_people_are_refused(look: Looker) -> None:
    alone, other = pictures()[0], somebody_else()
    shown = [beside(alone, np.full_like(alone, 90))] * 2 + [beside(alone, other)] * 3
    assert refusal(look, stream(shown)) == "There should be one person in the picture, and there are 2."


def test_another_person_half_way_is_refused(look: Looker) -> None:
    liveness = Liveness(draw(random.Random(1)))
    wide = beside(somebody_else(), np.full((480, 160, 3), 90, np.uint8))

    def replaced() -> Iterator[Frame]:
        for frame in perform(liveness):
            yield Frame.from_bgr(wide, pts=frame.pts) if liveness.step.index else frame

    with pytest.raises(ConsentError, match="Another person is in front of the camera than at the beginning"):
        enrol(replaced(), look, liveness, tell=lambda text: None)
    assert liveness.step.index == 1


@pytest.mark.parametrize("seed", range(12))
def test_a_clip_with_all_movements_is_refused(seen: dict[int, Face], seed: int) -> None:
    liveness, noise = Liveness(draw(random.Random(seed))), np.random.default_rng(seed)
    order = list(Prompt)
    random.Random(seed + 50).shuffle(order)
    sound = voice(3)
    assert order != list(liveness.challenge.prompts)

    def show() -> None:
        for count, number in enumerate(recording(order) * 5):
            liveness.hear(sound[count * RATE // FPS :][: RATE // FPS], instant(count))
            if count % 2 == 0:
                liveness.see(View(instant(count), 1, noisy(seen[number - number % 2], noise)))

    with pytest.raises(ConsentError, match=r"seen twice|nobody had asked for|You were asked|[Tt]he code"):
        show()
    assert liveness.step.index < len(order)


@pytest.mark.slow
def test_a_clip_of_somebody_who_talks_and_moves_is_refused(look: Looker) -> None:
    def looped() -> Iterator[Frame]:
        for index, frame in enumerate(footage(240) * 3):
            if index % 6 == 0:
                yield Frame(frame.i420, pts=index * 3000, arrived=0)

    assert "recording" in refusal(look, looped())


def test_a_photograph_is_refused(look: Looker) -> None:
    assert "No such movement was seen within 8 seconds" in refusal(
        look, islice(webcam([3] * FPS * 12, sway=4), 0, None, 4)
    )


def test_a_camera_that_stands_still_is_refused(look: Looker) -> None:
    assert "does not move at all" in refusal(look, stream([pictures()[3]] * 13))


def test_a_dark_room_is_refused(look: Looker) -> None:
    dark = [np.asarray(picture * 0.3, np.uint8) for picture in pictures()[:1]] * 13
    assert refusal(look, stream(dark)).startswith(("It is too dark", "No face can be seen"))


def test_a_face_far_away_is_refused(look: Looker) -> None:
    far = np.full((720, 1280, 3), 128, np.uint8)
    far[200:400, 400:600] = cv2.resize(pictures()[0], (200, 200), interpolation=cv2.INTER_AREA)
    assert refusal(look, stream([far] * 13)) == "Your face is too small in the picture; come closer."


def test_an_empty_room_is_refused(look: Looker) -> None:
    assert refusal(look, stream([np.full((360, 640, 3), 128, np.uint8)] * 13)).startswith("No face can be seen")


def test_a_camera_that_ends_early_is_refused(look: Looker) -> None:
    assert refusal(look, []) == "The check ended after 0 of 7 movements."


def test_the_lids_are_measured_the_same_in_a_mirror(look: Looker) -> None:
    shut = pictures()[PIECES[Prompt.BLINK][8]]
    for picture in (pictures()[0], shut):
        face, mirrored = (look(Frame.from_bgr(one)).face for one in (picture, np.ascontiguousarray(picture[:, ::-1])))
        assert face is not None
        assert mirrored is not None
        assert abs(face.left_eye - mirrored.right_eye) < 0.04
        assert abs(face.right_eye - mirrored.left_eye) < 0.04
        assert (face.left_eye + face.right_eye) / 2 < 0.2 if picture is shut else face.left_eye > 0.22


def test_a_camera_faster_than_the_eye_is_looked_at_ten_times_a_second() -> None:
    looked: list[int] = []

    def glance(frame: Frame) -> View:
        looked.append(frame.instant)
        return View(frame.instant, 1, make_face(seed=len(looked)))

    frames = (Frame(np.zeros((96, 64), np.uint8), index * 1000, 0) for index in range(500))
    with pytest.raises(ConsentError, match="after 0 of 7"):
        enrol(frames, glance, Liveness(draw(random.Random(1))), tell=lambda text: None)
    assert 50 <= len(looked) <= 56
    assert np.diff(looked).min() >= 100_000_000


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
