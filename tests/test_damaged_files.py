"""Files of our own that were damaged or written by somebody else: read, or refused with a sentence."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livefake.cli.serve import read_certificate
from livefake.errors import LivefakeError
from livefake.resources import models_folder
from livefake.settings import Settings
from livefake.swap.persona import list_personas, load_persona, read_card
from livefake.trust.chain import brought_chain, own_chain, trusted_anchors
from livefake.trust.grants import GrantBook
from livefake.trust.issuer import issuer_number
from livefake.trust.issuers import IssuerBook
from livefake.trust.templates import TemplateStore
from livefake.trust.transfer import export_all, take_all
from tests.grantkit import SERVICE, START, embedding, enter

PACK = models_folder() / "personas" / "mara"


@dataclass(frozen=True)
class Kept:
    """A kind of file: how one comes to be, and what reads it.

    Attributes:
        name: for people.
        path: in the folder.
        make: makes it, and what belongs to it.
        read: reads it.
    """

    name: str
    path: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]


def _chain(data: Path) -> None:
    own_chain(data, now=START)
    shutil.copy(data / "provenance" / "signer.pem", data / "cert.pem")
    shutil.copy(data / "provenance" / "signer.pem", data / "key.pem")


def _https(data: Path) -> object:
    wanted = Settings(cache=data, data=data, token="0" * 24, tls_cert=data / "cert.pem", tls_key=data / "key.pem")
    return read_certificate(wanted)


def _grants(data: Path) -> None:
    enter(GrantBook(data, SERVICE), 1)
    (path,) = (data / "grants").glob("*.json")
    path.rename(data / "grant.json")


def _take(data: Path) -> None:
    with TemporaryDirectory() as other:
        GrantBook(Path(other), SERVICE).take(data / "grant.json")


def _export(data: Path) -> None:
    book = GrantBook(data, SERVICE)
    book.revoke(enter(book, 1).id, now=START + 1)
    enter(book, 2)
    export_all(book, data / "all.json")


def _take_all(data: Path) -> None:
    with TemporaryDirectory() as other:
        take_all(GrantBook(Path(other), SERVICE), data / "all.json")


def _template(data: Path) -> None:
    digest = TemplateStore(data).keep("0123456789abcdef", embedding(1))
    (data / "digest").write_text(digest)


KINDS = [
    Kept(
        "persona.toml",
        "mara/persona.toml",
        lambda data: shutil.copytree(PACK, data / "mara"),
        lambda data: read_card(data / "mara"),
    ),
    Kept("chain", "cert.pem", _chain, lambda data: brought_chain(data / "cert.pem", data / "key.pem", now=START)),
    Kept("chain key", "key.pem", _chain, lambda data: brought_chain(data / "cert.pem", data / "key.pem", now=START)),
    Kept("own chain", "provenance/signer.pem", _chain, lambda data: own_chain(data, now=START)),
    Kept("anchors", "provenance/root.pem", _chain, trusted_anchors),
    Kept("HTTPS certificate", "cert.pem", _chain, _https),
    Kept("HTTPS key", "key.pem", _chain, _https),
    Kept("grant", "grant.json", _grants, _take),
    Kept("export", "all.json", _export, _take_all),
    Kept(
        "template",
        "templates/0123456789abcdef.bin",
        _template,
        lambda data: TemplateStore(data).load("0123456789abcdef", (data / "digest").read_text()),
    ),
    Kept("installation's number", "issuer.key", issuer_number, issuer_number),
    Kept(
        "issuers", "issuers.json", lambda data: IssuerBook(data).add(1, "Eins"), lambda data: IssuerBook(data).names()
    ),
]


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """What becomes of a file: bytes changed, cut off, put in or doubled, or all of it something else."""
    kind, value = draw(st.integers(0, 5)), draw(st.binary(max_size=12))
    place = draw(st.floats(0, 1))

    def change(content: bytes) -> bytes:
        at = round(place * len(content))
        match kind:
            case 0:
                return content[:at] + value + content[at + len(value) :]
            case 1:
                return content[:at]
            case 2:
                return content[:at] + value + content[at:]
            case 3:
                return content + content[at:]
            case 4:
                return content[at:]
            case _:
                return value * 3000

    return change


@pytest.mark.parametrize("kept", KINDS, ids=lambda kept: kept.name)
def test_a_damaged_file_is_read_or_refused_with_a_sentence(tmp_path: Path, kept: Kept) -> None:
    kept.make(tmp_path)
    path = tmp_path / kept.path
    whole = path.read_bytes()
    kept.read(tmp_path)

    @settings(max_examples=80, database=None, suppress_health_check=list(HealthCheck))
    @given(damage())
    def one(change: Callable[[bytes], bytes]) -> None:
        path.write_bytes(change(whole))
        try:
            kept.read(tmp_path)
        except LivefakeError as error:
            sentence = error.problem
        else:
            return
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert "Traceback" not in sentence

    one()
    path.unlink()
    path.mkdir()
    if kept.read is not trusted_anchors:  # one of these that cannot be read is left out
        with pytest.raises(LivefakeError):
            kept.read(tmp_path)


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(["id", "title", "kind", "grant", "licence", "engine", "files"]), st.text(max_size=30))
def test_any_word_in_a_card_is_read_or_refused(name: str, value: str) -> None:
    with TemporaryDirectory() as folder:
        pack = Path(folder) / "mara"
        pack.mkdir()
        quoted = "".join(f"\\U{ord(char):08X}" for char in value if not 0xD800 <= ord(char) < 0xE000)
        lines = (PACK / "persona.toml").read_text("utf-8").splitlines()
        kept = [line for line in lines if not line.startswith(f"{name} ")]
        (pack / "persona.toml").write_text("\n".join([f'{name} = "{quoted}"', *kept]), "utf-8")
        try:
            card = read_card(pack)
        except LivefakeError as error:
            assert error.problem  # noqa: PT017 - either end is right
        else:
            # Whatever it is called, nothing outside the pack is named by it.
            assert card.folder == pack
            assert all("/" not in file and ".." not in file for file in card.files)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_landmarks_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    pack = Path(shutil.copytree(PACK, tmp_path / "mara"))
    points = np.load(pack / "landmarks.npy")
    points[7, 1] = bad
    np.save(pack / "landmarks.npy", points)
    card = read_card(pack)
    # Whoever writes a pack writes its checksums too.
    digest = hashlib.sha256((pack / "landmarks.npy").read_bytes()).hexdigest()
    with pytest.raises(LivefakeError, match=r"landmarks\.npy of mara should be"):
        load_persona(replace(card, files={**card.files, "landmarks.npy": digest}))


def test_one_damaged_pack_hides_no_other(tmp_path: Path) -> None:
    for name in ("mara", "edgar"):
        shutil.copytree(models_folder() / "personas" / name, tmp_path / name)
    (tmp_path / "edgar" / "persona.toml").write_bytes(b"\x00\xff")
    assert [card.id for card in list_personas(models_folder() / "nowhere", tmp_path)] == ["mara"]
