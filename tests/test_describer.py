"""Telling people apart in another process: the same numbers, and nothing left behind."""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import numpy as np
import pytest

from livefake.errors import EngineError
from livefake.faces import describer
from livefake.faces.describer import IdentityProcess, main
from livefake.faces.identity import IdentityNet, chip
from livefake.faces.landmarks import crop_for_box
from livefake.frame import Floats, Frame
from livefake.studio import Studio
from tests.footage import footage

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def frame() -> Frame:
    return footage(1)[0]


@pytest.fixture(scope="module")
def points(studio: Studio, frame: Frame) -> Floats:
    detector, landmarks = studio.networks()
    found = detector(frame)[0]
    return landmarks(frame, crop_for_box(found.box, (found.points[0], found.points[1]))).points


def test_the_other_process_says_the_same(frame: Frame, points: Floats) -> None:
    with IdentityProcess() as identity:
        first, second = identity.embed(frame, points), identity.embed(frame, points)
        process = identity._process
    assert first.dtype == np.float32
    assert np.array_equal(first, second)
    assert np.allclose(first, IdentityNet().embed(frame, points), atol=1e-6)
    assert process.poll() is not None
    identity.close()


def test_a_process_that_was_killed_is_told(frame: Frame, points: Floats) -> None:
    with IdentityProcess() as identity:
        identity._process.kill()
        identity._process.wait()
        with pytest.raises(EngineError, match="has ended"):
            identity.embed(frame, points)


def test_a_process_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, frame: Frame, points: Floats) -> None:
    monkeypatch.setattr(describer, "_ANSWER_SECONDS", 0.05)
    with IdentityProcess() as identity:
        subprocess.run(["kill", "-STOP", str(identity._process.pid)], check=True)
        with pytest.raises(EngineError, match="did not answer"):
            identity.embed(frame, points)


def test_what_is_missing_there_is_told_here(monkeypatch: pytest.MonkeyPatch) -> None:
    words = "Telling people apart needs dlib, which is not installed."
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    with pytest.raises(EngineError, match=r"livefake\.faces\.describer"):
        IdentityProcess()
    monkeypatch.setattr(sys, "executable", "/bin/nothing-here")
    with pytest.raises(EngineError, match="cannot be started"):
        IdentityProcess()

    def missing() -> IdentityNet:
        raise EngineError(words, "Install it.")

    monkeypatch.setattr(describer, "IdentityNet", missing)
    target = io.BytesIO()
    main(io.BytesIO(), target)
    assert target.getvalue().decode() == f"{words} Install it."


def test_half_a_picture_ends_it_quietly(frame: Frame, points: Floats) -> None:
    one = chip(frame, points).tobytes()
    target = io.BytesIO()
    worker = threading.Thread(target=main, args=(io.BytesIO(one + one[:100]), target))
    worker.start()
    worker.join(60)
    assert len(target.getvalue()) == 1 + 128 * 4
