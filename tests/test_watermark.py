"""The invisible mark: what it says, how it is hidden, and that it is read after what happens to a live picture."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream
from hypothesis import given, settings
from hypothesis import strategies as st

from livefake.errors import BadMedia
from livefake.frame import Bytes, Frame
from livefake.trust.mark import Watermark
from livefake.trust.watermark.carrier import TILE, Carrier, canvas_size
from livefake.trust.watermark.code import CODED_BITS, Payload, crc24, decode, encode
from livefake.trust.watermark.combine import PILOT_GATE
from livefake.trust.watermark.detect import Detector, Reading
from livefake.trust.watermark.embed import Embedder

PAYLOAD = Payload(version=1, issuer=0xABCDEF, session=0x9_1234_5678)

payloads = st.builds(
    Payload,
    version=st.integers(0, 2**4 - 1),
    issuer=st.integers(0, 2**24 - 1),
    session=st.integers(0, 2**36 - 1),
)


def scene(count: int, width: int = 1280, height: int = 720) -> list[Bytes]:
    """A shaded wall, a textured disc that sways, sensor noise: luma in studio range."""
    rng = np.random.default_rng(7)
    yy, xx = np.mgrid[:height, :width].astype(np.float32) * np.float32(720 / height)
    cloth = cv2.GaussianBlur(rng.normal(0, 60, (height, width)).astype(np.float32), (0, 0), 2)
    pictures = []
    for index in range(count):
        disc = np.clip(10 - np.hypot(xx - 600 - 6 * index, yy - 380 + 3 * index) / 20, 0, 1)
        luma = (110 + 45 * np.sin(xx / 300)) * (1 - disc) + (150 + cloth) * disc + rng.normal(0, 1.5, (height, width))
        pictures.append(np.clip(np.rint(luma), 16, 235).astype(np.uint8))
    return pictures


def card() -> Bytes:
    """A drawn still: bars and a disc, no noise at all."""
    picture = np.full((720, 1280), 90, np.uint8)
    for index, shade in enumerate((16, 235, 30, 201)):
        picture[60 + 90 * index : 110 + 90 * index, 100 : 500 + 110 * index] = shade
    return np.asarray(cv2.circle(picture, (1000, 300), 170, (221.0,), -1, cv2.LINE_AA), np.uint8)


def marked(pictures: Sequence[Bytes], payload: Payload = PAYLOAD) -> list[Bytes]:
    embedder, copies = Embedder(payload), [picture.copy() for picture in pictures]
    for copy in copies:
        embedder.mark(copy)
    return copies


def read(pictures: Sequence[Bytes], *, search: bool = False) -> Reading:
    detector = Detector()
    for picture in pictures:
        detector.add(picture)
    return detector.read(search=search)


def through_h264(pictures: Sequence[Bytes], bits: int, size: tuple[int, int] = (1280, 720)) -> list[Bytes]:
    """Encoded as a live encoder does, at so many bits a second, and decoded: luma."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as sink:
        options = {"preset": "veryfast", "tune": "zerolatency", "maxrate": str(bits), "bufsize": str(bits)}
        stream = sink.add_stream("libx264", rate=30, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt, stream.bit_rate = "yuv420p", bits
        for index, picture in enumerate(pictures):
            scaled = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
            grey = np.full((size[1] // 2, size[0]), 128, np.uint8)
            image = av.VideoFrame.from_ndarray(np.concatenate([scaled, grey]), "yuv420p")
            image.pts, image.time_base = index, Fraction(1, 30)
            sink.mux(stream.encode(image))
        sink.mux(stream.encode(None))
    assert buffer.tell() * 8 < 1.5 * bits * len(pictures) / 30, "the encoder did not keep to its rate"
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        return [np.asarray(image.to_ndarray(), np.uint8)[: size[1]] for image in source.decode(video=0)]


@pytest.fixture(scope="module")
def clip() -> list[Bytes]:
    return scene(30)


@pytest.fixture(scope="module")
def marked_clip(clip: list[Bytes]) -> list[Bytes]:
    return marked(clip)


# What it says


@given(payloads)
def test_a_payload_survives_packing(payload: Payload) -> None:
    assert len(payload.pack()) == 8
    assert Payload.unpack(payload.pack()) == payload


def test_a_packed_payload_has_its_fields_in_order() -> None:
    assert PAYLOAD.pack().hex() == "1abcdef912345678"


@pytest.mark.parametrize(
    ("version", "issuer", "session"), [(16, 0, 0), (0, 2**24, 0), (0, 0, 2**36), (-1, 0, 0), (0, 0, -1)]
)
def test_a_payload_refuses_numbers_that_do_not_fit(version: int, issuer: int, session: int) -> None:
    with pytest.raises(ValueError, match="bits, got"):
        Payload(version, issuer, session)


def test_a_payload_is_eight_bytes() -> None:
    with pytest.raises(ValueError, match="8 bytes, got 7"):
        Payload.unpack(bytes(7))


def test_the_check_is_that_of_openpgp() -> None:
    assert crc24(b"123456789") == 0x21CF02


@given(st.binary(min_size=8, max_size=8), st.integers(0, 63))
def test_the_check_sees_every_single_wrong_bit(data: bytes, position: int) -> None:
    damaged = (int.from_bytes(data, "big") ^ 1 << position).to_bytes(8, "big")
    assert crc24(damaged) != crc24(data)


@settings(max_examples=25, deadline=None)
@given(payloads, st.sets(st.integers(0, CODED_BITS - 1), max_size=11))
def test_the_code_repairs_any_eleven_wrong_bits(payload: Payload, wrong: set[int]) -> None:
    soft = 1.0 - 2.0 * encode(payload).astype(np.float64)
    soft[list(wrong)] *= -1
    assert decode(soft) == payload


def test_the_code_reads_through_noise_by_certainty() -> None:
    noise = np.random.default_rng(3).normal(0, 1.2, CODED_BITS)
    assert decode(1.0 - 2.0 * encode(PAYLOAD).astype(np.float64) + noise) == PAYLOAD


def test_the_code_never_changes() -> None:
    digest = hashlib.sha256(encode(PAYLOAD).tobytes()).hexdigest()
    assert digest[:16] == "ceb089b1d4ed27d3", "marks made before this change can no longer be read"


def test_noise_alone_says_nothing() -> None:
    rng = np.random.default_rng(4)
    assert [decode(rng.normal(size=CODED_BITS)) for _ in range(20)] == [None] * 20


# Where it lies


def test_the_carrier_never_changes() -> None:
    carrier = Carrier()
    parts = (carrier.rows, carrier.columns, np.rint(np.angle(carrier.phases) * 1e6), carrier.pilot, carrier.bits)
    digest = hashlib.sha256(b"".join(part.astype("<i8").tobytes() for part in parts)).hexdigest()
    assert digest[:16] == "8967cb81af2e1118", "marks made before this change can no longer be read"


def test_every_coded_bit_is_carried() -> None:
    carrier = Carrier()
    assert set(carrier.bits.tolist()) == set(range(CODED_BITS))
    assert carrier.pilot.sum() == 160
    assert len(carrier.data) + 160 == len(carrier.rows)


def test_the_tile_is_even_and_shows_its_bits() -> None:
    carrier, coded = Carrier(), encode(PAYLOAD)
    tile = carrier.tile(coded)
    assert tile.shape == (TILE, TILE)
    assert abs(tile.mean()) < 1e-3
    assert tile.std() == pytest.approx(1, abs=1e-5)
    seen = (carrier.analyse(tile) * carrier.phases.conj()).real[carrier.data]
    assert np.array_equal(seen < 0, coded[carrier.bits] == 1)


@pytest.mark.parametrize(
    ("size", "canvas"),
    [((1920, 1080), (1280, 720)), ((640, 360), (1280, 720)), ((720, 1280), (720, 1280)), ((160, 120), (960, 720))],
)
def test_the_canvas_has_720_lines_on_the_short_side(size: tuple[int, int], canvas: tuple[int, int]) -> None:
    assert canvas_size(*size) == canvas


# How it is hidden


def test_the_mark_stays_below_the_picture(clip: list[Bytes], marked_clip: list[Bytes]) -> None:
    assert min(cv2.PSNR(a, b) for a, b in zip(clip, marked_clip, strict=True)) >= 43.5


def test_strong_texture_is_held_to_the_limit() -> None:
    rng = np.random.default_rng(2)
    rough = np.clip(rng.normal(125, 50, (180, 320)), 40, 210).astype(np.uint8)
    large = np.asarray(cv2.resize(rough, (1280, 720), interpolation=cv2.INTER_NEAREST), np.uint8)
    assert 43.5 <= cv2.PSNR(large, marked([large])[0]) <= 45


@pytest.mark.parametrize("level", [40, 128, 200])
def test_a_bare_wall_changes_by_less_than_a_level(level: int) -> None:
    wall = np.full((720, 1280), level, np.uint8)
    change = marked([wall])[0].astype(np.int16) - level
    assert 0.3 < change.std() < 0.8
    assert np.abs(change).max() <= 2


def test_an_outline_does_not_draw_the_mark_onto_its_smooth_sides() -> None:
    picture = np.full((720, 1280), 100, np.uint8)
    picture[:, 640:] = 160
    change = marked([picture])[0].astype(np.int16) - picture
    assert change[:, 560:720].std() < 0.8


@pytest.mark.parametrize("level", [0, 3, 15, 16, 17, 234, 235, 236, 250, 255])
def test_the_mark_keeps_to_studio_range(level: int) -> None:
    picture = np.full((144, 176), level, np.uint8)
    changed = marked([picture])[0]
    assert changed.min() >= min(16, level)
    assert changed.max() <= max(235, level)
    assert np.abs(changed.astype(np.int16) - level).max() <= 2, "pixels outside the range were pulled in"


def test_rows_may_lie_apart(clip: list[Bytes], marked_clip: list[Bytes]) -> None:
    wide = np.full((720, 1344), 77, np.uint8)
    wide[:, 32:1312] = clip[0]
    Embedder(PAYLOAD).mark(wide[:, 32:1312])
    assert np.array_equal(wide[:, 32:1312], marked_clip[0])
    assert (wide[:, :32] == 77).all()
    assert (wide[:, 1312:] == 77).all()


def test_only_writeable_rows_of_bytes_are_marked(clip: list[Bytes]) -> None:
    sealed = clip[0].copy()
    sealed.flags.writeable = False
    for wrong in (clip[0][:, ::2], clip[0].T, clip[0][::-1], clip[0].view(np.int8), clip[0][0], clip[0][:0], sealed):
        with pytest.raises(ValueError, match="side by side"):
            Embedder(PAYLOAD).mark(cast(Bytes, wrong))


def test_every_picture_of_a_session_gets_the_same_mark(clip: list[Bytes]) -> None:
    embedder = Embedder(PAYLOAD)
    first, small, again = clip[0].copy(), scene(1, 320, 180)[0], clip[0].copy()
    for picture in (first, small, again):
        embedder.mark(picture)
    assert np.array_equal(first, again)


@pytest.mark.parametrize(
    "size", [(160, 120), (320, 180), (321, 181), (120, 160), (639, 357), (1000, 33), (2, 2), (1, 1)]
)
def test_any_size_can_be_marked(size: tuple[int, int]) -> None:
    picture = np.full(size[::-1], 120, np.uint8)
    Embedder(PAYLOAD).mark(picture)
    assert picture.shape == size[::-1]


def test_the_stage_marks_luma_and_signs_for_it() -> None:
    frame = Frame.from_bgr(np.full((720, 1280, 3), 120, np.uint8))
    before = frame.i420.copy()
    assert Watermark(PAYLOAD)(frame) is frame
    assert (frame.y != before[:720]).any()
    assert np.array_equal(frame.i420[720:], before[720:])
    assert "watermark" in frame.done


# That it is read


def test_a_clip_is_read_after_h264_at_1_megabit(marked_clip: list[Bytes]) -> None:
    reading = read(through_h264(marked_clip, 1_000_000))
    assert reading == Reading(True, PAYLOAD, reading.score, 30, False, 1.0, 0.0)
    assert reading.score > PILOT_GATE


def test_a_clip_is_read_after_360_lines_at_half_a_megabit(marked_clip: list[Bytes]) -> None:
    assert read(through_h264(marked_clip, 500_000, (640, 360))).payload == PAYLOAD


def test_an_unmarked_clip_reads_as_absent(clip: list[Bytes]) -> None:
    for pictures in (clip, through_h264(clip, 1_000_000)):
        reading = read(pictures)
        assert not reading.present
        assert reading.payload is None


def test_an_unmarked_clip_reads_as_absent_even_after_a_search(clip: list[Bytes]) -> None:
    assert not read(clip[:5], search=True).present


def test_a_mirrored_clip_is_read_and_called_mirrored(marked_clip: list[Bytes]) -> None:
    reading = read([np.ascontiguousarray(picture[:, ::-1]) for picture in marked_clip[:10]])
    assert reading.payload == PAYLOAD
    assert reading.flipped


@pytest.mark.parametrize("size", [(640, 360), (854, 480), (1920, 1080), (720, 1280)])
def test_a_mark_made_at_another_size_is_read(size: tuple[int, int]) -> None:
    reading = read(marked(scene(8, *size)))
    assert reading.payload == PAYLOAD
    assert reading.scale == 1.0


def test_frames_of_one_clip_may_change_size(marked_clip: list[Bytes]) -> None:
    smaller = [np.asarray(cv2.resize(p, (854, 480), interpolation=cv2.INTER_AREA), np.uint8) for p in marked_clip[5:10]]
    assert read([*marked_clip[:5], *smaller]).payload == PAYLOAD


def test_frames_of_one_clip_may_not_change_shape(marked_clip: list[Bytes]) -> None:
    detector = Detector()
    detector.add(marked_clip[0])
    with pytest.raises(BadMedia, match="one shape"):
        detector.add(marked_clip[1][:, :960])


def test_the_search_finds_a_crop(marked_clip: list[Bytes]) -> None:
    cropped = [picture[20:668, 90:1242] for picture in marked_clip[:10]]
    assert not read(cropped).present
    reading = read(cropped, search=True)
    assert reading.payload == PAYLOAD
    assert reading.scale == pytest.approx(720 / 648, rel=0.005)


@pytest.mark.parametrize(("degrees", "mirrored"), [(2.0, False), (-1.5, True)])
def test_the_search_finds_a_rotation(marked_clip: list[Bytes], degrees: float, mirrored: bool) -> None:
    # OpenCV turns anticlockwise for positive angles, a reading is positive clockwise.
    matrix = cv2.getRotationMatrix2D((640, 360), -degrees, 1)
    turned = [np.asarray(cv2.warpAffine(picture, matrix, (1280, 720)), np.uint8) for picture in marked_clip[:10]]
    if mirrored:
        turned = [np.ascontiguousarray(picture[:, ::-1]) for picture in turned]
    reading = read(turned, search=True)
    assert reading.payload == PAYLOAD
    assert reading.flipped == mirrored
    assert reading.rotation == pytest.approx(-degrees if mirrored else degrees, abs=0.35)


def test_a_detector_refuses_what_is_no_picture() -> None:
    for wrong in (np.zeros((90, 160, 3), np.uint8), np.zeros((90, 160), np.int8), np.zeros((0, 160), np.uint8)):
        with pytest.raises(ValueError, match="luma needs"):
            Detector().add(cast(Bytes, wrong))
    with pytest.raises(BadMedia, match="got 16000 x 2"):
        Detector().add(np.zeros((2, 16000), np.uint8))


def test_no_frames_no_mark() -> None:
    assert read([]) == Reading(False, None, 0.0, 0, False, 1.0, 0.0)


def test_a_still_without_any_noise_is_read() -> None:
    assert read(marked([card()] * 2)).payload == PAYLOAD


def test_flat_areas_beside_strong_edges_do_not_upset_the_detector() -> None:
    # Averages over such a picture are a place for rounding errors below zero.
    reading = read([card()])
    assert np.isfinite(reading.score)
    assert not reading.present
