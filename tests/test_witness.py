from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from livefake.clock import FakeClock
from livefake.errors import LivefakeError
from livefake.frame import Drop
from livefake.media.witness import Witness
from livefake.trust.consent import Output
from livefake.trust.entries import Entry
from livefake.trust.fingerprint import fingerprint
from livefake.trust.gate import UNRECORDED, ConsentGate, RecordGate, no_ledger
from livefake.trust.ledger import Ledger
from livefake.trust.scribe import Scribe
from livefake.trust.seal import REQUIRED, Seal, Sealed
from tests.album import a_face, grey_frame, noisy_frame
from tests.grantkit import SERVICE, START

GRANT = "0123456789abcdef"
SECOND = 1_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path, SERVICE, time_of_day=lambda: float(START))


@pytest.fixture
def scribe(ledger: Ledger) -> Iterator[Scribe]:
    with closing(Scribe(ledger, patience=0.01)) as scribe:
        yield scribe


def witness(scribe: Scribe, clock: FakeClock | None = None) -> Witness:
    return Witness(scribe, 7, output=Output.LIVE, clock=clock or FakeClock(), time_of_day=lambda: START + 0.25)


def picture(seed: int = 0, *, grant: str | None = None) -> Sealed:
    frame = noisy_frame(seed)
    frame.faces = (a_face(),)
    frame.done |= REQUIRED
    return Seal(7, grant=grant)(frame)


def card() -> Sealed:
    frame = grey_frame()
    frame.done |= {"card", "label", "watermark"}
    return Seal(7, grant=GRANT).card(frame)


def break_disk(ledger: Ledger) -> None:
    """From now on the ledger's folder is a file."""
    folder = ledger.path.parent
    folder.rename(folder.with_name("away"))
    folder.write_text("in the way")


def mend_disk(ledger: Ledger) -> None:
    folder = ledger.path.parent
    folder.unlink()
    folder.with_name("away").rename(folder)


def until(condition: Any) -> None:
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


def test_a_picture_knows_the_grant_it_was_sealed_under_and_a_card_has_none() -> None:
    assert picture(grant=GRANT).grant == GRANT
    assert picture().grant is None
    assert card().grant is None


def test_a_session_leaves_segments_of_ten_seconds_with_a_print_a_second(ledger: Ledger, scribe: Scribe) -> None:
    watching = witness(scribe)
    watching.begin(None)
    watching.agree("ab" * 8, "camera")
    shown = [picture(index) for index in range(25)]
    for index in range(25 * 10):
        watching.see(shown[index // 10], 5 * SECOND + index * SECOND // 10)
    watching.end()
    watching.end()
    scribe.close()
    record = ledger.session(7)
    assert record is not None
    assert [(round(one.start - START, 3), round(one.end - START, 3)) for one in record.segments] == [
        (0.25, 10.25),
        (10.25, 20.25),
        (20.25, 25.15),
    ]
    assert [one.frames for one in record.segments] == [100, 100, 50]
    prints = [print for one in record.segments for print in one.prints]
    assert prints == [fingerprint(one.frame.y) for one in shown]
    assert record.ended is not None
    assert record.ticks[0].notice == "ab" * 8
    assert (record.persona_kind, record.grant, record.output) == ("fictional", None, "live")
    assert ledger.verify().ok
    assert len(list(ledger.lines())) == 6


def test_a_change_of_grant_ends_a_segment_and_a_card_belongs_to_what_it_interrupts(
    ledger: Ledger, scribe: Scribe
) -> None:
    watching = witness(scribe)
    watching.begin(None)
    person = picture(1, grant=GRANT)
    for index, shown in enumerate([picture(), card(), picture(), person, card(), person, picture()]):
        if index == 3:
            watching.change(GRANT)
        watching.see(shown, index * SECOND)
    watching.end()
    scribe.close()
    record = ledger.session(7)
    assert record is not None
    assert [(one.grant, one.frames, one.cards, one.end - one.start) for one in record.segments] == [
        (None, 3, 1, 3.0),
        (GRANT, 3, 1, 3.0),
        (None, 1, 0, 0.0),
    ]
    assert (record.grants, record.persona_kind) == ((GRANT,), "person")


async def test_as_a_sink_it_takes_its_time_from_the_clock(ledger: Ledger, scribe: Scribe) -> None:
    clock = FakeClock()
    watching = witness(scribe, clock)
    for _ in range(3):
        watching.show(picture())
        clock.advance(900)
    await watching.close()
    watching.show(picture())
    await asyncio.to_thread(scribe.close)
    record = ledger.session(7)
    assert record is not None
    assert [(one.frames, len(one.prints)) for one in record.segments] == [(3, 2)]


def test_a_session_that_shows_nothing_begins_and_ends(ledger: Ledger, scribe: Scribe) -> None:
    watching = witness(scribe)
    watching.begin(GRANT)
    watching.end()
    scribe.close()
    record = ledger.session(7)
    assert record is not None
    assert record.segments == ()
    assert record.ended is not None


def test_without_a_ledger_a_person_does_not_begin_and_a_fictional_face_does(
    ledger: Ledger, scribe: Scribe, caplog: pytest.LogCaptureFixture
) -> None:
    scribe.write("grant", {"grant": GRANT})
    break_disk(ledger)
    watching = witness(scribe)
    for refused in (watching.begin, watching.change):
        with pytest.raises(LivefakeError, match=r"ledger .* cannot be written"):
            refused(GRANT)
    watching.begin(None)
    assert "goes on unrecorded" in caplog.text
    assert "cannot be written" in watching.problem()
    mend_disk(ledger)
    until(lambda: not scribe.problem)
    assert [record.number for record in ledger.sessions()] == [7], "it was written as soon as it could be"


def gate(problem: str) -> RecordGate:
    return RecordGate(lambda: problem)


def test_no_ledger_no_picture_of_a_person() -> None:
    frame = grey_frame()
    with pytest.raises(Drop, match=f"^{UNRECORDED}: The disk is full"):
        gate("The disk is full.")(frame)
    with pytest.raises(Drop, match=UNRECORDED):
        RecordGate(no_ledger)(frame)
    assert "record" not in frame.done
    assert "record" in gate("")(frame).done
    assert {ConsentGate.vital, RecordGate.vital} == {True}


def test_the_gate_closes_while_the_disk_is_full_and_opens_again(ledger: Ledger, scribe: Scribe) -> None:
    scribe.write("grant", {"grant": GRANT})
    watching = witness(scribe)
    passing = RecordGate(watching.problem)
    passing(grey_frame())
    break_disk(ledger)
    for index in range(12):
        watching.see(picture(grant=GRANT), index * SECOND)
    until(lambda: scribe.problem)
    with pytest.raises(Drop, match="cannot be written"):
        passing(grey_frame())
    mend_disk(ledger)
    until(lambda: not scribe.problem)
    passing(grey_frame())
    watching.end()
    scribe.close()
    record = ledger.session(7)
    assert record is not None
    assert sum(one.frames for one in record.segments) == 12, "nothing of it was lost"
    assert scribe.lost == 0


class StuckLedger(Ledger):
    """A ledger on a disk that does not answer."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, SERVICE)
        self.asked, self.answer = threading.Event(), threading.Event()

    def append(self, kind: str, fields: Mapping[str, Any]) -> Entry:
        self.asked.set()
        self.answer.wait()
        return super().append(kind, fields)


def test_a_disk_that_does_not_answer_is_a_problem_and_the_queue_stays_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, clock = StuckLedger(tmp_path), FakeClock()
    scribe = Scribe(ledger, room=3, clock=clock)
    assert scribe.leave("grant", {"grant": GRANT})
    ledger.asked.wait()
    clock.advance(4_000)
    assert scribe.problem == ""
    clock.advance(2_000)
    assert scribe.problem == "The ledger's disk has not answered for 6 seconds."
    taken = [scribe.leave("grant", {"grant": GRANT}) for _ in range(5)]
    assert taken == [True, True, True, False, False]
    assert (scribe.lost, scribe.waiting) == (2, 4)
    scribe.close(within=0.01)
    assert "4 entries are not written" in caplog.text
    assert not scribe.leave("grant", {"grant": GRANT}), "it is closed"
    ledger.answer.set()
    scribe.close()
    assert (scribe.written, scribe.waiting) == (4, 0)
    assert ledger.verify().entries == 4


def test_an_entry_that_is_a_mistake_does_not_end_the_thread(
    ledger: Ledger, scribe: Scribe, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    scribe.leave("grant", {"grant": 1.5})  # type: ignore[dict-item]
    scribe.leave("grant", {"grant": GRANT})
    scribe.close()
    assert (scribe.written, scribe.lost) == (1, 1)
    assert "left out of the ledger" in caplog.text


def test_what_cannot_be_written_at_the_end_is_counted(ledger: Ledger) -> None:
    ledger.append("grant", {"grant": GRANT})
    break_disk(ledger)
    scribe = Scribe(ledger, patience=60)
    for _ in range(3):
        scribe.leave("grant", {"grant": GRANT})
    until(lambda: scribe.problem)
    scribe.close()
    assert (scribe.written, scribe.lost, scribe.waiting) == (0, 3, 0)


def test_many_sessions_leave_their_segments_at_once(ledger: Ledger) -> None:
    scribe = Scribe(ledger, room=1000)
    threads = [
        threading.Thread(target=lambda: [scribe.leave("grant", {"grant": GRANT}) for _ in range(20)]) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scribe.close(30)
    assert ledger.verify().entries == scribe.written == 100
