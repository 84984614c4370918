from __future__ import annotations

import asyncio
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st

from livefake.clock import FakeClock
from livefake.errors import BadMedia
from livefake.frame import RTP_CLOCK, Box, Bytes, Face, Frame
from livefake.media.picture import to_frame
from livefake.media.timeline import Timeline
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.coders import LowDelayH264Encoder, LowDelayVp8Encoder
from livefake.media.webrtc.track import SealedTrack, TrackSink
from livefake.trust.seal import Seal, Sealed

PERFORMER = Face(Box(0, 0, 8, 8), np.zeros((468, 3), np.float32), score=1.0, presence=1.0, track=1, performer=True)


def i420(seed: int = 0, width: int = 64, height: int = 48) -> Bytes:
    return np.random.default_rng(seed).integers(16, 235, (height * 3 // 2, width), np.uint8)


def swapped(pts: int, *, time_base: Fraction = RTP_CLOCK) -> Sealed:
    frame = Frame(i420(pts), pts, 0, time_base, faces=(PERFORMER,), done={"blend", "label", "watermark"})
    return Seal(1)(frame)


def card() -> Sealed:
    return Seal(1).card(Frame(i420(), 0, 0, done={"card", "label", "watermark"}))


# The track


async def test_the_newest_sealed_picture_is_sent_from_the_very_memory_that_was_sealed() -> None:
    track = SealedTrack(FakeClock())
    track.show(swapped(0))
    newest = swapped(3000)
    track.show(newest)
    picture = await track.recv()
    assert (picture.width, picture.height, picture.format.name) == (64, 48, "yuv420p")
    assert picture.planes[0].buffer_ptr == newest.frame.i420.ctypes.data
    assert np.array_equal(picture.to_ndarray(), newest.frame.i420)
    assert (track.mailbox.dropped, track.mailbox.passed) == (1, 1)


async def test_encoding_leaves_the_sealed_picture_as_it_is() -> None:
    track = SealedTrack(FakeClock())
    for encoder in (LowDelayH264Encoder(Bitrate()), LowDelayVp8Encoder(Bitrate())):
        sealed = swapped(0)
        before = sealed.frame.i420.copy()
        track.show(sealed)
        encoder.encode(await track.recv(), force_keyframe=True)
        assert np.array_equal(sealed.frame.i420, before)
        assert not sealed.frame.i420.flags.writeable


@pytest.mark.parametrize("thing", [swapped(0).frame, i420(), None, "picture"])
def test_nothing_but_a_sealed_picture_is_taken(thing: object) -> None:
    track = SealedTrack(FakeClock())
    with pytest.raises(TypeError, match="sealed pictures only, got"):
        TrackSink("browser", track).show(thing)  # type: ignore[arg-type]  # the point of the test
    assert track.mailbox.depth == 0


async def test_whoever_waits_for_a_picture_is_told_that_the_track_has_ended() -> None:
    track = SealedTrack(FakeClock())
    sink = TrackSink("viewer", track)
    waiting = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    await sink.close()
    await sink.close()
    with pytest.raises(MediaStreamError):
        await waiting
    assert (sink.name, track.readyState) == ("viewer", "ended")
    sink.show(swapped(0))
    with pytest.raises(MediaStreamError):
        await track.recv()


# Its times


def test_swapped_pictures_keep_the_spacing_of_the_camera() -> None:
    line, clock = Timeline(), FakeClock()
    ticks = []
    for pts, pause in ((90_000, 0), (93_000, 45), (96_000, 20), (99_000, 35)):
        clock.advance(pause)
        ticks.append(line.place(swapped(pts), clock()))
    assert ticks == [0, 3000, 6000, 9000]


def test_other_time_bases_are_converted() -> None:
    line = Timeline()
    assert line.place(swapped(10, time_base=Fraction(1, 30)), 0) == 0
    assert line.place(swapped(11, time_base=Fraction(1, 30)), 33_000_000) == 3000


def test_cards_are_placed_by_the_clock_and_the_camera_takes_over_again() -> None:
    line, clock = Timeline(), FakeClock()
    assert line.place(swapped(90_000), clock()) == 0
    clock.advance(100)
    assert line.place(card(), clock()) == 9_000
    clock.advance(100)
    assert line.place(card(), clock()) == 18_000
    clock.advance(40)
    assert line.place(swapped(90_000 + 21_000), clock()) == 21_000


def test_a_source_that_begins_anew_goes_on_where_the_clock_is() -> None:
    line, clock = Timeline(), FakeClock()
    line.place(swapped(9_000_000), clock())
    clock.advance(50)
    assert line.place(swapped(0), clock()) == 4_500
    clock.advance(40)
    assert line.place(swapped(3000), clock()) == 7_500


STEPS = st.tuples(st.none() | st.integers(-(2**33), 2**33), st.integers(0, 10_000))


@given(st.lists(STEPS, max_size=30))
def test_time_only_rises_and_follows_the_clock(steps: list[tuple[int | None, int]]) -> None:
    line, clock = Timeline(), FakeClock()
    placed = []
    for pts, pause in steps:
        clock.advance(pause)
        sealed = card() if pts is None else swapped_at(pts)
        placed.append((line.place(sealed, clock()), clock()))
    for (ticks, now), (later, after) in pairwise(placed):
        assert later > ticks
        assert abs((later - ticks) - (after - now) * 90 // 1_000_000) <= 90_001


def swapped_at(pts: int) -> Sealed:
    frame = Frame(np.zeros((24, 16), np.uint8), pts, 0, faces=(PERFORMER,), done={"blend", "label", "watermark"})
    return Seal(1)(frame)


# From FFmpeg's picture


def test_the_planes_are_copied_without_their_padding() -> None:
    planes = i420(width=50, height=34)
    picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    assert picture.planes[0].line_size > 50
    picture.pts, picture.time_base = 1234, Fraction(1, 90_000)
    frame = to_frame(picture, arrived=99)
    assert np.array_equal(frame.i420, planes)
    assert (frame.pts, frame.time_base, frame.arrived) == (1234, RTP_CLOCK, 99)
    assert not np.shares_memory(frame.i420, np.frombuffer(memoryview(picture.planes[0]), np.uint8))


def test_odd_sides_lose_their_last_row_and_column() -> None:
    picture = av.VideoFrame(33, 21, "yuv420p")
    for plane, value in zip(picture.planes, (100, 110, 120), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame = to_frame(picture, arrived=0)
    assert (frame.width, frame.height) == (32, 20)
    assert [np.unique(plane).tolist() for plane in (frame.y, frame.u, frame.v)] == [[100], [110], [120]]


def test_other_pixel_formats_are_converted() -> None:
    grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 255, np.uint8), format="bgr24")
    full_range = av.VideoFrame.from_ndarray(np.full((72, 64), 255, np.uint8), format="yuvj420p")
    for picture in (grey, full_range):
        assert abs(int(to_frame(picture, arrived=0).y.mean()) - 235) <= 1


@pytest.mark.parametrize("size", [(3842, 100), (2162, 2162), (100, 3842), (14, 64)])
def test_a_picture_of_an_impossible_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(BadMedia, match=f"got {size[0]} x {size[1]}"):
        to_frame(av.VideoFrame(*size, "yuv420p"), arrived=0)
