"""Sound finds the picture that was taken with it, however both of them travelled."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from livefake.media.sound.lipsync import GUESS, LipSync, SenderClock

MS = 1_000_000
SECOND = 1000 * MS
NTP = 3_900_000_000
"""A day in 2023, in seconds since 1900."""


def ntp(nanos: int) -> int:
    """The sender's wall clock that long after it began."""
    return (NTP << 32) + (nanos << 32) // SECOND


class Sender:
    """A browser whose two streams begin at any time stamps and whose clock may run wrong."""

    def __init__(self, *, picture: int = 0, sound: int = 0, drift: float = 0.0) -> None:
        self._origins = {90_000: picture, 48_000: sound}
        self._drift = drift

    def stamp(self, rate: int, at: int) -> int:
        """RTP time stamp of what is taken at an instant of the service's clock."""
        return (self._origins[rate] + round(at * (1 + self._drift)) * rate // SECOND) & 0xFFFFFFFF

    def report(self, sync: LipSync, at: int, *, late: int = 0, stream: int = 1) -> None:
        """Report on both streams; ``late`` is how wrong the report on sound is."""
        wall = round(at * (1 + self._drift))
        sync.pictures.report(stream, ntp(wall), self.stamp(90_000, at))
        sync.sounds.report(stream, ntp(wall + late), self.stamp(48_000, at))


stamps = st.integers(0, (1 << 32) - 1)


@given(stamps, stamps, st.floats(-2e-4, 2e-4), st.lists(st.integers(0, 40), min_size=120, max_size=150))
def test_sound_is_placed_beside_its_picture(picture: int, sound: int, drift: float, jitter: list[int]) -> None:
    sender, sync = Sender(picture=picture, sound=sound, drift=drift), LipSync()
    start = 7 * SECOND
    for index, late in enumerate(jitter):
        taken = start + index * 33 * MS
        if index % 30 == 0:
            sender.report(sync, taken)
        sync.picture(sender.stamp(90_000, taken), taken + (50 + late) * MS)
    taken = start + len(jitter) * 33 * MS
    # The sound travelled another 200 ms, which says nothing.
    at = sync.sound(sender.stamp(48_000, taken), taken + 250 * MS)
    assert min(jitter) - 2 <= (at - taken) / MS - 50 <= min(jitter) + 3


def test_time_stamps_that_come_around_are_followed() -> None:
    clock = SenderClock(48_000)
    clock.report(1, ntp(0), (1 << 32) - 480)
    before, after = clock.instant((1 << 32) - 960), clock.instant(480)
    assert before is not None
    assert after is not None
    assert after - before == 30 * MS


def test_a_microphone_that_lost_sound_is_followed_with_its_next_report() -> None:
    clock = SenderClock(48_000)
    for index in range(3):
        clock.report(1, ntp(index * SECOND), index * 48_000)
    lost = 9600
    clock.report(1, ntp(4 * SECOND), 4 * 48_000 - lost)
    assert clock.instant(5 * 48_000 - lost) == (NTP + 5) * SECOND


@given(st.lists(st.integers(0, 120), min_size=90, max_size=100), st.floats(-2e-4, 2e-4), st.integers(0, 200))
def test_pictures_and_sound_of_one_moment_get_one_instant(jitter: list[int], drift: float, longer: int) -> None:
    sender, sync = Sender(picture=5, sound=9, drift=drift), LipSync(lag=25 * MS)
    apart = []
    for index, late in enumerate(jitter):
        taken = 3 * SECOND + index * 33 * MS
        if index % 30 == 0:
            sender.report(sync, taken, late=25 * MS)
        seen = sync.picture(sender.stamp(90_000, taken), taken + (10 + late) * MS)
        heard = sync.sound(sender.stamp(48_000, taken), taken + (longer + late // 2) * MS)
        apart.append(abs(heard - seen))
    assert max(apart[1:]) <= 2 * MS


def test_until_both_streams_are_reported_the_arrival_counts() -> None:
    sender, sync = Sender(), LipSync()
    assert sync.sound(0, 5 * SECOND) == 5 * SECOND + GUESS
    assert sync.picture(0, 5 * SECOND) == 5 * SECOND
    sync.pictures.report(1, ntp(0), 0)
    assert sync.picture(0, 5 * SECOND) == 5 * SECOND
    assert sync.sound(0, 5 * SECOND) == 5 * SECOND + GUESS
    sender.report(sync, 0)
    assert sync.sound(0, 5 * SECOND + 40 * MS) == 5 * SECOND


def test_a_picture_that_was_held_up_changes_nothing_and_a_longer_way_does() -> None:
    sender, sync = Sender(), LipSync()
    sender.report(sync, 0)
    sync.picture(sender.stamp(90_000, 0), 50 * MS)
    sync.picture(sender.stamp(90_000, 33 * MS), 900 * MS)
    assert sync.sound(sender.stamp(48_000, SECOND), SECOND) == SECOND + 50 * MS
    for index in range(2, 40):
        taken = index * 33 * MS
        sync.picture(sender.stamp(90_000, taken), taken + 800 * MS)
    assert abs(sync.sound(sender.stamp(48_000, SECOND), SECOND) - SECOND - 800 * MS) < MS


def test_a_stream_that_begins_anew_is_followed_with_its_first_report() -> None:
    sync = LipSync()
    Sender().report(sync, 0)
    sync.picture(0, SECOND)
    anew = Sender(picture=9_000_000, sound=480_000_000)
    later = 3 * SECOND
    # Without a report its time stamps mean nothing.
    sync.picture(anew.stamp(90_000, later), later + SECOND)
    assert sync.sound(anew.stamp(48_000, later), later) == later + GUESS
    anew.report(sync, later, stream=2)
    sync.picture(anew.stamp(90_000, later), later + 60 * MS)
    assert abs(sync.sound(anew.stamp(48_000, later), later) - (later + 60 * MS)) < MS


reports = st.tuples(st.integers(0, 9), st.integers(0, (1 << 64) - 1), stamps)


@given(st.lists(reports, max_size=4), st.lists(reports, max_size=4), stamps, stamps)
def test_reports_that_cannot_be_true_do_no_harm(
    pictures: list[tuple[int, int, int]], sounds: list[tuple[int, int, int]], picture: int, sound: int
) -> None:
    sync = LipSync()
    for report in pictures:
        sync.pictures.report(*report)
    for report in sounds:
        sync.sounds.report(*report)
    sync.picture(picture, SECOND)
    assert abs(sync.sound(sound, SECOND) - SECOND) <= 2 * SECOND


def test_a_sender_without_a_clock_is_not_believed() -> None:
    clock = SenderClock(48_000)
    clock.report(1, 0, 5)
    assert clock.instant(5) is None
