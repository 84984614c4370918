"""Minutes of sound from a microphone with a will of its own: it is never far from its picture, and not further at last.

A sender's two streams run through everything that places sound: its reports, the pictures' instants, the ticks of the
stream, and the line of samples. Arrivals are as unsteady as on a busy machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from livefake.clock import Nanos
from livefake.media.encode.stretch import Stretch
from livefake.media.sound.bus import PIECE, RATE, Chunk, SoundBus
from livefake.media.sound.line import Line
from livefake.media.sound.lipsync import LipSync

MS = 1_000_000
SECOND = 1000 * MS
NTP = 3_900_000_000 << 32
MINUTES = 2


@dataclass(frozen=True)
class Script:
    """What a microphone does.

    Attributes:
        drift: how much faster its clock runs than the sender's.
        silent: seconds in which it sends nothing at all.
        dead: seconds in which it sends silence.
        ahead: how much faster the sender's clocks run than ours.
        lost: samples that it loses after 50 seconds, with their time stamps.
    """

    drift: float = 0.0
    silent: tuple[tuple[int, int], ...] = ()
    dead: tuple[int, int] = (0, 0)
    ahead: float = 0.0
    lost: int = 0


def within(spans: tuple[tuple[int, int], ...], at: Nanos) -> bool:
    return any(begin * SECOND <= at < end * SECOND for begin, end in spans)


def played(script: Script, bus: SoundBus) -> list[tuple[float, float]]:
    """When each piece was taken, seconds, and how much later than its picture it lies, milliseconds."""
    chance = np.random.default_rng(11)
    sync, stretch, line, tap = LipSync(), Stretch(), Line(), bus.tap("test")
    found: list[tuple[float, float]] = []
    events = [(index * SECOND // 30, "picture") for index in range(MINUTES * 60 * 30)]
    # A microphone that is fast has its 960 samples sooner.
    length = PIECE * SECOND / RATE / (1 + script.drift)
    events += [(round(index * length), "sound") for index in range(round(MINUTES * 60 * SECOND / length))]
    events += [(index * SECOND + 700 * MS, "report") for index in range(MINUTES * 60)]
    for taken, kind in sorted(events):
        theirs = round(taken * (1 + script.ahead))
        lost = script.lost if taken >= 50 * SECOND else 0
        if kind == "report":
            wall = NTP + (theirs << 32) // SECOND
            sync.pictures.report(1, wall, theirs * 9 // 100_000)
            if taken // SECOND % 5 == 0 and not within(script.silent, taken):
                # A report is written a little after the stamp was read.
                late = (int(chance.integers(0, 4)) * MS << 32) // SECOND
                sync.sounds.report(2, wall + late, round(taken / length * PIECE) - lost & 0xFFFFFFFF)
        elif kind == "picture":
            arrived = taken + (8 + int(chance.exponential(15))) * MS
            stretch.see(taken * 9 // 100_000, sync.picture(theirs * 9 // 100_000, arrived))
        elif not within(script.silent, taken):
            dead = script.dead[0] <= taken / SECOND < script.dead[1]
            samples = np.full((PIECE, 2), 0 if dead else 3000, np.int16)
            begun = taken + (15 + int(chance.exponential(12))) * MS
            bus.put(Chunk(samples, sync.sound(round(taken / length) * PIECE - lost & 0xFFFFFFFF, begun)))
            while (chunk := tap.take_now()) is not None:
                ticks = stretch.ticks(chunk.arrived)
                frame = None if ticks is None else line.place(chunk, ticks * RATE // 90_000)
                if frame is not None:
                    found.append((taken / SECOND, (frame.pts or 0) * 1000 / RATE - taken / MS))
    return found


def median(found: list[tuple[float, float]], begin: float, end: float) -> float:
    return float(np.median([away for at, away in found if begin <= at < end]))


@pytest.mark.parametrize(
    "script",
    [
        Script(),
        Script(drift=2e-4),
        Script(drift=-2e-4, ahead=2e-4),
        Script(silent=((0, 30),)),
        Script(silent=((40, 70), (80, 82))),
        Script(dead=(20, 60)),
        Script(lost=9120),
        Script(drift=2e-4, silent=((0, 15), (40, 60)), dead=(70, 80), ahead=-2e-4),
    ],
    ids=lambda script: repr(script)[7:-1] or "steady",
)
def test_sound_stays_with_its_picture(script: Script) -> None:
    found = played(script, SoundBus())
    # Until the first report of a microphone arrives, five seconds at most, nobody knows better than by arrivals.
    begun = 10 if not script.silent or script.silent[0][0] else script.silent[0][1] + 8
    late = [abs(away) for at, away in found if at > begun and not (script.lost and 50 <= at < 56)]
    assert np.percentile(late, 95) <= 20
    assert max(late) <= 40
    assert abs(median(found, 100, 120)) <= 10


def test_a_hand_on_the_offset_moves_the_sound_by_as_much() -> None:
    bus = SoundBus()
    bus.offset_ms = 120.0
    assert median(played(Script(drift=1e-4), bus), 20, 120) == pytest.approx(120, abs=10)


def test_a_muted_microphone_keeps_its_time() -> None:
    bus = SoundBus()
    bus.muted = True
    assert abs(median(played(Script(), bus), 20, 120)) <= 10
