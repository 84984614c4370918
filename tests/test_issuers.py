from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livefake.errors import BadRequest, LivefakeError, NotFound
from livefake.trust.issuers import IssuerBook, read_issuer


def test_names_are_kept_by_number(tmp_path: Path) -> None:
    book = IssuerBook(tmp_path / "data")
    assert book.names() == {}
    book.add(0xABCDEF, "Studio Nord, Köln")
    book.add(0x00001F, "A friend")
    assert IssuerBook(tmp_path / "data").names() == {0x1F: "A friend", 0xABCDEF: "Studio Nord, Köln"}
    book.add(0x1F, "A better friend")
    book.remove(0xABCDEF)
    assert book.names() == {0x1F: "A better friend"}
    with pytest.raises(NotFound, match="abcdef is not among the known ones"):
        book.remove(0xABCDEF)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["issuers.json"]


@pytest.mark.parametrize(("text", "number"), [("abcdef", 0xABCDEF), ("0x00001F", 0x1F), (" ABCDEF ", 0xABCDEF)])
def test_a_number_is_six_hexadecimal_digits(text: str, number: int) -> None:
    assert read_issuer(text) == number


@pytest.mark.parametrize("text", ["", "abcde", "abcdefa", "abcdeg", "-bcdef", "12 456", "٣٣٣٣٣٣"])
def test_anything_else_is_no_number(text: str) -> None:
    with pytest.raises(BadRequest, match="six hexadecimal digits"):
        read_issuer(text)


@pytest.mark.parametrize("name", ["", " x", "x\n", "x" * 81, "a\u202eb"])
def test_a_name_is_short_and_printable(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="printable"):
        IssuerBook(tmp_path).add(1, name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=60).filter(lambda content: content.strip() != b"{}"),
        st.sampled_from([b"[1]", b'{"1": "x"}', b'{"abcdef": 1}', b"[" * 10_000]),
    )
)
def test_a_damaged_book_is_told_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "issuers.json").write_bytes(content)
    with pytest.raises(LivefakeError, match="cannot be read"):
        IssuerBook(tmp_path).names()
