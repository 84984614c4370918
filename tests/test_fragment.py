from __future__ import annotations

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from livefake.errors import BadRequest
from livefake.media.webrtc.fragment import Fragment, read_fragment

CANDIDATE = "a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host"
BODY = (
    f"a=ice-ufrag:abcd\r\na=ice-pwd:secret\r\nm=video 9 RTP/AVP 0\r\na=mid:v\r\n{CANDIDATE}\r\na=end-of-candidates\r\n"
)


def test_candidates_come_with_their_section() -> None:
    fragment = read_fragment(BODY)
    assert (fragment.user, fragment.complete) == ("abcd", True)
    [candidate] = fragment.candidates
    assert (candidate.ip, candidate.port, candidate.sdpMid, candidate.sdpMLineIndex) == ("192.0.2.7", 50000, "v", 0)


def test_a_section_without_a_name_is_counted() -> None:
    [candidate] = read_fragment(f"m=audio 9 RTP/AVP 0\nm=video 9 RTP/AVP 0\n{CANDIDATE}").candidates
    assert (candidate.sdpMid, candidate.sdpMLineIndex) == (None, 1)


def test_nothing_said_is_nothing_taken() -> None:
    assert read_fragment("") == Fragment()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a=candidate:hello", "cannot be read"),
        (CANDIDATE.replace("50000", "0"), "port should be 1 to 65535, got 0"),
        (CANDIDATE.replace("50000", "70000"), "got 70000"),
        (CANDIDATE.replace("typ host", "typ other"), "cannot be read"),
        ("a=ice-ufrag:abcd\na=ice-ufrag:efgh", "names two"),
        ("\n".join([CANDIDATE] * 65), "may have 64 candidates, got 65"),
        ("x" * 20_000, "may have 16384 bytes, got 20000"),
    ],
)
def test_what_does_not_fit_is_told(text: str, problem: str) -> None:
    with pytest.raises(BadRequest, match=problem):
        read_fragment(text)


@given(st.text() | st.lists(st.sampled_from(BODY.split()) | st.text(max_size=20), max_size=40).map(" ".join))
@example("a=candidate:\0")
def test_no_text_does_anything_else(text: str) -> None:
    with contextlib.suppress(BadRequest):
        read_fragment(text)
