"""The session's own mark is read back from what real encoders made of real pictures."""

from __future__ import annotations

import threading

import av
import cv2
import numpy as np
import pytest

from livefake.clock import FakeClock, Nanos, nanos
from livefake.frame import RTP_CLOCK, Frame
from livefake.media.holdcard import CardPainter
from livefake.media.selfread import SelfReader
from livefake.media.tap import PLACES, Tap, Ticket
from livefake.media.webrtc.bitrate import Bitrate
from livefake.media.webrtc.coders import LowDelayH264Encoder, LowDelayVp8Encoder
from livefake.trust.label import Label
from livefake.trust.mark import Watermark
from livefake.trust.selfread import MISSES, Allowance, Judge, Step, Window
from livefake.trust.watermark import Payload
from tests.footage import footage

OURS, OTHER = Payload(1, 5, 77), Payload(1, 5, 78)
CODECS = ("h264", "vp8")


class Line:
    """One outgoing stream: pictures are marked, encoded and read back, in a time of its own."""

    def __init__(self, codec: str, payload: Payload = OURS, *, bitrate: Bitrate | None = None, blur: int = 0) -> None:
        self.clock, self.cpu = FakeClock(), FakeClock()
        self.tap = Tap(self.clock)
        self.reader = SelfReader(OURS, clock=self.clock, cpu_clock=self.cpu)
        self.reader.watch(self.tap)
        self.blur = blur
        self.keys: list[int] = []
        self._encoder = (LowDelayH264Encoder if codec == "h264" else LowDelayVp8Encoder)(bitrate or Bitrate())
        self._mark, self._card_mark = Watermark(payload), Watermark(payload, psnr_db=42.0, boost=3.0)
        self._painter, self._label = CardPainter(), Label()
        self._sent = 0

    def swapped(self, seconds: float, frames: list[Frame]) -> None:
        """Send pictures for that long; ``blur`` spoils them after they were marked."""
        for index in range(round(seconds * 30)):
            original = frames[index % len(frames)]
            frame = self._mark(Frame(original.i420.copy(), 0, 0))
            self.send(frame, card=False, gap=1000 / 30)

    def cards(self, count: int) -> None:
        for _ in range(count):
            card = self._painter.paint(640, 360, "The mark could not be read", "Wait.", pts=0, arrived=0)
            self.send(self._card_mark(self._label(card)), card=True, gap=500)

    def send(self, frame: Frame, *, card: bool, gap: float) -> None:
        if self.blur:
            frame.y[:] = cv2.blur(frame.y, (self.blur, self.blur))
        picture = av.VideoFrame.from_numpy_buffer(frame.i420, format="yuv420p")
        picture.pts, picture.time_base = self.clock() * 9 // 100_000, RTP_CLOCK
        picture.opaque = Ticket(self.tap, card)
        if self.tap.wants_key:
            self.keys.append(self._sent)
        self._encoder.encode(picture)
        self._sent += 1
        self.reader.turn()
        self.clock.advance(gap)


@pytest.fixture(scope="module")
def clip() -> list[Frame]:
    small = []
    for frame in footage(45):
        i420 = cv2.cvtColor(cv2.resize(frame.bgr(), (640, 360), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2YUV_I420)
        small.append(Frame(np.ascontiguousarray(i420, np.uint8), 0, 0))
    return small


# Through real encoders


@pytest.mark.parametrize("codec", CODECS)
def test_a_marked_stream_is_read_about_once_a_second(codec: str, clip: list[Frame]) -> None:
    line = Line(codec)
    line.swapped(8, clip)
    reads = line.reader.reads
    assert 6 <= reads.read <= 9
    assert reads.missed == 0
    assert not line.reader.held
    assert line.keys == [0]


@pytest.mark.parametrize("codec", CODECS)
def test_an_encoder_at_its_lowest_rate_still_keeps_the_mark(codec: str, clip: list[Frame]) -> None:
    line = Line(codec, bitrate=Bitrate(420_000, 1_050_000))
    line.swapped(8, clip)
    assert not line.reader.held
    assert line.reader.reads.read >= 4


def test_a_lost_mark_holds_the_stream_after_three_readings(clip: list[Frame]) -> None:
    line = Line("h264")
    line.swapped(4, clip)
    line.blur = 31
    for _ in range(8):
        line.swapped(0.5, clip)
        if line.reader.held:
            break
    assert line.reader.held
    assert line.reader.reads.missed == MISSES
    # Read once a second, so that the third miss comes within four.
    assert line.clock() <= nanos(8_500)


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("bitrate", [Bitrate(), Bitrate(420_000, 1_050_000)], ids=["usual", "lowest"])
def test_a_held_stream_goes_on_when_a_card_was_read(codec: str, bitrate: Bitrate, clip: list[Frame]) -> None:
    line = Line(codec, bitrate=bitrate)
    line.swapped(3, clip)
    line.blur = 31
    line.swapped(5, clip)
    assert line.reader.held
    line.cards(6)
    assert line.reader.held, "the way out still spoils the mark"
    line.blur = 0
    line.cards(16)
    assert not line.reader.held


def test_another_sessions_mark_is_a_miss(clip: list[Frame]) -> None:
    line = Line("h264", OTHER)
    line.swapped(6, clip)
    assert line.reader.held
    reads = line.reader.reads
    assert reads.read == 0
    line.tap.close()
    assert [line.reader.held] == [False], "a stream that ends takes its hold with it"
    line.reader.turn()
    assert line.reader.reads.missed == reads.missed


def test_first_pictures_may_be_unreadable(clip: list[Frame]) -> None:
    line = Line("h264", blur=31)
    line.swapped(2, clip)
    reads = line.reader.reads
    assert reads.early >= 1
    assert reads.missed == 0


def test_a_new_size_gets_its_own_grace(clip: list[Frame]) -> None:
    line = Line("h264")
    line.swapped(4, clip)
    line.blur = 31
    small = [Frame(np.full((270, 320), 100, np.uint8), 0, 0)]
    line.swapped(1.5, small)
    assert line.reader.reads.missed == 0
    assert line.reader.reads.early >= 1


def test_what_cannot_be_decoded_is_a_miss_and_asks_for_a_key_frame(
    clip: list[Frame], caplog: pytest.LogCaptureFixture
) -> None:
    line = Line("h264")
    line.swapped(3, clip)
    line.tap.put("h264", b"\x00\x00\x01\x65garbage", key=False, size=(640, 360), card=False)
    line.reader.turn()
    assert line.reader.reads.missed == 1
    assert line.tap.wants_key
    assert "could not be read back" in caplog.text
    line.swapped(2, clip)
    assert not line.reader.held


def test_reading_rests_when_it_costs_too_much(clip: list[Frame]) -> None:
    line = Line("h264")
    # Each picture takes four milliseconds: at 30 pictures a second that is 12 % of a core.
    costly = FakeClock()

    def cpu() -> Nanos:
        now = costly()
        if line.tap.depth:
            costly.advance(4)
        return now

    line.reader = SelfReader(OURS, clock=line.clock, cpu_clock=cpu)
    line.tap = Tap(line.clock)
    line.reader.watch(line.tap)
    line.swapped(12, clip)
    assert 3 <= len(line.keys) <= 5, "rests, and begins again with a key frame every few seconds"
    assert line.reader.reads.read >= 3
    assert line.reader.reads.missed == 0


def test_the_thread_starts_reads_and_ends(clip: list[Frame]) -> None:
    line = Line("h264")
    line.reader.start()
    line.reader.close()
    line.reader.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "mark reader"]


# The tap


def offered(tap: Tap, *, key: bool = False) -> None:
    tap.put("h264", b"picture", key=key, size=(64, 64), card=False)


def test_a_tap_takes_nothing_before_a_key_frame_and_asks_for_one() -> None:
    tap = Tap(FakeClock())
    offered(tap, key=True)
    assert (tap.depth, tap.wants_key) == (0, False)
    tap.open(lambda: None)
    assert tap.wants_key
    offered(tap)
    assert tap.depth == 0
    offered(tap, key=True)
    offered(tap)
    assert (tap.depth, tap.wants_key) == (2, False)


def test_a_tap_never_grows() -> None:
    tap = Tap(FakeClock())
    tap.open(lambda: None)
    offered(tap, key=True)
    for _ in range(10 * PLACES):
        offered(tap)
        assert tap.depth <= PLACES
    assert (tap.depth, tap.broken, tap.wants_key) == (0, 1, True)


def test_a_closed_tap_stays_closed() -> None:
    tap = Tap(FakeClock())
    tap.open(lambda: None)
    tap.close()
    tap.close()
    tap.open(lambda: None)
    offered(tap, key=True)
    assert (tap.depth, tap.wants_key, tap.closed) == (0, False, True)


# The judge


def fall(judge: Judge) -> None:
    for _ in range(MISSES):
        judge.miss(card=False)
    assert judge.held


def test_two_misses_are_forgiven_by_a_hit() -> None:
    judge = Judge()
    for _ in range(20):
        judge.miss(card=False)
        judge.miss(card=False)
        assert judge.in_doubt
        judge.hit(card=False)
        assert not judge.in_doubt
    assert not judge.held


def test_cards_do_not_count_while_nothing_is_wrong() -> None:
    judge = Judge()
    for _ in range(9):
        judge.miss(card=True)
    assert not judge.held
    judge.miss(card=False)
    judge.miss(card=False)
    judge.hit(card=True)
    judge.miss(card=False)
    assert judge.held


def test_only_a_card_proves_the_way_and_each_fall_asks_for_more() -> None:
    judge = Judge()
    fall(judge)
    judge.hit(card=False)
    assert [judge.held] == [True]
    judge.hit(card=True)
    assert [judge.held] == [False]
    fall(judge)
    for _ in range(4):
        judge.hit(card=True)
    judge.miss(card=True)
    for _ in range(4):
        judge.hit(card=True)
        assert [judge.held] == [True]
    judge.hit(card=True)
    assert [judge.held] == [False]
    fall(judge)
    assert judge.lost
    for _ in range(50):
        judge.hit(card=True)
    assert [judge.held] == [True]
    judge.retry()
    assert [judge.held, judge.lost] == [True, False]
    judge.hit(card=True)
    assert [judge.held] == [False]


def test_a_minute_of_readings_makes_good_for_earlier_falls() -> None:
    judge = Judge()
    for _ in range(5):
        fall(judge)
        judge.hit(card=True)
        assert not judge.held
        for _ in range(60):
            judge.hit(card=False)


def test_a_retry_without_need_changes_nothing() -> None:
    judge = Judge()
    judge.retry()
    fall(judge)
    judge.hit(card=True)
    assert not judge.held


# Window and allowance


def test_a_window_reads_first_and_gives_up_after_a_second() -> None:
    window = Window()
    steps = [window.step(nanos(index * 1000 / 30)) for index in range(30)]
    assert [step for step in steps if step is not Step.SKIP] == [
        Step.READ, Step.READ, Step.ADD, Step.READ, Step.ADD, Step.ADD, Step.ADD, Step.LAST,
    ]  # fmt: skip


def test_a_window_that_found_the_mark_is_quiet_for_the_rest_of_its_second() -> None:
    window = Window()
    assert window.step(0) is Step.READ
    window.found()
    assert {window.step(nanos(at)) for at in range(33, 1000, 33)} == {Step.SKIP}
    assert window.step(nanos(1000)) is Step.READ


def test_a_window_waits_for_three_slow_pictures() -> None:
    window = Window()
    assert [window.step(nanos(at)) for at in (0, 500, 1000)] == [Step.READ, Step.READ, Step.LAST]


def test_an_allowance_is_spent_saved_up_and_overdrawn_within_bounds() -> None:
    allowance = Allowance(0, share=0.1, most=100)
    assert allowance.full(0)
    allowance.spend(100, 0)
    assert allowance.spent(0)
    assert not allowance.spent(100)
    allowance.spend(1_000_000, 100)
    assert not allowance.full(1_900)
    assert allowance.full(2_100)


def test_an_allowance_is_full_again_although_looking_costs_a_little() -> None:
    allowance = Allowance(0)
    allowance.spend(nanos(500), 0)
    now = 0
    for _ in range(40):
        now += nanos(500)
        allowance.spend(60_000, now)
        if allowance.full(now):
            break
    assert allowance.full(now)
