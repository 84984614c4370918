"""Each mend of aiortc is shown beside the stock class it replaces: a mend that no longer bites fails here."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterable
from fractions import Fraction

import aioice.ice
import aioice.stun
import aiortc
import av
import numpy as np
import pytest
from aiortc import codecs, rtcicetransport, rtcpeerconnection
from aiortc.codecs import depayload, get_decoder, get_encoder
from aiortc.codecs.h264 import H264Decoder, H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack, RTCRtpReceiver
from aiortc.rtcrtpsender import RTCRtpSender
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from livefake.clock import FakeClock
from livefake.errors import LivefakeError
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.checks import PromptConnection
from livefake.media.webrtc.coders import LowDelayH264Decoder, LowDelayH264Encoder, LowDelayVp8Encoder
from livefake.media.webrtc.feed_track import FeedSender
from livefake.media.webrtc.low_delay import (
    DecoderQueue,
    LowDelayReceiver,
    MarkerJitterBuffer,
    NewestTrack,
    ReleasedFrame,
    install,
    is_key_frame,
)
from livefake.media.webrtc.sound_buffer import SoundJitterBuffer

H264 = RTCRtpCodecParameters(mimeType="video/H264", clockRate=90_000, payloadType=101)
VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=97)
KEY, DELTA = b"\0\0\0\1\x67\0\0\0\1\x65key", b"\0\0\0\1\x61delta"


@pytest.fixture
def _restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begins with the stock classes, whatever an earlier test installed, and puts back what was there."""
    for module, name, stock in (
        (rtcpeerconnection, "RTCRtpReceiver", RTCRtpReceiver),
        (rtcpeerconnection, "RemoteStreamTrack", RemoteStreamTrack),
        (rtcpeerconnection, "RTCRtpSender", RTCRtpSender),
        (codecs, "H264Decoder", H264Decoder),
        (codecs, "H264Encoder", H264Encoder),
        (codecs, "Vp8Encoder", Vp8Encoder),
        (rtcicetransport, "Connection", aioice.Connection),
        (aioice.ice, "CONSENT_INTERVAL", 5),
        (aioice.ice, "CONSENT_FAILURES", 6),
    ):
        monkeypatch.setattr(module, name, stock)


# Installing


@pytest.mark.usefixtures("_restored")
def test_installing_twice_puts_the_mended_classes_in_place_once() -> None:
    install(Bitrate())
    install(Bitrate(at_720p=2_000_000))
    assert vars(rtcpeerconnection)["RTCRtpReceiver"] is LowDelayReceiver
    assert vars(rtcpeerconnection)["RemoteStreamTrack"] is NewestTrack
    assert vars(rtcpeerconnection)["RTCRtpSender"] is FeedSender
    assert vars(rtcicetransport)["Connection"] is PromptConnection
    assert isinstance(get_decoder(H264), LowDelayH264Decoder)
    assert isinstance(get_encoder(VP8), LowDelayVp8Encoder)
    encoder = get_encoder(H264)
    assert isinstance(encoder, LowDelayH264Encoder)
    encoder.encode(picture(0, 1280, 720))
    assert encoder.target_bitrate == 2_000_000


@pytest.mark.usefixtures("_restored")
def test_another_version_of_aiortc_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiortc, "__version__", "1.17.0")
    with pytest.raises(LivefakeError, match=r"mends aiortc 1\.16\.0, found 1\.17\.0.*pip install aiortc==1\.16\.0"):
        install(Bitrate())
    assert vars(rtcpeerconnection)["RTCRtpReceiver"] is RTCRtpReceiver


@pytest.mark.usefixtures("_restored")
def test_internals_of_another_shape_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(aioice.ice, "CONSENT_FAILURES")
    with pytest.raises(LivefakeError, match="expects CONSENT_FAILURES"):
        install(Bitrate())


@pytest.mark.usefixtures("_restored")
def test_a_vanished_browser_is_noticed_within_five_seconds() -> None:
    def longest() -> float:
        return aioice.ice.CONSENT_FAILURES * (1.2 * aioice.ice.CONSENT_INTERVAL + aioice.stun.RETRY_RTO)

    assert longest() > 30
    install(Bitrate())
    assert longest() < 5


async def test_a_receiver_is_given_the_mended_parts_of_its_kind() -> None:
    transport = aiortc.RTCDtlsTransport(
        aiortc.RTCIceTransport(aiortc.RTCIceGatherer([])), [aiortc.RTCCertificate.generateCertificate()]
    )
    video, sound = vars(LowDelayReceiver("video", transport)), vars(LowDelayReceiver("audio", transport))
    stock = vars(RTCRtpReceiver("video", transport))
    assert isinstance(sound["_RTCRtpReceiver__jitter_buffer"], SoundJitterBuffer)
    for part, mended in (("jitter_buffer", MarkerJitterBuffer), ("decoder_queue", DecoderQueue)):
        name = f"_RTCRtpReceiver__{part}"
        assert isinstance(video[name], mended)
        assert not isinstance(sound[name], mended)
        assert not isinstance(stock[name], mended)


# The jitter buffer


def packet(number: int, ticks: int, data: bytes = b"x", *, last: bool = False) -> RtpPacket:
    made = RtpPacket(payload_type=101, marker=int(last), sequence_number=number & 0xFFFF, timestamp=ticks & 0xFFFFFFFF)
    made._data = data  # type: ignore[attr-defined]  # what the receiver adds
    return made


def released(buffer: JitterBuffer, packets: Iterable[RtpPacket]) -> list[bytes]:
    frames = [buffer.add(each)[1] for each in packets]
    return [frame.data for frame in frames if frame is not None]


def two_frames(number: int = 0, ticks: int = 0) -> list[RtpPacket]:
    return [
        packet(number, ticks, b"a"),
        packet(number + 1, ticks, b"b", last=True),
        packet(number + 2, ticks + 3000, b"c"),
        packet(number + 3, ticks + 3000, b"d", last=True),
    ]


def test_a_frame_is_released_at_its_marker_where_the_stock_buffer_waits_for_the_next() -> None:
    assert released(JitterBuffer(512, is_video=True), two_frames()) == [b"ab"]
    assert released(MarkerJitterBuffer(), two_frames()) == [b"ab", b"cd"]
    assert released(MarkerJitterBuffer(), two_frames()[:1]) == []


def test_sequence_numbers_and_timestamps_may_wrap_around() -> None:
    assert released(MarkerJitterBuffer(), two_frames(0xFFFF, 0xFFFFFFFF)) == [b"ab", b"cd"]
    assert released(MarkerJitterBuffer(), two_frames(0xFFFE, 0xFFFFFFFF - 2999)) == [b"ab", b"cd"]


def test_a_frame_waits_for_its_missing_packet() -> None:
    a, b, c, d = two_frames()
    assert released(MarkerJitterBuffer(), [a, c, d, b]) == [b"ab"]
    assert released(MarkerJitterBuffer(), [a, c, b, d]) == [b"ab", b"cd"]


def test_a_sender_without_markers_is_understood_as_before() -> None:
    packets = [packet(number, number // 2 * 3000, bytes([number])) for number in range(6)]
    assert released(MarkerJitterBuffer(), packets) == [b"\0\1", b"\2\3"]


def test_padding_after_the_marker_makes_no_frame_and_delays_none() -> None:
    a, b, *_ = two_frames()
    padding = packet(2, 0, b"")
    assert released(MarkerJitterBuffer(), [a, b, padding, packet(3, 3000, b"c", last=True)]) == [b"ab", b"c"]


def test_a_lost_packet_is_given_up_after_three_tenths_of_a_second() -> None:
    buffer = MarkerJitterBuffer()
    assert released(buffer, two_frames()[:2]) == [b"ab"]
    later = [packet(3 + n, 6000 + n * 3000, b"%d" % n, last=True) for n in range(11)]
    answers = [buffer.add(each) for each in later]
    assert [asked for asked, _ in answers].index(True) == 10
    frame = answers[10][1]
    assert isinstance(frame, ReleasedFrame)
    # What follows the hole may be the rest of a frame, so that the first one to trust is the second.
    assert (frame.data, frame.after_gap) == (b"1", True)


def test_a_pause_of_the_camera_is_not_taken_for_a_loss() -> None:
    buffer = MarkerJitterBuffer()
    assert released(buffer, two_frames()) == [b"ab", b"cd"]
    assert buffer.add(packet(4, 900_000, b"e")) == (False, None)
    _, frame = buffer.add(packet(5, 900_000, b"f", last=True))
    assert frame is not None
    assert frame.data == b"ef"


def test_a_stream_that_begins_anew_asks_for_a_key_frame() -> None:
    buffer = MarkerJitterBuffer()
    assert released(buffer, two_frames(30_000)) == [b"ab", b"cd"]
    asked, _ = buffer.add(packet(100, 0, b"x", last=True))
    assert asked
    _, frame = buffer.add(packet(101, 3000, b"y", last=True))
    assert isinstance(frame, ReleasedFrame)
    assert (frame.data, frame.after_gap) == (b"y", True)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(0, 0xFFFF), st.randoms(use_true_random=False))
def test_whatever_is_lost_or_reordered_only_whole_frames_come_out_in_order(
    sizes: list[int], first: int, chance: random.Random
) -> None:
    number = first
    packets: list[RtpPacket] = []
    whole: list[bytes] = []
    for frame, size in enumerate(sizes):
        parts = [bytes([frame, part]) for part in range(size)]
        whole.append(b"".join(parts))
        for part in parts:
            packets.append(packet(number, frame * 6000, part, last=part is parts[-1]))
            number += 1
    # The buffer cannot know about what came before the first packet it sees, so that one arrives first.
    kept = packets[:1] + [each for each in packets[1:] if chance.random() > 0.1]
    for index in range(1, len(kept) - 1):
        if chance.random() < 0.2:
            kept[index], kept[index + 1] = kept[index + 1], kept[index]
    frames = released(MarkerJitterBuffer(), kept)
    places = [whole.index(frame) for frame in frames]
    assert places == sorted(set(places))
    if len(kept) == len(packets):
        assert places[:1] == [0]


# The queues


def waiting(queue: DecoderQueue) -> list[bytes]:
    items = [queue.get_nowait() for _ in range(queue.qsize())]
    return [item[1].data for item in items if item is not None]


def test_a_decoder_that_is_too_slow_goes_on_with_the_next_key_frame() -> None:
    ask = threading.Event()
    queue = DecoderQueue(ask)
    for data in (KEY, DELTA, DELTA, DELTA):
        queue.put((H264, JitterFrame(data, 0)))
    assert queue.qsize() == 4
    assert not ask.is_set()
    queue.put((H264, JitterFrame(DELTA, 0)))
    assert queue.qsize() == 0
    assert ask.is_set()
    queue.put((H264, JitterFrame(DELTA, 0)))
    assert queue.qsize() == 0
    queue.put((H264, JitterFrame(KEY + b"2", 0)))
    queue.put((H264, JitterFrame(DELTA, 0)))
    assert queue.dropped == 6
    assert waiting(queue) == [KEY + b"2", DELTA]


def test_a_key_frame_that_overflows_the_queue_takes_the_place_of_all_before() -> None:
    ask = threading.Event()
    queue = DecoderQueue(ask)
    for data in (KEY, DELTA, DELTA, DELTA, KEY + b"2"):
        queue.put((H264, JitterFrame(data, 0)))
    assert waiting(queue) == [KEY + b"2"]
    assert not ask.is_set()


def test_a_stream_is_decoded_from_its_first_key_frame_and_again_after_a_gap() -> None:
    ask = threading.Event()
    queue = DecoderQueue(ask)
    queue.put((H264, JitterFrame(DELTA, 0)))
    assert ask.is_set()
    assert waiting(queue) == []
    queue.put((H264, JitterFrame(KEY, 0)))
    ask.clear()
    queue.put((H264, ReleasedFrame(DELTA, 0, after_gap=True)))
    assert ask.is_set()
    assert waiting(queue) == [KEY]


def test_the_request_for_a_key_frame_is_repeated() -> None:
    ask = threading.Event()
    queue = DecoderQueue(ask)
    asked = 0
    for _ in range(61):
        queue.put((H264, JitterFrame(DELTA, 0)))
        asked += ask.is_set()
        ask.clear()
    assert asked == 3


def test_the_end_always_reaches_the_decoder() -> None:
    queue = DecoderQueue(threading.Event())
    queue.put(None)
    assert queue.get_nowait() is None


async def test_a_track_holds_the_newest_picture_where_the_stock_one_holds_all() -> None:
    stock, mended = RemoteStreamTrack("video"), NewestTrack("video", "camera")
    pictures = [picture(number) for number in range(5)]
    for each in pictures:
        await stock._queue.put(each)
        await mended._queue.put(each)
    assert (stock._queue.qsize(), mended._queue.qsize()) == (5, 1)
    assert await mended.recv() is pictures[-1]
    assert mended.id == "camera"


async def test_the_end_of_a_track_is_not_overwritten_by_a_late_picture() -> None:
    track = NewestTrack("video")
    await track._queue.put(None)
    await track._queue.put(picture(0))
    with pytest.raises(aiortc.mediastreams.MediaStreamError):
        await track.recv()


async def test_a_second_of_sound_is_kept() -> None:
    track = NewestTrack("audio")
    frames = [av.AudioFrame("s16", "mono", 960) for _ in range(60)]
    for frame in frames:
        await track._queue.put(frame)
    assert await asyncio.wait_for(track.recv(), 1) is frames[10]


# The coders


def picture(number: int, width: int = 320, height: int = 180) -> av.VideoFrame:
    noise = np.random.default_rng(number).integers(16, 235, (height * 3 // 2, width), np.uint8)
    made = av.VideoFrame.from_numpy_buffer(noise, format="yuv420p")
    made.pts, made.time_base = number * 3000, Fraction(1, 90_000)
    return made


def stream(codec: RTCRtpCodecParameters, payloads: list[bytes]) -> bytes:
    return b"".join(depayload(codec, payload) for payload in payloads)


def test_x264_works_with_the_settings_of_least_delay() -> None:
    encoder = LowDelayH264Encoder(Bitrate(at_360p=1_000_000, at_720p=4_000_000))
    payloads, ticks = encoder.encode(picture(1, 1280, 720))
    # x264 writes its settings into the first picture.
    settings = set(stream(H264, payloads).partition(b"options: ")[2].partition(b"\0")[0].split())
    assert ticks == 3000
    assert {b"ref=1", b"subme=0", b"me=dia", b"bframes=0", b"rc_lookahead=0", b"scenecut=0"} <= settings
    assert {b"bitrate=4000", b"vbv_maxrate=4000", b"vbv_bufsize=2000", b"threads=1", b"keyint=3000"} <= settings
    stock = stream(H264, H264Encoder().encode(picture(1, 1280, 720))[0]).partition(b"options: ")[2]
    assert b"ref=3" in stock
    assert b"vbv" not in stock


def test_a_large_picture_is_coded_in_two_slices() -> None:
    encoder = LowDelayH264Encoder(Bitrate())
    data = stream(H264, encoder.encode(picture(1, 1920, 1080))[0])
    assert b"threads=2" in data
    assert b"sliced_threads=1" in data


def test_libvpx_knows_every_setting_it_is_given() -> None:
    encoder = LowDelayVp8Encoder(Bitrate())
    encoder.encode(picture(0))
    assert encoder.codec is not None
    # FFmpeg takes the settings it knows out of the options.
    assert encoder.codec.options == {}
    assert encoder.codec.thread_count == 1


def test_key_frames_are_told_from_the_others() -> None:
    coders = ((H264, LowDelayH264Encoder(Bitrate())), (VP8, LowDelayVp8Encoder(Bitrate())))
    for codec, encoder in coders:
        forced = [number in (0, 3) for number in range(5)]
        found = [
            is_key_frame(codec.name, stream(codec, encoder.encode(picture(number), force_keyframe=force)[0]))
            for number, force in enumerate(forced)
        ]
        assert found == forced
    assert not is_key_frame("H264", b"\0\0\1")


def test_what_is_coded_can_be_decoded_at_once() -> None:
    encoder, decoder = LowDelayH264Encoder(Bitrate()), LowDelayH264Decoder()
    for number in range(4):
        payloads, ticks = encoder.encode(picture(number))
        [decoded] = decoder.decode(JitterFrame(stream(H264, payloads), ticks))
        assert decoded.pts == number * 3000


def test_a_wobbling_estimate_makes_no_new_coder_where_the_stock_one_does() -> None:
    clock = FakeClock()
    mended = (LowDelayH264Encoder(Bitrate(), clock), LowDelayVp8Encoder(Bitrate(), clock))
    for encoder in (*mended, H264Encoder(), Vp8Encoder()):
        encoder.encode(picture(0))
        first = encoder.codec
        encoder.target_bitrate = 800_000
        encoder.encode(picture(1))
        encoder.target_bitrate = 600_000
        encoder.encode(picture(2))
        clock.advance(1_000)
        assert (encoder.codec is first) == (encoder in mended)


def test_a_lasting_low_estimate_lowers_the_rate_of_x264_without_a_key_frame() -> None:
    clock = FakeClock()
    encoder = LowDelayH264Encoder(Bitrate(), clock)
    encoder.encode(picture(0, 640, 360))
    first, before = encoder.codec, encoder.target_bitrate
    encoder.target_bitrate = 600_000
    frames = []
    for number in range(1, 6):
        clock.advance(1_000)
        frames.append(stream(H264, encoder.encode(picture(number, 640, 360))[0]))
    assert (before, encoder.target_bitrate) == (1_200_000, 510_000)
    assert encoder.codec is first
    assert not any(is_key_frame("H264", frame) for frame in frames)


def test_a_new_size_makes_a_new_coder() -> None:
    for encoder in (LowDelayH264Encoder(Bitrate()), LowDelayVp8Encoder(Bitrate())):
        encoder.encode(picture(0, 320, 180))
        small = encoder.target_bitrate
        encoder.encode(picture(1, 640, 360))
        assert small < encoder.target_bitrate == 1_200_000


# The jitter buffer of sound


def heard(buffer: SoundJitterBuffer, numbers: list[int]) -> list[list[int]]:
    """Which packets come out when each of those goes in, by their time stamps."""
    out = []
    for number in numbers:
        _, frame = buffer.add(packet(number, number * 960))
        free = [] if frame is None else [frame]
        while (frame := buffer.more()) is not None:
            free.append(frame)
        out.append([each.timestamp // 960 for each in free])
    return out


def test_sound_comes_out_with_its_own_packet() -> None:
    assert heard(SoundJitterBuffer(), [5, 6, 7]) == [[5], [6], [7]]


def test_sound_that_overtook_other_sound_waits_for_it() -> None:
    assert heard(SoundJitterBuffer(), [5, 7, 8, 6, 9]) == [[5], [], [], [6, 7, 8], [9]]


def test_sound_that_is_lost_is_waited_for_while_four_packets_come() -> None:
    assert heard(SoundJitterBuffer(), [5, 7, 8, 9, 10, 11]) == [[5], [], [], [], [7, 8, 9, 10], [11]]
    assert heard(SoundJitterBuffer(), [5, 500, 501]) == [[5], [500], [501]]
    assert heard(SoundJitterBuffer(), [65_535, 0, 2, 1]) == [[65_535], [0], [], [1, 2]]


def test_padding_is_no_sound() -> None:
    buffer = SoundJitterBuffer()
    assert buffer.add(packet(1, 0, b""))[1] is None
    assert buffer.add(packet(2, 960))[1] is not None
