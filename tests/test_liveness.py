"""Whether a living person does what they are asked: the rules, with an actor's measures instead of pictures."""

from __future__ import annotations

import random

import numpy as np
import pytest

from livefake.errors import ConsentError
from livefake.faces.identity import distance
from livefake.trust.liveness import Liveness, draw
from livefake.trust.prompts import Prompt
from livefake.trust.watch import View
from tests.actor import STEP, Obedient, challenge, make_face, play, views
from tests.grantkit import embedding


@pytest.mark.parametrize("seed", range(8))
def test_whoever_does_what_they_are_asked_passes(seed: int) -> None:
    asked = draw(random.Random(seed))
    watched = play(Liveness(asked), Obedient()).result()
    assert distance(watched.template, embedding(1)) < 0.2
    assert watched.evidence["prompts"] == " ".join(asked.prompts)
    assert watched.evidence["slips"] == 0
    assert len(str(watched.evidence["prompt_ms"]).split()) == len(Prompt)


def test_another_person_is_noticed_at_once() -> None:
    liveness = Liveness(challenge())
    shown = list(views(Obedient(), liveness, limit=6))
    for view in shown[:50]:
        liveness.see(view)
    with pytest.raises(ConsentError, match="Another person"):
        liveness.see(View(shown[50].at, 1, make_face(who=2)))
    with pytest.raises(ConsentError, match="Another person"):
        liveness.result()


def test_two_faces_are_refused() -> None:
    liveness = Liveness(challenge())
    liveness.see(View(0, 2))
    with pytest.raises(ConsentError, match="one person in the picture, and there are 2") as caught:
        liveness.see(View(STEP, 2))
    assert "step aside" in caught.value.remedy


def test_an_embedding_that_is_no_number_is_no_match() -> None:
    liveness = Liveness(challenge())
    face = make_face()
    assert face.embedding is not None
    face.embedding[3] = np.nan
    with pytest.raises(ConsentError, match="Another person"):
        liveness.see(View(0, 1, face))
