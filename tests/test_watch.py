"""Watching a person before they sign: the rules, with made-up views."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import ConsentError
from livefake.faces.identity import distance
from livefake.trust.watch import TURN, Face, View, Watch, Watched
from tests.grantkit import embedding

STEP = 200_000_000
NEAR = np.float32(0.01)


def face(yaw: float = 0.0, *, who: int = 1, width: float = 250, light: float = 120, seed: int = 0) -> Face:
    noise = np.random.default_rng(seed).normal(size=128).astype(np.float32) * NEAR
    return Face(embedding(who) + noise, yaw, width, light)


def turning(count: int = 40, reach: float = 30.0) -> list[Face | None]:
    """Somebody who turns to both sides once."""
    return [face(reach * float(np.sin(2 * np.pi * i / count)), seed=i) for i in range(count)]


def watch(faces: list[Face | None]) -> tuple[Watched, int]:
    """The result and how many views it took."""
    watching = Watch()
    for index, one in enumerate(faces):
        if watching.see(View(index * STEP, int(one is not None), one)):
            return watching.result(), index + 1
    return watching.result(), len(faces)


def test_a_person_who_turns_to_both_sides_is_taken() -> None:
    watched, views = watch(turning())
    assert distance(watched.template, embedding(1)) < 0.2
    assert views < 40, "it ends when it has seen enough"
    assert watched.evidence["watched_ms"] == (views - 1) * 200
    assert watched.evidence["views"] == views
    assert int(watched.evidence["yaw_left_degrees"]) >= TURN
    assert int(watched.evidence["yaw_right_degrees"]) >= TURN
    assert 0 < int(watched.evidence["farthest_distance_milli"]) < 300


def test_two_faces_are_refused_at_once() -> None:
    watching = Watch()
    watching.see(View(0, 1, face()))
    with pytest.raises(ConsentError, match="one person in the picture, and there are 2") as caught:
        watching.see(View(STEP, 2))
    assert "step aside" in caught.value.remedy


@given(st.integers(1, 20))
def test_another_person_is_noticed_whenever_they_come(when: int) -> None:
    faces = turning()
    faces[when] = face(who=2)
    with pytest.raises(ConsentError, match="Another person"):
        watch(faces)


def test_an_embedding_that_is_no_number_is_no_match() -> None:
    faces = turning()
    faces[3] = Face(np.full(128, np.nan, np.float32), 0.0, 250, 120)
    with pytest.raises(ConsentError, match="Another person"):
        watch(faces)


@pytest.mark.parametrize(
    ("faces", "problem"),
    [
        ([], "No face can be seen"),
        ([None] * 40, "No face can be seen"),
        ([face(width=60)] * 40, "too small in the picture"),
        ([face(light=30)] * 40, "too dark"),
        ([*turning()[:10], *[None] * 10], "No face can be seen"),
        ([face(seed=i) for i in range(40)], "never turned to either side"),
        ([face(abs(20 * np.sin(i / 5)), seed=i) for i in range(40)], "never turned to one side"),
        (turning(20, 25.0), "watched for 5 s .* for 3.8 s in 20"),
        (turning(40, TURN - 1), "never turned to either side"),
    ],
)
def test_each_refusal_has_its_sentence(faces: list[Face | None], problem: str) -> None:
    with pytest.raises(ConsentError, match=problem) as caught:
        watch(faces)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_moment_without_a_face_is_forgiven() -> None:
    faces = turning()
    faces[5:10] = [None] * 5
    assert int(watch(faces)[0].evidence["watched_ms"]) >= 5000


def test_nobody_is_waited_for_for_ever() -> None:
    with pytest.raises(ConsentError, match="never turned"):
        watch([face(seed=i) for i in range(1000)])


def test_few_pictures_are_not_enough_however_long_they_took() -> None:
    watching = Watch()
    for index, yaw in enumerate((0, -20, 20, 0, 0, 0)):
        watching.see(View(index * 1_200_000_000, 1, face(yaw, seed=index)))
    with pytest.raises(ConsentError, match="12 pictures or more"):
        watching.result()


def test_the_hints_lead_through_it() -> None:
    watching = Watch()
    hints = [watching.hint]
    for index, one in enumerate([None, *turning()]):
        watching.see(View(index * STEP, int(one is not None), one))
        if watching.hint != hints[-1]:
            hints.append(watching.hint)
    assert [hint.split(";")[0].split(",")[0] for hint in hints] == [
        "Look into the camera.",
        "No face can be seen",
        "Turn your head slowly to one side.",
        "Now turn your head to the other side.",
        "Look into the camera",
    ]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1_600_000_000),
            st.sampled_from([1] * 30 + [0, 0, 2]),
            st.floats(-60, 60),
            st.floats(95, 300),
            st.sampled_from([False] * 20 + [True]),
        ),
        max_size=60,
    )
)
def test_whatever_is_seen_a_grant_needs_all_of_it(seen: list[tuple[int, int, float, float, bool]]) -> None:
    watching, at, good, crowd = Watch(), 0, list[tuple[int, float]](), False
    try:
        for step, count, yaw, width, dark in seen:
            at += step
            one = face(yaw, width=width, light=20 if dark else 120) if count == 1 else None
            crowd |= count > 1
            if one is not None and width >= 100 and not dark:
                good.append((at, yaw))
            if watching.see(View(at, count, one)):
                break
        watching.result()
    except ConsentError:
        return
    assert not crowd
    assert good[-1][0] - good[0][0] >= 5_000_000_000
    assert min(yaw for _, yaw in good) <= -TURN
    assert max(yaw for _, yaw in good) >= TURN
