"""What people are asked to do, and how far a face is on the way to it."""

from __future__ import annotations

import random
import secrets
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.trust.prompts import ASKED, Prompt, Rest, calm, draw, shares
from tests.actor import SILENT, make_face

REST = Rest.of([make_face(seed=seed) for seed in range(9)])


@given(st.integers(0, 1 << 32), st.booleans())
def test_each_thing_is_asked_once(seed: int, sound: bool) -> None:
    challenge = draw(random.Random(seed), sound=sound)
    assert sorted(challenge.prompts) == sorted(Prompt if sound else SILENT)
    assert len(challenge.code) == 6
    assert challenge.code.isdecimal()
    assert challenge.groups.split() == [challenge.code[:3], challenge.code[3:]]


def test_no_order_is_more_likely_than_another() -> None:
    drawn = [draw(random.Random(seed)).prompts for seed in range(2000)]
    for place in range(len(Prompt)):
        counts = Counter(prompts[place] for prompts in drawn)
        # Binomial: 2000 draws of one in seven have a standard deviation of 16.
        assert set(counts) == set(Prompt)
        assert max(abs(count - 2000 / 7) for count in counts.values()) < 80
    assert draw(secrets.SystemRandom()) != draw(secrets.SystemRandom())


def test_every_prompt_has_words() -> None:
    assert set(ASKED) == set(Prompt)
    assert len(set(ASKED.values())) == len(Prompt)


@pytest.mark.parametrize("prompt", SILENT)
def test_a_gesture_counts_for_itself_alone(prompt: Prompt) -> None:
    share = shares(make_face({prompt: 1.0}, seed=3), REST)
    assert share[prompt] >= 1
    assert max(much for other, much in share.items() if other is not prompt) < 1
    assert not calm(share, prompt)
    assert not calm(share)


def test_a_calm_face_makes_no_gesture() -> None:
    assert all(calm(shares(make_face(seed=seed), REST)) for seed in range(20, 60))


def test_a_blink_does_not_change_what_is_taken_for_calm() -> None:
    faces = [make_face({Prompt.BLINK: float(seed in {3, 4})}, seed=seed) for seed in range(12)]
    assert np.abs(Rest.of(faces).pose - REST.pose)[5:].max() < 0.02


def test_rest_moves_half_the_way() -> None:
    other = Rest(REST.pose + 2)
    np.testing.assert_allclose(REST.towards(other).pose, REST.pose + 1, rtol=1e-5)
