from __future__ import annotations

import contextlib

import pytest
from aiortc import RTCRtpSender
from hypothesis import example, given
from hypothesis import strategies as st

from livefake.errors import BadRequest
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.sdp import PERFORMER, VIEWER, check_offer, preferred, with_bitrates

FINGERPRINT = ":".join(["AB"] * 32)
SESSION = f"""v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=ice-ufrag:abcd
a=ice-pwd:0123456789012345678901
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
"""
VIDEO = """m=video 9 UDP/TLS/RTP/SAVPF 96 97 102
c=IN IP4 0.0.0.0
a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
"""
AUDIO = """m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
a=mid:1
a=sendonly
a=rtcp-mux
a=rtpmap:111 opus/48000/2
"""
OFFER = SESSION + VIDEO


@pytest.mark.parametrize(
    "offer", [OFFER, OFFER.replace("\n", "\r\n"), OFFER + AUDIO, OFFER.replace("sendrecv", "sendonly")]
)
def test_a_camera_is_taken_from_a_performer(offer: str) -> None:
    check_offer(offer, PERFORMER)


def test_a_viewer_may_only_receive() -> None:
    check_offer(OFFER.replace("sendrecv", "recvonly"), VIEWER)
    with pytest.raises(BadRequest, match="should be recvonly, got sendrecv"):
        check_offer(OFFER, VIEWER)


@pytest.mark.parametrize(
    ("offer", "problem"),
    [
        ("", "begins with v=0"),
        ("hello", "begins with v=0"),
        (SESSION, "got none"),
        (SESSION + AUDIO, "got audio"),
        (OFFER + VIDEO.replace("mid:0", "mid:1"), "got video, video"),
        (OFFER + AUDIO + AUDIO.replace("mid:1", "mid:2"), "got video, audio, audio"),
        (OFFER + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:1\n", "got video, application"),
        (OFFER.replace("sendrecv", "recvonly"), "should be sendonly or sendrecv, got recvonly"),
        (OFFER.replace("sendrecv", "inactive"), "got inactive"),
        (OFFER.replace("a=sendrecv\n", ""), "a=sendrecv, a=sendonly"),
        (OFFER.replace("a=mid:0\n", ""), "lacks a=mid"),
        (OFFER.replace("a=ice-ufrag:abcd\n", ""), "lacks a=ice-ufrag"),
        (OFFER.replace("a=ice-pwd:0123456789012345678901\n", ""), "lacks a=ice-pwd"),
        (OFFER.replace(f"a=fingerprint:sha-256 {FINGERPRINT}\n", ""), "lacks a=fingerprint"),
        (OFFER.replace("a=setup:actpass\n", ""), "a=setup"),
        (OFFER.replace("a=rtcp-mux\n", ""), "lacks a=rtcp-mux"),
        (OFFER.replace("VP8", "VP9").replace("H264", "AV1"), "neither H264 nor VP8, got AV1, RTX, VP9"),
        (OFFER.replace("m=video 9", "m=video nine"), "cannot be parsed"),
        (OFFER.replace("a=fmtp:102", "a=fmtp:999"), "cannot be parsed"),
        (OFFER + "a=candidate:1 1 udp 1 192.0.2.7 50000 typ host\n" * 64, "64 ICE candidates a section, got 65"),
        (OFFER + "a=x:" + "y" * 65_536, "may have 65536 bytes"),
    ],
)
def test_an_offer_that_does_not_fit_is_refused_with_a_reason(offer: str, problem: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_offer(offer, PERFORMER)
    assert problem in caught.value.problem
    assert caught.value.remedy


LINES = st.sampled_from([*OFFER.splitlines(), *AUDIO.splitlines()])


@given(st.one_of(st.text(), st.text().map("v=0\n".__add__), st.lists(LINES | st.text(max_size=20)).map("\n".join)))
@example("v=0\na=group:")
@example("v=0\na=setup:sideways")
@example("v=0\nm=video 9 UDP/TLS/RTP/SAVPF 1\na=ssrc:1")
@example("\ud800")
def test_arbitrary_text_is_taken_or_refused_and_nothing_else(text: str) -> None:
    for directions in (PERFORMER, VIEWER):
        with contextlib.suppress(BadRequest):
            check_offer(text, directions)


@given(st.data())
def test_an_offer_with_lines_lost_or_swapped_is_taken_or_refused(data: st.DataObject) -> None:
    lines = OFFER.splitlines()
    keep = data.draw(st.lists(st.sampled_from(range(len(lines))), max_size=len(lines)))
    with contextlib.suppress(BadRequest):
        check_offer("\n".join(["v=0", *(lines[index] for index in keep)]), PERFORMER)


def test_an_answer_prefers_constrained_baseline_then_baseline_then_vp8() -> None:
    codecs = RTCRtpSender.getCapabilities("video").codecs
    order = [(codec.mimeType, codec.parameters.get("profile-level-id")) for codec in preferred(codecs[::-1])]
    assert order == [("video/H264", "42e01f"), ("video/H264", "42001f"), ("video/VP8", None), ("video/rtx", None)]


def test_the_answer_names_the_bitrates_of_video_formats_and_leaves_the_rest_alone() -> None:
    wishes = "x-google-min-bitrate=1200;x-google-start-bitrate=3000;x-google-max-bitrate=4000"
    answer = with_bitrates((OFFER + AUDIO).replace("\n", "\r\n"), Bitrate(at_360p=1_200_000, at_720p=3_000_000))
    lines = answer.split("\r\n")
    assert lines[-1] == ""
    assert f"a=fmtp:96 {wishes}" in lines
    assert "a=fmtp:97 apt=96" in lines
    assert f"a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f;{wishes}" in lines
    unchanged = [line for line in (OFFER + AUDIO).splitlines() if "a=fmtp:102" not in line]
    assert [line for line in lines[:-1] if "x-google" not in line] == unchanged
