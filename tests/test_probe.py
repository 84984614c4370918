"""Whose face comes out: the rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livefake.errors import ConsentError
from livefake.frame import Floats
from livefake.resources import models_folder
from livefake.swap.persona import list_personas
from livefake.trust.probe import LIKE, Verdict, compare, judge
from livefake.trust.rehearsal import Sight
from livefake.trust.shipped import SHIPPED, is_shipped
from livefake.trust.verdicts import VerdictStore
from tests.grantkit import SERVICE, STRANGER, embedding

MINE, OTHER = "a" * 16, "b" * 16
TEMPLATES = {MINE: embedding(1), OTHER: embedding(2)}


def faces(away: float, seed: int = 1, count: int = 8) -> Floats:
    """Faces that are so far from somebody's template, in a direction that is nobody's."""
    return np.tile(embedding(seed) + np.float32(away) * embedding(99), (count, 1)).astype(np.float32)


def ask(
    embeddings: Floats, grant: str | None, *, pictures: int = 8, templates: dict[str, Floats] | None = None
) -> Verdict:
    return judge(
        "Zoë",
        grant=grant,
        embeddings=embeddings,
        pictures=pictures,
        templates=TEMPLATES if templates is None else templates,
    )


@given(st.floats(0, 2), st.sampled_from([None, MINE, OTHER]))
def test_only_the_grants_own_face_passes_and_only_nobodys_needs_none(away: float, grant: str | None) -> None:
    embeddings = faces(away)
    distances = compare(embeddings, TEMPLATES)
    right = all(one >= LIKE for one in distances.values()) if grant is None else distances[grant] < LIKE
    if grant is not None and right:
        right = grant == min(distances, key=lambda id: distances[id])
    try:
        verdict = ask(embeddings, grant)
    except ConsentError:
        assert not right
    else:
        assert right
        assert (verdict.grant, verdict.faces) == (grant, 8)


def test_what_is_wrong_is_told() -> None:
    with pytest.raises(ConsentError, match="not the one of grant a"):
        ask(faces(0.8), MINE)
    with pytest.raises(ConsentError, match="says that it is nobody's face, but its face is that of grant a"):
        ask(faces(0.2), None)
    with pytest.raises(ConsentError, match=r"nearer to grant b.*than to its own"):
        ask(faces(0.2), MINE, templates={MINE: embedding(1), OTHER: faces(0.2)[0]})
    with pytest.raises(ConsentError, match=r"template of grant a+ is gone"):
        ask(faces(0.2), MINE, templates={})


@given(st.integers(0, 12), st.integers(1, 12))
def test_where_too_few_faces_come_out_nobody_can_tell(count: int, pictures: int) -> None:
    if count > 0 and count >= 0.75 * pictures:
        assert ask(faces(0.2, count=count), MINE, pictures=pictures).faces == count
    else:
        with pytest.raises(ConsentError, match="nobody can tell whose it is"):
            ask(faces(0.2, count=count), MINE, pictures=pictures)


@given(st.integers(0, 7), st.sampled_from([np.nan, np.inf, -np.inf]), st.sampled_from([None, MINE]))
def test_what_is_no_number_passes_nobody(row: int, value: float, grant: str | None) -> None:
    embeddings = faces(0.2 if grant else 1.5)
    embeddings[row, 5] = value
    with pytest.raises(ConsentError, match="cannot be compared"):
        ask(embeddings, grant)
    with pytest.raises(ConsentError):
        ask(faces(0.2), MINE, templates={MINE: np.full(128, value, np.float32)})
    with pytest.raises(ConsentError):
        ask(faces(1.5), None, templates={MINE: np.full(128, np.nan, np.float32)})


@given(st.integers(0, 8))
def test_faces_of_somebody_else_among_the_right_ones_refuse(strange: int) -> None:
    embeddings = faces(0.2)
    embeddings[:strange] = embedding(5)
    if strange <= 2:
        assert ask(embeddings, MINE).grant == MINE
    else:
        with pytest.raises(ConsentError, match="not the one of grant"):
            ask(embeddings, MINE)


def test_the_personas_that_come_with_livefake_are_known_by_their_files(tmp_path: Path) -> None:
    cards = list_personas(models_folder() / "personas")
    assert {card.id: card.content for card in cards} == SHIPPED
    assert all(is_shipped(card) for card in cards)


def test_a_verdict_is_found_again_for_the_same_files_and_grants_only(tmp_path: Path) -> None:
    store, verdict = VerdictStore(tmp_path, SERVICE), Verdict(MINE, {MINE: 0.3}, 9)
    hashes = {MINE: "1" * 64}
    store.keep(verdict, "content", hashes)
    assert store.find("content", MINE, hashes) == verdict
    assert store.find("other", MINE, hashes) is None
    assert store.find("content", None, hashes) is None
    assert store.find("content", MINE, hashes | {OTHER: "2" * 64}) is None
    assert store.find("content", MINE, {MINE: "3" * 64}) is None
    assert VerdictStore(tmp_path, STRANGER).find("content", MINE, hashes) is None
    [path] = (tmp_path / "probes").glob("*.json")
    path.write_text(path.read_text().replace("0.3", "0.1"))
    assert store.find("content", MINE, hashes) is None


@given(st.binary(max_size=200))
def test_a_damaged_verdict_counts_as_none(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        store = VerdictStore(Path(folder), SERVICE)
        store.keep(Verdict(None, {}, 9), "content", {})
        store.keep_faces(Sight(faces(0.1), 9), "content")
        for path in (Path(folder) / "probes").iterdir():
            path.write_bytes(content)
        assert store.find("content", None, {}) is None
        assert store.find_faces("content") is None


def test_faces_of_nobody_are_kept(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path, SERVICE)
    assert store.find_faces("content") is None
    store.keep_faces(Sight(faces(0.1), 9), "content")
    found = store.find_faces("content")
    assert found is not None
    assert found.pictures == 9
    assert np.array_equal(found.embeddings, faces(0.1))
    # A folder that cannot be written is done without.
    blocked = tmp_path / "file"
    blocked.write_text("")
    VerdictStore(blocked, SERVICE).keep_faces(Sight(faces(0.1), 9), "content")
