"""A real person's grant must cover each place to which pictures go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from livefake.errors import ConsentError
from livefake.frame import Drop, Frame
from livefake.trust.audience import Audience
from livefake.trust.consent import Output
from livefake.trust.gate import ConsentGate
from livefake.trust.grants import GrantBook
from tests.grantkit import DURING, enter


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path)


def gate(book: GrantBook, seed: int, *outputs: Output) -> ConsentGate:
    grant = enter(book, seed, outputs=frozenset({Output.LIVE, *outputs}))
    return ConsentGate(book, grant.id, output=Output.LIVE, wall=lambda: DURING)


def passes(gate: ConsentGate, second: int) -> bool:
    try:
        gate(Frame(np.zeros((96, 64), np.uint8), 0, second * 1_000_000_000))
    except Drop:
        return False
    return True


def test_a_camera_that_was_not_granted_is_refused_and_the_session_goes_on(book: GrantBook) -> None:
    worn, audience = gate(book, 1), Audience()
    with pytest.raises(ConsentError, match="virtual-camera"):
        audience.allow(worn, Output.VIRTUAL_CAMERA)
    assert set(worn.outputs) == {Output.LIVE}
    assert passes(worn, 1)
    with pytest.raises(ValueError, match="not in list"):
        audience.disallow(worn, Output.VIRTUAL_CAMERA)


def test_one_that_was_granted_is_watched_until_the_last_camera_ends(book: GrantBook) -> None:
    worn, audience = gate(book, 1, Output.VIRTUAL_CAMERA), Audience()
    for _ in range(2):
        audience.allow(worn, Output.VIRTUAL_CAMERA)
    audience.disallow(worn, Output.VIRTUAL_CAMERA)
    assert set(worn.outputs) == {Output.LIVE, Output.VIRTUAL_CAMERA}
    assert passes(worn, 1)
    audience.disallow(worn, Output.VIRTUAL_CAMERA)
    assert set(worn.outputs) == {Output.LIVE}


def test_a_face_without_that_grant_cannot_be_put_on_meanwhile(book: GrantBook) -> None:
    audience = Audience()
    audience.allow(None, Output.VIRTUAL_CAMERA)
    audience.wear(None)
    with pytest.raises(ConsentError, match="virtual-camera"):
        audience.wear(gate(book, 1))
    other = gate(book, 2, Output.VIRTUAL_CAMERA)
    audience.wear(other)
    assert Output.VIRTUAL_CAMERA in other.outputs


def test_a_grant_that_ends_ends_the_pictures(book: GrantBook) -> None:
    worn, audience = gate(book, 1, Output.VIRTUAL_CAMERA), Audience()
    audience.allow(worn, Output.VIRTUAL_CAMERA)
    assert passes(worn, 1)
    book.revoke(worn.grant, now=DURING)
    assert not passes(worn, 3)
