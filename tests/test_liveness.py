"""Whether a living person does what they are asked: the rules, with an actor's measures instead of pictures."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livefake.errors import ConsentError
from livefake.faces.identity import distance
from livefake.trust.liveness import DEADLINE, Liveness, draw
from livefake.trust.prompts import ASKED, Prompt
from livefake.trust.watch import View
from tests.actor import SECOND, SILENT, STEP, Levels, Obedient, bump, challenge, make_face, play, views
from tests.grantkit import embedding


def refusal(liveness: Liveness, script: Callable[[float, Liveness], Levels], **options: bool) -> str:
    with pytest.raises(ConsentError) as caught:
        play(liveness, script, **options)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    with pytest.raises(ConsentError) as again:
        liveness.see(View(10**15, 1, make_face()))
    assert again.value is caught.value
    with pytest.raises(ConsentError) as at_last:
        liveness.result()
    assert at_last.value is caught.value
    return caught.value.problem


def tampered(change: Callable[[int, View], View | None], *, from_view: int = 40) -> str:
    """The refusal of somebody obedient whose views are changed."""
    liveness = Liveness(challenge(*SILENT))
    with pytest.raises(ConsentError) as caught:  # noqa: PT012 - the views come from what the judge asks
        for index, view in enumerate(views(Obedient(), liveness)):
            seen = view if index < from_view else change(index, view)
            if seen is not None and liveness.see(seen):
                break
    return caught.value.problem


@pytest.mark.parametrize("seed", range(8))
def test_whoever_does_what_they_are_asked_passes(seed: int) -> None:
    asked = draw(random.Random(seed))
    watched = play(Liveness(asked), Obedient()).result()
    assert distance(watched.template, embedding(1)) < 0.2
    evidence = watched.evidence
    assert evidence["prompts"] == " ".join(asked.prompts)
    assert evidence["slips"] == 0
    took = [int(one) for one in str(evidence["prompt_ms"]).split()]
    assert len(took) == len(Prompt)
    assert all(500 < one < 5000 for one in took)
    assert sum(took) < int(evidence["watched_ms"]) < 40_000
    assert 0 < int(evidence["farthest_distance_milli"]) < 300
    assert len(str(evidence["spoken_sha256"])) == len(str(evidence["code_sha256"])) == 64
    assert int(evidence["spoken_ms"]) > 1200


def test_without_a_microphone_the_grant_says_so() -> None:
    evidence = play(Liveness(draw(random.Random(1), sound=False)), Obedient()).result().evidence
    assert evidence["code"] == "not asked"
    assert "spoken_sha256" not in evidence
    assert "read-code" not in str(evidence["prompts"])


@pytest.mark.parametrize("reaction", [0.3, 2.0, 5.5])
def test_people_take_their_time(reaction: float) -> None:
    assert play(Liveness(challenge(*SILENT)), Obedient(reaction=reaction)).step.index == len(SILENT)


@pytest.mark.parametrize("prompt", SILENT)
def test_who_does_nothing_is_refused_with_what_was_asked(prompt: Prompt) -> None:
    problem = refusal(Liveness(challenge(prompt)), lambda time, liveness: {})
    assert problem == f'You were asked: "{ASKED[prompt]}" No such movement was seen within 8 seconds.'


@pytest.mark.parametrize("prompt", SILENT)
def test_a_small_movement_is_too_small(prompt: Prompt) -> None:
    reach = {Prompt.BLINK: 0.45, Prompt.SMILE: 0.38}.get(prompt, 0.42)
    assert "too small" in refusal(Liveness(challenge(prompt)), Obedient(reach=reach))


@pytest.mark.parametrize("prompt", SILENT)
def test_late_is_too_late(prompt: Prompt) -> None:
    assert "within 8 seconds" in refusal(Liveness(challenge(prompt)), Obedient(reaction=8.0))


@pytest.mark.parametrize("prompt", SILENT)
def test_a_movement_that_began_before_it_was_asked_for_does_not_count(prompt: Prompt) -> None:
    def hasty(time: float, liveness: Liveness) -> Levels:
        # A calm face is taken after 1.2 s.
        return {prompt: 1.0 if time > 1.25 else 0.0}

    assert "had begun before" in refusal(Liveness(challenge(prompt)), hasty)


@pytest.mark.parametrize("prompt", [one for one in SILENT if one is not Prompt.BLINK])
def test_a_twitch_is_no_answer(prompt: Prompt) -> None:
    problem = refusal(Liveness(challenge(prompt)), Obedient(length=0.25))
    assert "not finished" in problem or "too small" in problem


def test_lids_that_stay_shut_are_no_blink() -> None:
    problem = refusal(Liveness(challenge(Prompt.BLINK)), Obedient(length=20))
    assert "not finished" in problem


def test_a_reflex_of_the_lids_is_no_blink() -> None:
    def blinking(time: float, liveness: Liveness) -> Levels:
        return {Prompt.BLINK: float(time % 3 < 0.15)}

    assert "Close both eyes" in refusal(Liveness(challenge(Prompt.BLINK)), blinking)


def test_taking_the_wrong_side_once_is_forgiven() -> None:
    def confused(time: float, liveness: Liveness) -> Levels:
        return {Prompt.TURN_RIGHT: bump(time, 2), Prompt.TURN_LEFT: bump(time, 4.5)}

    liveness = Liveness(challenge(Prompt.TURN_LEFT))
    hints = []
    for view in views(confused, liveness):
        if liveness.see(view):
            break
        hints.append(liveness.step.hint)
    assert liveness.result().evidence["slips"] == 1
    assert f"Not that. {ASKED[Prompt.TURN_LEFT]}" in hints


@pytest.mark.parametrize("seed", range(6))
def test_a_loop_of_all_movements_is_refused(seed: int) -> None:
    asked = draw(random.Random(seed), sound=False)
    order = list(SILENT)
    random.Random(seed + 100).shuffle(order)

    def clip(time: float, liveness: Liveness) -> Levels:
        number, within = divmod((time - 2) % 13.2, 2.2)
        return {order[int(number)]: bump(within, 0.8)} if time > 2 else {}

    assert order != list(asked.prompts)
    refusal(Liveness(asked), clip)


def test_a_recording_that_answers_each_time_is_noticed_by_its_repetition() -> None:
    asked = challenge(Prompt.LOOK_UP, Prompt.TURN_LEFT, Prompt.BLINK)

    def clip(time: float, liveness: Liveness) -> Levels:
        within = (time - 2) % 5
        return {Prompt.LOOK_UP: bump(within, 0.5), Prompt.BLINK: bump(within, 2.6)} if time > 2 else {}

    assert "seen twice" in refusal(Liveness(asked, deadline=30 * SECOND), clip)


def test_movements_nobody_asked_for_are_refused() -> None:
    def restless(time: float, liveness: Liveness) -> Levels:
        others = [one for one in (Prompt.TURN_LEFT, Prompt.TURN_RIGHT, Prompt.LOOK_UP)]
        return {one: bump(time, 1.6 + 1.6 * place, 1.4) for place, one in enumerate(others)}

    problem = refusal(Liveness(challenge(Prompt.BLINK)), restless)
    assert problem.endswith("asked for: a turn to your left, a turn to your right, a look up.")


def test_another_person_is_noticed_whenever_they_come() -> None:
    for when in (3, 20, 45, 70):
        assert "Another person" in tampered(lambda index, view: View(view.at, 1, make_face(who=2)), from_view=when)


def test_an_embedding_that_is_no_number_is_no_match() -> None:
    nobody = np.full(128, np.nan, np.float32)
    assert "Another person" in tampered(lambda index, view: View(view.at, 1, replace(make_face(), embedding=nobody)))
    with pytest.raises(ConsentError, match="Another person"):
        Liveness(challenge()).see(View(0, 1, replace(make_face(), embedding=nobody)))


def test_two_faces_are_refused() -> None:
    liveness = Liveness(challenge())
    liveness.see(View(0, 2))
    assert "be alone" in liveness.step.hint
    with pytest.raises(ConsentError, match="one person in the picture, and there are 2") as caught:
        liveness.see(View(STEP, 2))
    assert "step aside" in caught.value.remedy


def test_a_face_that_was_seen_beside_once_is_forgiven() -> None:
    liveness = Liveness(challenge(*SILENT))
    for index, view in enumerate(views(Obedient(), liveness)):
        if liveness.see(View(view.at, 2) if index in {30, 90} else view):
            break
    liveness.result()


def test_a_face_that_goes_is_missed() -> None:
    assert "No face can be seen" in tampered(lambda index, view: View(view.at, 0))
    assert "too dark" in tampered(lambda index, view: View(view.at, 1, make_face(light=20)))
    assert "too small" in tampered(lambda index, view: View(view.at, 1, make_face(width=60)))
    assert "No face can be seen" in tampered(lambda index, view: View(view.at, 1, make_face(yaw=float("nan"))))


def test_a_moment_without_a_face_is_forgiven() -> None:
    liveness = Liveness(challenge(*SILENT))
    for index, view in enumerate(views(Obedient(reaction=2.5), liveness)):
        if liveness.see(View(view.at, 0) if 55 <= index < 65 else view):
            break
    liveness.result()


def test_who_is_too_soon_is_told_and_may_do_it_again() -> None:
    def hasty(time: float, liveness: Liveness) -> Levels:
        return {Prompt.TURN_LEFT: bump(time, 1.25, 2.0) + bump(time, 5.0)}

    liveness = Liveness(challenge(Prompt.TURN_LEFT))
    hints = set()
    for view in views(hasty, liveness):
        if liveness.see(view):
            break
        hints.add(liveness.step.hint.split(".")[0])
    assert liveness.result().evidence["slips"] == 0
    assert "Too soon" in hints


def test_a_camera_that_stands_still_is_noticed() -> None:
    face = make_face()
    assert "does not move at all" in tampered(lambda index, view: View(view.at, 1, face))
    assert "stood still for 4.0 seconds" in tampered(lambda index, view: view if index >= 79 else None)


def test_a_clock_that_jumps_back_helps_nobody() -> None:
    assert "order of time" in tampered(lambda index, view: View(view.at - 300 * SECOND, 1, view.face))
    liveness = Liveness(challenge(Prompt.SMILE))
    late = 0
    with pytest.raises(ConsentError, match="within 8 seconds"):  # noqa: PT012 - the views come from what the judge asks
        for index, view in enumerate(views(lambda time, liveness: {}, liveness)):
            liveness.see(view)
            if index % 5 == 0:
                liveness.see(View(view.at - 10 * SECOND, 1, make_face({Prompt.SMILE: 1})))
            late = view.at
    assert late > DEADLINE


def test_no_calm_face_no_prompt() -> None:
    def restless(time: float, liveness: Liveness) -> Levels:
        return {Prompt.TURN_LEFT: 0.6 * np.sin(2 * time + 2 * np.sin(0.37 * time) + 0.2 * time**1.3)}

    assert "No calm face" in refusal(Liveness(challenge()), restless)


@pytest.mark.parametrize("index", [0, 3])
def test_silence_is_no_code(index: int) -> None:
    prompts = [*SILENT[:index], Prompt.READ_CODE]
    assert "not heard" in refusal(Liveness(challenge(*prompts)), Obedient(), silent=True)


def test_a_voice_without_lips_is_no_code() -> None:
    assert "lips hardly moved" in refusal(Liveness(challenge(Prompt.READ_CODE)), lambda time, liveness: {})


def test_a_check_that_is_not_finished_has_no_result() -> None:
    liveness = Liveness(challenge())
    with pytest.raises(ConsentError, match="after 0 of 7"):
        liveness.result()
    play(liveness, Obedient(), limit=8)
    with pytest.raises(ConsentError, match=r"after [1-6] of 7"):
        liveness.result()


def test_the_step_leads_through_it() -> None:
    liveness = Liveness(challenge(*SILENT))
    steps = [liveness.step]
    for view in views(Obedient(), liveness):
        liveness.see(view)
        if liveness.step.hint != steps[-1].hint or liveness.step.index != steps[-1].index:
            steps.append(liveness.step)
        if liveness.step.index == liveness.step.of:
            break
    assert [step.prompt for step in steps if step.prompt] == list(SILENT)
    assert steps[0].prompt is None
    assert steps[0].left == 20 * SECOND
    assert all(0 <= step.left <= 20 * SECOND for step in steps)
    assert [step.index for step in steps] == sorted(step.index for step in steps)
    assert steps[-1].prompt is None
    assert steps[-1].left == 0


def test_three_pictures_a_second_are_enough() -> None:
    liveness = Liveness(challenge(*SILENT))
    for index, view in enumerate(views(Obedient(length=1.8), liveness)):
        assert view.face is not None
        if index % 3 == 0 and liveness.see(View(view.at, 1, replace(view.face, embedding=embedding(1)))):
            break
    liveness.result()


TROUBLES: dict[str, Callable[[int, View], View]] = {
    "": lambda index, view: view,
    "stranger": lambda index, view: View(view.at, 1, make_face(who=2, seed=index)),
    "company": lambda index, view: View(view.at, 2),
    "gone": lambda index, view: View(view.at, 0),
    "nan": lambda index, view: View(view.at, 1, make_face(seed=index, pitch=float("nan"))),
    "back": lambda index, view: View(view.at - 2 * SECOND, 1, view.face),
    "early": lambda index, view: View(view.at, 1, make_face(dict.fromkeys(SILENT, 0.4), seed=index)),
    "still": lambda index, view: View(view.at, 1, make_face()),
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 1 << 16),
    st.one_of(st.floats(0.1, 1.5), st.floats(0.0, 9.0)),
    st.floats(0.2, 1.6),
    st.floats(0.1, 2.0),
    st.lists(st.tuples(st.integers(0, 160), st.integers(1, 25), st.sampled_from(sorted(TROUBLES))), max_size=3),
)
def test_whatever_happens_nobody_passes_without_all_of_it(
    seed: int, reaction: float, reach: float, length: float, disturbed: list[tuple[int, int, str]]
) -> None:
    asked = draw(random.Random(seed), sound=False)
    liveness = Liveness(asked)
    trouble = {when + more: kind for when, long, kind in disturbed for more in range(long)}
    seen, asked_at, answered_at = list[str](), dict[int, int](), dict[int, int]()
    try:
        for index, view in enumerate(views(Obedient(reaction, length, reach), liveness)):
            if liveness.step.prompt is not None:
                asked_at.setdefault(liveness.step.index, view.at - STEP)
            seen.append(trouble.get(index, ""))
            done = liveness.see(TROUBLES[seen[-1]](index, view))
            if liveness.step.index:
                answered_at.setdefault(liveness.step.index - 1, view.at)
            if done:
                break
        watched = liveness.result()
    except ConsentError:
        return
    assert "stranger" not in seen
    assert seen.count("company") <= 3
    assert list(asked_at) == list(answered_at) == list(range(len(SILENT)))
    assert all(STEP < answered_at[one] - asked_at[one] <= DEADLINE for one in asked_at)
    assert all(answered_at[one] < asked_at[one + 1] for one in range(len(SILENT) - 1))
    assert watched.evidence["prompts"] == " ".join(asked.prompts)
    assert reaction <= DEADLINE / SECOND
    assert reach > 0.4
    assert distance(watched.template, embedding(1)) < 0.3
