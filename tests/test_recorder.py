from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from livefake.clock import FakeClock
from livefake.errors import Busy, ConsentError, LivefakeError, NotFound
from livefake.frame import Frame
from livefake.media.encode.coder import Format
from livefake.media.encode.hub import Broadcast
from livefake.media.recorder import RESERVE, Phase, Recorder, room_for
from livefake.media.recordings import Recordings
from livefake.media.sound.bus import Chunk, SoundBus
from livefake.media.take import Take
from livefake.media.webrtc.bitrate import Bitrate
from livefake.trust.consent import Output
from livefake.trust.gate import ConsentGate
from livefake.trust.grants import GrantBook
from livefake.trust.provenance import Provenance, Provenancer, State, read_provenance
from tests.grantkit import DURING, SERVICE, START, enter
from tests.keepkit import MARK, Encoding, numbers, recordings, sealed, seconds

ROOT = Path(__file__).parents[1]


def feed(recorder: Recorder, count: int, *, first: int = 0, grant: str = "") -> None:
    """Put pictures as fast as they are written."""
    encoding, key = Encoding(), False
    for number in range(first, first + count):
        while recorder.depth >= 40 and recorder.report().phase is Phase.RECORDING:
            threading.Event().wait(0.001)
        key = recorder.put(encoding(sealed(number, grant=grant), key=key))


def ended(recorder: Recorder) -> None:
    recorder.stop()
    assert recorder.join(20)


def read(path: Path, data: Path) -> Provenance:
    return read_provenance(path, trusted=Provenancer(data).trusted)


def test_a_recording_shows_every_picture_at_its_time_and_is_signed(tmp_path: Path) -> None:
    folder = recordings(tmp_path)
    recorder = folder.start(MARK)
    feed(recorder, 100)
    ended(recorder)
    report = recorder.report()
    path = Path(report.file)
    assert (report.phase, report.problem, report.dropped) == (Phase.SAVED, "", 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_session-00000004d\.mp4", path.name)
    assert [path] == list((tmp_path / "recordings").iterdir())
    assert report.bytes == path.stat().st_size
    assert report.seconds == pytest.approx(seconds(path), abs=0.001) == pytest.approx(99 / 30, abs=0.001)
    assert numbers(path) == [number % 64 for number in range(100)]
    found = read(path, tmp_path / "data")
    assert (found.state, found.session, found.payload) == (State.VALID, 77, MARK)
    with av.open(str(path)) as container:
        assert "AI" in container.metadata["comment"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_two_recordings_of_one_second_have_names_of_their_own(tmp_path: Path) -> None:
    folder = recordings(tmp_path)
    both = [folder.start(MARK), folder.start(MARK)]
    for recorder in both:
        feed(recorder, 3)
        ended(recorder)
    third = folder.start(MARK)
    feed(third, 3)
    ended(third)
    assert len({recorder.report().file for recorder in (*both, third)}) == 3


def test_all_pictures_of_a_film_have_one_size(tmp_path: Path) -> None:
    recorder, encoding = recordings(tmp_path).start(MARK), Encoding()
    feed(recorder, 4)
    larger = encoding(sealed(4, width=320, height=192))
    assert not recorder.fits(larger)
    assert not recorder.put(larger)
    feed(recorder, 1, first=5)
    ended(recorder)
    assert numbers(Path(recorder.report().file)) == [0, 1, 2, 3, 5]


def test_nothing_is_kept_that_builds_on_another_persons_picture(tmp_path: Path) -> None:
    """What changed since a picture can show that picture."""
    recorder, encoding = recordings(tmp_path).start(MARK), Encoding()
    grants = ["", "", "theirs", "theirs", "", "", "", ""]
    wanted = [
        recorder.put(encoding(sealed(number, grant=grant), key=number == 6)) for number, grant in enumerate(grants)
    ]
    ended(recorder)
    assert wanted == [False, False, False, False, True, True, False, False]
    assert numbers(Path(recorder.report().file)) == [0, 1, 6, 7]
    assert recorder.report().dropped == 2


def test_a_film_has_the_microphones_sound_beside_its_pictures(tmp_path: Path) -> None:
    recorder, encoding, key = recordings(tmp_path).start(MARK, sound=True), Encoding(), False
    wave = np.rint(np.sin(np.arange(960) * 2 * np.pi * 400 / 48_000) * 8000).astype(np.int16)
    start, sounds = sealed(0).frame.arrived, 0
    for number in range(90):
        # Picture 40 is the first bright one, and with it begins a tone.
        picture = encoding(sealed(60 if number >= 40 else 0), key=key)
        at = start + number * 10**9 // 30
        key = recorder.put(replace(picture, ticks=number * 3000, arrived=at))
        while start + sounds * 20_000_000 <= at:
            loud = sounds * 20 >= 40 * 1000 // 30
            recorder.hear(Chunk(np.stack([wave, wave], 1) * loud, start + sounds * 20_000_000))
            sounds += 1
        while recorder.depth > 30:
            threading.Event().wait(0.001)
    ended(recorder)
    film = Path(recorder.report().file)
    with av.open(str(film)) as container:
        bright = next(each.time for each in container.decode(video=0) if each.to_ndarray()[:96].mean() > 100)
    with av.open(str(film)) as container:
        loud_at = next(each.time for each in container.decode(audio=0) if np.abs(each.to_ndarray()).mean() > 0.05)
    assert bright is not None
    assert loud_at is not None
    assert abs(bright - loud_at) < 0.04
    assert seconds(film) == pytest.approx(89 / 30, abs=0.001)
    assert read(film, tmp_path / "data").state is State.VALID


async def test_a_take_records_from_the_shared_encode_and_begins_anew_with_another_size(tmp_path: Path) -> None:
    clock, sound = FakeClock(start=1), SoundBus()
    broadcast = Broadcast(bitrate=Bitrate(), clock=clock)
    take = Take(recordings(tmp_path), MARK)
    take.record_from(broadcast, sound)
    watching = broadcast.feed(Format.H264, "viewer")
    await asyncio.to_thread(take.start, lambda: None)
    sound.present = True

    async def play(first: int, width: int) -> None:
        for number in range(first, first + 20):
            clock.advance(33)
            for sink in (take, broadcast):
                sink.show(sealed(number, width=width))
            picture = await asyncio.wait_for(watching.take(), 10)
            assert picture is not None
            await asyncio.sleep(0.01)

    await play(0, 160)
    (hub,) = broadcast.hubs
    assert sorted(feed.name for feed in hub.feeds) == ["take", "viewer"]
    await play(20, 320)
    assert hub.encoded <= 42, "one encode for both, and the newest picture again for whoever joins"
    await take.close()
    await broadcast.close()
    for recorder in take._recordings._running if take._recordings else []:
        await asyncio.to_thread(ended, recorder)
    shown = sorted(numbers(film) for film in (tmp_path / "recordings").glob("*.mp4"))
    assert len(shown) == 2
    assert shown[0][-1] >= 15
    assert shown[1][-1] == 39
    assert min(shown[1]) >= 20


def test_a_recording_without_a_picture_leaves_nothing(tmp_path: Path) -> None:
    recorder = recordings(tmp_path).start(MARK)
    ended(recorder)
    assert recorder.report().phase is Phase.FAILED
    assert "no picture" in recorder.report().problem
    assert list((tmp_path / "recordings").iterdir()) == []


def test_a_full_queue_drops_newcomers_and_counts_them(tmp_path: Path) -> None:
    gate = threading.Event()

    def slow() -> int:
        gate.wait(20)
        return 10**12

    recorder = Recorder(
        (tmp_path / "a").open("wb", buffering=0),
        tmp_path / "a.mp4",
        grant="",
        notes={},
        free=slow,
        finish=lambda: 1,
    )
    # Once the beginning of the film is written the disk is asked, and takes its time.
    encoding = Encoding()
    wanted = [recorder.put(encoding(sealed(number))) for number in range(200)]
    assert recorder.report().dropped > 100
    assert wanted[-1], "what comes after a gap must stand on its own"
    assert recorder.depth <= recorder.deepest == 64
    gate.set()
    ended(recorder)


async def test_close_returns_and_can_be_called_twice(tmp_path: Path) -> None:
    recorder = recordings(tmp_path).start(MARK)
    feed(recorder, 10)
    await recorder.close()
    await recorder.close()
    assert await asyncio.to_thread(recorder.join, 20)
    assert not recorder.put(Encoding()(sealed(11)))
    assert recorder.report().phase is Phase.SAVED


def test_a_disk_that_fills_ends_the_recording_and_the_film_is_saved(tmp_path: Path) -> None:
    room = [10**12, 10**12, RESERVE]
    # Asked before the beginning, then after each second.
    folder = Recordings(
        tmp_path / "recordings", Provenancer(tmp_path / "data"), free=lambda _: room.pop(0) if room[1:] else room[0]
    )
    recorder = folder.start(MARK)
    feed(recorder, 100)
    assert recorder.join(20)
    report = recorder.report()
    assert report.phase is Phase.SAVED
    assert "disk is nearly full" in report.problem
    assert seconds(Path(report.file)) >= 0.9
    assert read(Path(report.file), tmp_path / "data").state is State.VALID
    with pytest.raises(Busy, match="needs 256 MB of room"):
        folder.start(MARK)


def test_there_must_be_room_to_finish() -> None:
    assert room_for(RESERVE + 2000, 1000)
    assert not room_for(RESERVE + 1999, 1000)


def child(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_write_that_fails_ends_the_recording_and_what_was_written_is_saved_later(tmp_path: Path) -> None:
    """The limit on a file's size stands for a disk that is really full."""
    process = child(
        """
        import resource, signal, sys
        from pathlib import Path
        from tests.keepkit import MARK, recordings
        from tests.test_recorder import ended, feed
        from livefake.media.recorder import Phase
        folder = Path(sys.argv[1])
        recorder = recordings(folder).start(MARK)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, resource.RLIM_INFINITY))
        feed(recorder, 600)
        ended(recorder)
        print(recorder.report().phase, recorder.report().problem)
        """,
        str(tmp_path),
    )
    said, _ = process.communicate(timeout=60)
    assert "could not be written: File too large" in said
    assert process.returncode == 0
    [film] = recordings(tmp_path).recover() or [*(tmp_path / "recordings").glob("*.mp4")]
    assert read(film, tmp_path / "data").state is State.VALID
    assert seconds(film) > 1


def test_a_killed_program_loses_less_than_two_seconds(tmp_path: Path) -> None:
    process = child(
        """
        import sys, time
        from pathlib import Path
        from tests.keepkit import MARK, Encoding, recordings, sealed
        recorder = recordings(Path(sys.argv[1])).start(MARK)
        encoding, key = Encoding(), False
        for number in range(10_000):
            while recorder.depth >= 6:
                time.sleep(0.001)
            key = recorder.put(encoding(sealed(number), key=key))
            print(number, flush=True)
        """,
        str(tmp_path),
    )
    assert process.stdout is not None
    last = -1
    for line in process.stdout:
        last = int(line)
        if last >= 200:
            break
    folder = recordings(tmp_path)
    assert folder.recover() == [], "another program records that"
    process.send_signal(signal.SIGKILL)
    last = max([last, *(int(line) for line in process.stdout if line.endswith("\n"))])
    process.stdout.close()
    process.wait()
    [part] = (tmp_path / "recordings").iterdir()
    assert part.name.endswith(".part.mp4")
    # As it lies there, before anything is mended.
    assert seconds(part) > last / 30 - 2
    [film] = folder.recover()
    assert list((tmp_path / "recordings").iterdir()) == [film]
    assert seconds(film) > last / 30 - 2
    shown = numbers(film)
    assert shown == [number % 64 for number in range(len(shown))]
    found = read(film, tmp_path / "data")
    assert (found.state, found.session) == (State.VALID, 77)
    assert folder.recover() == []


def cut_short(folder: Path, *, grant: str = "", content: bytes | None = None) -> Path:
    """What a crash leaves behind."""
    parts = folder / "recordings"
    parts.mkdir(exist_ok=True)
    part = parts / "2026-01-01_session-00000004d.part.mp4"
    if content is None:
        inside = {"livefake": 1, "mark": MARK.pack().hex(), "grant": grant}
        recorder = Recorder(
            part.open("wb", buffering=0),
            part,
            grant=grant,
            notes={"description": json.dumps(inside)},
            free=lambda: 10**12,
            finish=lambda: 1,
        )
        feed(recorder, 70)
        ended(recorder)
    else:
        part.write_bytes(content)
    return part


def test_half_a_fragment_is_cut_off(tmp_path: Path) -> None:
    part = cut_short(tmp_path)
    content = part.read_bytes()
    (part.parent / ".x.plain.mp4").write_text("half a copy")
    (part.parent / ".x.signing.mp4").write_text("half a signature")
    part.write_bytes(content[: content.rindex(b"moof") + 40])
    [film] = recordings(tmp_path).recover()
    assert 50 < len(numbers(film)) < 70
    assert list(part.parent.iterdir()) == [film]


def test_a_film_that_was_signed_before_the_crash_is_not_made_again(tmp_path: Path) -> None:
    part = cut_short(tmp_path)
    [film] = recordings(tmp_path).recover()
    before = film.read_bytes()
    part.write_bytes(b"whatever")
    assert recordings(tmp_path).recover() == [film]
    assert film.read_bytes() == before
    assert not part.exists()


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x14ftypisom"])
def test_a_part_without_a_picture_goes(content: bytes, tmp_path: Path) -> None:
    part = cut_short(tmp_path, content=content)
    assert recordings(tmp_path).recover() == []
    assert not part.exists()


@pytest.mark.parametrize("content", [b"somebody's notes" * 10, bytes(5000)])
def test_a_file_that_is_no_film_is_left_alone(content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    part = cut_short(tmp_path, content=content)
    assert recordings(tmp_path).recover() == []
    assert part.read_bytes() == content
    assert "should be a film" in caplog.text


def test_a_strangers_film_in_the_folder_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    part = cut_short(tmp_path)
    content = part.read_bytes().replace(b'"livefake"', b'"lifefake"')
    part.write_bytes(content)
    assert recordings(tmp_path).recover() == []
    assert part.read_bytes() == content
    assert "does not say which session" in caplog.text


def test_a_certificate_that_cannot_sign_is_told_before_the_recording(tmp_path: Path) -> None:
    folder = recordings(tmp_path)
    ended(folder.start(MARK))
    (tmp_path / "data" / "provenance" / "signer.pem").write_text("damaged")
    with pytest.raises(LivefakeError, match="is damaged"):
        folder.start(MARK)


def test_a_certificate_lost_meanwhile_leaves_the_part_for_the_next_start(tmp_path: Path) -> None:
    folder, key = recordings(tmp_path), tmp_path / "data" / "provenance" / "signer.pem"
    recorder = folder.start(MARK)
    feed(recorder, 5)
    content = key.read_bytes()
    key.write_text("damaged")
    ended(recorder)
    assert recorder.report().phase is Phase.FAILED
    assert "is damaged" in recorder.report().problem
    assert not Path(recorder.report().file).exists()
    key.write_bytes(content)
    assert folder.recover() == [Path(recorder.report().file)]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "recordings").write_text("in the way")
    with pytest.raises(LivefakeError, match="cannot be written"):
        recordings(tmp_path).start(MARK)


@pytest.fixture
def book(tmp_path: Path) -> GrantBook:
    return GrantBook(tmp_path / "data", SERVICE)


def gate_of(book: GrantBook, grant: str) -> ConsentGate:
    return ConsentGate(book, grant, output=Output.LIVE, wall=lambda: DURING)


def test_a_person_is_recorded_only_under_a_grant_that_covers_it(tmp_path: Path, book: GrantBook) -> None:
    folder = recordings(tmp_path, book=book)
    live_only = enter(book, 1, outputs=frozenset({Output.LIVE}))
    both = enter(book, 2, outputs=frozenset({Output.LIVE, Output.RECORDING}))
    with pytest.raises(ConsentError, match="covers live, not recording"):
        folder.start(MARK, live_only.id)
    with pytest.raises(ConsentError, match="no book"):
        Recordings(tmp_path / "other", Provenancer(tmp_path / "data")).start(MARK, both.id)
    assert not (tmp_path / "recordings").exists()
    recorder = folder.start(MARK, both.id)
    feed(recorder, 5, grant=both.id)
    # Pictures of somebody else that are still under way.
    feed(recorder, 5, first=5, grant=live_only.id)
    feed(recorder, 5, first=10)
    ended(recorder)
    film = Path(recorder.report().file)
    assert numbers(film) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]
    from livefake.trust.manifest import receipt

    assert receipt(both).encode() in film.read_bytes()
    assert both.id.encode() not in film.read_bytes()


def test_a_crashed_recording_of_a_person_names_their_consent_too(tmp_path: Path, book: GrantBook) -> None:
    from livefake.trust.manifest import receipt

    grant = enter(book)
    cut_short(tmp_path, grant=grant.id)
    [film] = recordings(tmp_path, book=book).recover()
    assert receipt(grant).encode() in film.read_bytes()
    part = cut_short(tmp_path, grant="f" * 16)
    film.unlink()
    assert recordings(tmp_path, book=book).recover() == []
    assert part.exists()


def test_the_gate_watches_over_the_recording(tmp_path: Path, book: GrantBook) -> None:
    grant = enter(book, outputs=frozenset({Output.LIVE, Output.RECORDING}))
    gate = gate_of(book, grant.id)
    take = Take(recordings(tmp_path, book=book), MARK)
    assert take.report() is None
    take.start(lambda: gate)
    take.start(lambda: gate)
    assert take.running
    assert gate.outputs == (Output.LIVE, Output.RECORDING)
    # A persona of the same person stays under that watch; a fictional one may always follow.
    same, worn = gate_of(book, grant.id), list[str]()
    take.wear(same, lambda: worn.append("same"))
    assert same.outputs == (Output.LIVE, Output.RECORDING)
    take.wear(None, lambda: worn.append("nobody"))
    other = gate_of(book, enter(book, 2).id)
    with pytest.raises(ConsentError, match="not begun with this person's consent"):
        take.wear(other, lambda: worn.append("other"))
    assert worn == ["same", "nobody"]
    take.stop(lambda: same)
    assert [*same.outputs] == [Output.LIVE]
    take.wear(other, lambda: worn.append("other"))
    assert worn[-1] == "other"


def test_a_gate_lets_pass_what_every_output_is_covered_for(book: GrantBook) -> None:
    grant = enter(book, outputs=frozenset({Output.LIVE}))
    gate = gate_of(book, grant.id)
    frame = Frame(np.zeros((96, 64), np.uint8), 0, 0)
    assert gate(frame).grant == grant.id
    gate.also(Output.RECORDING)
    later = Frame(np.zeros((96, 64), np.uint8), 0, 2 * 10**9)
    with pytest.raises(Exception, match="covers live, not recording"):
        gate(later)


def test_a_still_is_the_newest_picture_signed(tmp_path: Path, book: GrantBook) -> None:
    take = Take(recordings(tmp_path, book=book), MARK)
    with pytest.raises(NotFound, match="no picture yet"):
        take.still()
    take.show(sealed(1))
    take.show(sealed(50))
    path = tmp_path / "still.jpg"
    path.write_bytes(take.still())
    with av.open(str(path)) as container:
        [picture] = container.decode(video=0)
    assert picture.to_ndarray(format="gray").mean() == pytest.approx((24 + 150 - 16) * 255 / 219, abs=2)
    found = read(path, tmp_path / "data")
    assert (found.state, found.session) == (State.VALID, 77)
    assert not (tmp_path / "recordings").exists()


def test_a_still_of_a_person_needs_a_grant_that_covers_keeping_it(tmp_path: Path, book: GrantBook) -> None:
    take = Take(recordings(tmp_path, book=book), MARK)
    live_only = enter(book, 1, outputs=frozenset({Output.LIVE}))
    take.show(sealed(1, grant=live_only.id))
    with pytest.raises(ConsentError, match="covers live, not recording"):
        take.still()
    both = enter(book, 2)
    take.show(sealed(1, grant=both.id))
    assert take.still()
    book.revoke(both.id, now=START)
    with pytest.raises(ConsentError, match="revoked"):
        take.still()


async def test_a_session_without_a_folder_keeps_nothing() -> None:
    take = Take(None, MARK)
    take.show(sealed(1))
    for what in (take.still, lambda: take.start(lambda: None)):
        with pytest.raises(LivefakeError, match="keeps nothing"):
            what()
    take.stop(lambda: None)
    await take.close()


def test_settling_finishes_what_runs(tmp_path: Path) -> None:
    folder = recordings(tmp_path)
    recorder = folder.start(MARK)
    feed(recorder, 5)
    folder.settle(20)
    assert recorder.report().phase is Phase.SAVED


def test_the_lock_is_held_while_a_film_is_made(tmp_path: Path) -> None:
    folder = recordings(tmp_path)
    recorder = folder.start(MARK)
    [part] = (tmp_path / "recordings").iterdir()
    with part.open("rb") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert folder.recover() == []
    feed(recorder, 3)
    ended(recorder)
