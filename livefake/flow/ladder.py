"""The quality ladder: which step of quality a machine can keep up with, found out from what frames take.

Pure: times are arguments, and what a step means is for whoever asks for the one in force.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Final

from livefake.clock import Nanos, nanos

__all__ = ["BACK", "CALM", "Ladder", "Step", "steps_for"]

_WINDOW: Final = 16
_FEW: Final = 8
_COLD: Final = 3
"""First frames of a session, which say nothing about the others."""
_FULL: Final = 0.95
"""Share of the time between two frames that their work may take; above it, frames pile up."""
_ROOM: Final = 0.85
"""Share that a better step may be expected to take: less than ``_FULL``, so that nothing goes to and fro."""
_QUICK: Final = 0.6
"""The same for the network at more than its smallest crop: what that adds to the delay is felt, and a smaller crop is
hardly seen; while what is in front of the face is seen at any."""
_PATIENCE: Final[Nanos] = nanos(34)
"""What a frame with the network may take of a slower source's time: it is not worth more delay, and where sessions
share the cores, each would leave the others too little."""
_DOUBLE: Final = 0.65
"""The same where twice as many frames would be worked on: they take longer when there is more to do beside them."""
_OVERRUNS: Final = 3
_CLIP: Final = 4.0
_SETTLE: Final[Nanos] = nanos(350)
"""After a change, until the network is faded out and caches are warm."""
CALM: Final[Nanos] = nanos(3_000)
"""A better step is tried no sooner than this after any change."""
BACK: Final[Nanos] = nanos(10_000)
"""A step that was too much is not tried again sooner than this; each time, twice as long."""
_SURGE: Final[Nanos] = nanos(1_500)
"""How long frames have to take too long before a step that has proved itself is given up: whoever comes to watch costs
a second of work once, which says nothing about the frames after it."""
_LONGEST: Final[Nanos] = nanos(300_000)
_HELD: Final[Nanos] = nanos(60_000)
_FAST: Final[Nanos] = nanos(22)
"""A source with less than this between two frames has some to spare: half of them go before any quality does."""
_STRIDE: Final = -1
"""Where the strikes of taking all frames of a fast source are counted."""
_AROUND: Final = 0.25
"""What a frame's crops and masks around the network are guessed to take, as a share of all other work."""
_SEARCH: Final = (8, 16)
_LINES: Final = (540, 360)
_SAVED: Final = {540: 0.85, 360: 0.72}
"""Share of the work on a 720-line picture that stays at so many lines: a guess, from the stages' timings."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of quality.

    Attributes:
        side: of the swap network's crop, pixels; 0 goes without the network.
        search: frames from one search for faces to the next.
        lines: most lines of the picture, 0 for as many as there are.
        every: one in so many of the source's frames is worked on.
    """

    side: int
    search: int = _SEARCH[0]
    lines: int = 0
    every: int = 1

    @property
    def words(self) -> tuple[str, ...]:
        """What each frame lacks below the network, in words; empty where it lacks nothing."""
        words = []
        if self.search > _SEARCH[0]:
            words.append(f"faces searched for in every {self.search}th frame")
        if self.lines:
            words.append(f"at most {self.lines} lines")
        return tuple(words)


def steps_for(sides: Iterable[int]) -> tuple[Step, ...]:
    """The steps from the best to the cheapest.

    Args:
        sides: of the crops that the swap network can work on; none without a network.
    """
    last = Step(0, _SEARCH[1], _LINES[-1])
    return (
        *(Step(side) for side in sorted(sides, reverse=True)),
        Step(0),
        Step(0, _SEARCH[1]),
        *(Step(0, _SEARCH[1], lines) for lines in _LINES),
        Step(last.side, last.search, last.lines, every=2),
    )


class Ladder:
    """Keeps to the best step whose work fits between two frames of the source.

    It begins without the network, which then fades in: after a dozen frames it knows what everything else takes, and
    what the network takes was measured when the program started, so it goes straight to the step that fits. Later it
    goes down where frames take too long for a second and a half, or at once from a step that it has only just come to,
    to the first step that is expected to fit; and up one step at a time, after a calm time in which there was room for
    it. A step that was too much is left alone for ten seconds, then twenty, up to five minutes: a picture that changes
    to and fro is worse than one that is a little softer.

    Args:
        networks: what the swap network alone takes on this machine, by the side of its crop.
        moving: whether it ever leaves the best step; where nobody waits, it need not.
    """

    def __init__(self, networks: Mapping[int, Nanos], *, moving: bool = True) -> None:
        self._moving = moving
        self._networks = dict(networks)
        self._steps = steps_for(networks)
        self._place = self._plain if moving else 0
        self._finding = moving
        self._took: deque[tuple[Nanos, Nanos]] = deque(maxlen=_WINDOW)
        self._moved: Nanos | None = None
        self._roomy: Nanos | None = None
        self._troubled: Nanos | None = None
        self._tried = False
        self._strikes: dict[int, int] = {}
        self._barred: dict[int, Nanos] = {}
        self._quickest: float | None = None
        self._stride = 1
        self._lines = 0
        self.moves = 0

    @property
    def step(self) -> Step:
        """The one in force."""
        return self._steps[self._place]

    @property
    def steps(self) -> tuple[Step, ...]:
        """All of them, from the best to the cheapest."""
        return self._steps

    @property
    def place(self) -> int:
        """How many steps the one in force is below the best."""
        return self._place

    @property
    def every(self) -> int:
        """One in so many of the source's frames is worked on."""
        return self.step.every * self._stride

    @property
    def words(self) -> tuple[str, ...]:
        """What is given up below the network, in words; empty where nothing is."""
        every = {1: (), 2: ("every second frame",)}.get(self.every, ("every fourth frame",))
        step = replace(self.step, lines=0) if self._as_large(self.step) else self.step
        return (*step.words, *every)

    @property
    def _plain(self) -> int:
        """The best step without the network."""
        return len(self._networks)

    def measure(self, lines: int) -> None:
        """Learn how large the source's pictures are: what would not make them smaller is no step.

        Args:
            lines: of the shorter side.
        """
        self._lines = lines

    def change(self, networks: Mapping[int, Nanos]) -> None:
        """Go on with another network, at the same step where it has that."""
        if networks.keys() == self._networks.keys():
            self._networks = dict(networks)
            return
        below, plain = self._place - self._plain, self._place >= self._plain
        self._networks, self._steps = dict(networks), steps_for(networks)
        self._place = self._plain + below if plain else min(self._place, self._plain)
        # Whoever fell to a plain step because of the load stays there; one that never had a network begins anew.
        self._finding = self._moving and below == 0
        if not self._moving:
            self._place = 0
        self._strikes.clear()
        self._barred.clear()
        self._restart(None)

    def see(self, took: Nanos, network: Nanos, interval: Nanos, now: Nanos) -> bool:
        """Learn from one finished frame.

        Args:
            took: all the work on it.
            network: the part of it that steps with a network have beyond the others.
            interval: between two frames of the source.
            now: the instant; never earlier than in the call before.

        Returns:
            Whether another step is in force now.
        """
        if not self._moving:
            return False
        if self._moved is None:
            self._moved = now
        if now - self._moved < (0 if self._finding else _SETTLE):
            return False
        if interval >= _FAST and self._stride > 1:
            self._stride = 1
            return self._move(self._place, now)
        most = round(_CLIP * interval * self.every)
        self._took.append((min(took, most), min(network, took, most)))
        if self._finding:
            return self._find(interval, now)
        if not self._too_much(interval):
            self._troubled = None
            return self._climb(interval, now)
        if self._troubled is None:
            self._troubled = now
        return not self._surge(now) and self._fall(interval, now)

    def _find(self, interval: Nanos, now: Nanos) -> bool:
        if len(self._took) < _COLD + _FEW:
            return False
        self._finding = False
        for _ in range(_COLD):
            self._took.popleft()
        if interval < _FAST and self._expected(0) > _ROOM * interval:
            self._stride = 2
        for place in range(self._place):
            if self._expected(place) <= self._room(place) * self._time(place, interval):
                self._tried = True
                return self._move(place, now)
        return self._stride > 1 and self._move(self._place, now)

    def _too_much(self, interval: Nanos) -> bool:
        last = self._place + 1 == len(self._steps) and not self._spare(interval)
        if len(self._took) < _FEW or last:
            return False
        times, full = [took for took, _ in self._took], _FULL * self._time(self._place, interval)
        overruns = sum(took > full for took in times)
        return fmean(times) > full and (median(times) > full or overruns >= _OVERRUNS)

    def _surge(self, now: Nanos) -> bool:
        """Whether the trouble is young, at a step that was no trouble before it."""
        began = now if self._troubled is None else self._troubled
        proven = not self._tried or self._moved is None or began - self._moved >= CALM
        return proven and now - began < _SURGE

    def _fall(self, interval: Nanos, now: Nanos) -> bool:
        spare = self._spare(interval)
        which = _STRIDE if spare else self._place
        self._tried = True
        held = 0 if self._moved is None else now - self._moved
        strikes = 1 if held >= _HELD else self._strikes.get(which, 0) + 1
        self._strikes[which] = strikes
        self._barred[which] = now + min(BACK << min(strikes - 1, 16), _LONGEST)
        if spare:
            self._stride = 2
            return self._move(self._place, now)
        lower = [place for place in range(self._place + 1, len(self._steps)) if not self._void(place)]
        fitting = (place for place in lower if self._expected(place) <= self._room(place) * self._time(place, interval))
        return self._move(next(fitting, lower[-1]), now)

    def _climb(self, interval: Nanos, now: Nanos) -> bool:
        above = next((place for place in range(self._place - 1, -1, -1) if not self._void(place)), -1)
        if len(self._took) < _WINDOW or (above < 0 and self._stride == 1) or now < self._barred.get(above, now):
            return False
        # Below the first step there is only one way up: all frames of a fast source, at what is the best already.
        needs = fmean(took for took, _ in self._took) if above < 0 else self._expected(above)
        there = interval if above < 0 else self._time(above, interval)
        double = above < 0 or self._steps[above].every < self.step.every
        if needs > (_DOUBLE if double else self._room(above)) * there:
            self._roomy = None
            return False
        if self._roomy is None:
            self._roomy = now
        settled = self._moved is None or now - self._moved >= CALM
        if not settled or now - self._roomy < CALM // 2:
            return False
        if above < 0:
            self._stride = 1
        self._tried = True
        return self._move(max(0, above), now)

    def _spare(self, interval: Nanos) -> bool:
        """Whether frames can be left out before quality is."""
        return interval < _FAST and self._stride == 1

    def _as_large(self, step: Step) -> bool:
        """Whether a step leaves the source's pictures at their size."""
        return not step.lines or 0 < self._lines <= step.lines

    def _void(self, place: int) -> bool:
        """Whether a step gives up nothing that the step above it has."""
        step, above = self._steps[place], self._steps[max(0, place - 1)]
        return bool(step.lines) and step.every == above.every and self._as_large(step)

    def _saved(self, step: Step) -> float:
        """Share of the work that stays at a step's size of pictures."""
        return 1.0 if self._as_large(step) else _SAVED[step.lines]

    def _expected(self, place: int) -> float:
        """What a frame would take at another step, from what it takes at this one."""
        now, other = self.step, self._steps[place]
        network = fmean(part for _, part in self._took)
        rest = fmean(took for took, _ in self._took) - network
        whole = max(1.0, rest / self._saved(now))
        self._quickest = whole if self._quickest is None else min(self._quickest, whole)
        if not other.side:
            gentle = 0.97 if other.search > now.search else 1.03 if other.search < now.search else 1.0
            return rest * gentle * self._saved(other) / self._saved(now)
        # What slows the other work down slows the network down as well.
        slow = whole / self._quickest
        if now.side:
            return rest + max(0.0, network + slow * (self._networks[other.side] - self._networks[now.side]))
        return whole * (1 + _AROUND) + slow * self._networks[other.side]

    def _room(self, place: int) -> float:
        """Share of the time between two frames that a step may be expected to take."""
        return _QUICK if place + 1 < self._plain else _ROOM

    def _time(self, place: int, interval: Nanos) -> float:
        """What there is for one frame at a step."""
        step = self._steps[place]
        return float((min(interval, _PATIENCE) if step.side else interval) * step.every * self._stride)

    def _move(self, place: int, now: Nanos) -> bool:
        self._place = place
        self.moves += 1
        self._restart(now)
        return True

    def _restart(self, now: Nanos | None) -> None:
        self._took.clear()
        self._moved, self._roomy, self._troubled = now, None, None
