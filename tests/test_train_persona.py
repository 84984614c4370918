from __future__ import annotations

import importlib.util
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from livefake.cli.main import main
from livefake.faces.geometry import POINTS
from livefake.frame import Floats
from livefake.resources import models_folder
from livefake.swap.persona import Kind, load_persona, read_card
from livefake.trust.consent import Grant, Output, Purpose, sign
from livefake.trust.grants import GrantBook
from livefake.trust.keys import public_hex
from livefake.trust.packs import check_pack
from tests.footage import footage
from tests.test_footage_gather import write_clip

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(
        importlib.util.find_spec("dlib") is None, reason="dlib is not installed: pip install 'livefake[identity]'"
    ),
]
Run = Callable[..., int]


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path / "data")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Calls the program as the shell would; its data lie in a fresh folder."""
    monkeypatch.setenv("LIVEFAKE_DATA", str(tmp_path / "data"))

    def call(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["livefake", "train", "persona", "--minutes", "0", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    return call


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pictures = [np.asarray(cv2.resize(frame.bgr(), (640, 360)), np.uint8) for frame in footage(8)]
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", pictures)


def persona_template(name: str) -> Floats:
    """The face of a shipped persona."""
    from livefake.faces.identity import IdentityNet

    persona = load_persona(read_card(models_folder() / "personas" / name))
    return IdentityNet().embed(persona.picture, persona.points)


def clip_template(clip: Path) -> Floats:
    """The face of the demo clip's performer: found by the same networks that look at footage."""
    from livefake.cli.train_persona import look_at_footage
    from livefake.clock import FakeClock
    from livefake.training.footage.extract import extract

    found = extract(clip, look_at_footage(print), clock=FakeClock(), tell=lambda _: None)
    return np.asarray(found.sightings.embeddings.mean(0), np.float32)


def a_grant(book: GrantBook, template: Floats, *purposes: Purpose) -> Grant:
    person, now = Ed25519PrivateKey.generate(), int(time.time())
    id = secrets.token_hex(8)
    grant = Grant(
        id=id,
        subject="Ana",
        subject_key=public_hex(person),
        operator=book.operator,
        purposes=frozenset(purposes or Purpose),
        outputs=frozenset(Output),
        valid_from=now - 60,
        valid_until=now + 3600,
        revocation=secrets.token_hex(16),
        notice="0" * 64,
        template=book.templates.keep(id, template),
        adult=True,
    )
    book.add(sign(grant, subject=person, service=book.key))
    return grant


def test_footage_of_the_person_becomes_a_signed_pack(
    run: Run, book: GrantBook, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grant = a_grant(book, clip_template(clip))
    assert run("--footage", clip, "--grant", grant.id, "--name", "Ana Silva") == 0
    card = read_card(tmp_path / "data" / "personas" / "ana-silva")
    assert (card.kind, card.grant, card.title) == (Kind.PERSON, grant.id, "Ana Silva")
    check_pack(card, book.operator)
    persona = load_persona(card)
    assert persona.picture.shape == (1024, 1024, 3)
    assert persona.points.shape == (POINTS, 3)
    said = capsys.readouterr().err
    assert "8 frames, 8 with a face, all compared with the grant" in said
    assert "looking left beyond 20 degrees" in said
    # Of the person's pictures only the pack stays.
    work = tmp_path / "data" / "training" / "personas" / "ana-silva"
    assert [path.name for path in work.iterdir()] == ["coverage.png"]


def test_another_persons_footage_is_refused_and_leaves_no_pack(
    run: Run, book: GrantBook, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grant = a_grant(book, persona_template("kofi"))
    assert run("--footage", clip, "--grant", grant.id, "--name", "Kofi") == 1
    assert "Somebody else is in clip.mp4 at 0:00" in capsys.readouterr().err
    assert not (tmp_path / "data" / "personas").exists()


def test_the_grant_is_decided_on_before_anything_is_read(
    run: Run, book: GrantBook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "nowhere.mp4"
    template = np.full(128, 0.1, np.float32)
    wear = a_grant(book, template, Purpose.WEAR)
    assert run("--footage", nowhere, "--grant", wear.id, "--name", "Ana") == 1
    assert "not for train" in capsys.readouterr().err
    revoked = a_grant(book, template)
    book.revoke(revoked.id, now=time.time())
    assert run("--footage", nowhere, "--grant", revoked.id, "--name", "Ana") == 1
    assert "was revoked" in capsys.readouterr().err
    assert run("--footage", nowhere, "--grant", "0" * 16, "--name", "Ana") == 1
    assert "no grant" in capsys.readouterr().err
    assert not (tmp_path / "data" / "training").exists()


def test_a_place_that_cannot_take_the_pack_is_told_first(
    run: Run, book: GrantBook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grant = a_grant(book, np.full(128, 0.1, np.float32))
    words = ("--footage", tmp_path / "nowhere.mp4", "--grant", grant.id, "--name", "Ana")
    assert run(*words, "--out", tmp_path / "My Pack") == 1
    assert "lower-case word" in capsys.readouterr().err
    assert run(*words, "--out", tmp_path / "data") == 1
    assert "something else is there" in capsys.readouterr().err
