"""One performer: frames in, sealed pictures out, and a card when there are none."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from livefake.clock import Clock, Nanos, seconds
from livefake.compose.others import Others
from livefake.flow.hold import Hold, State
from livefake.flow.mailbox import Mailbox
from livefake.flow.outcome import Fate
from livefake.flow.timing import FRAME, Samples, Timing, Timings
from livefake.frame import Frame
from livefake.media.encode.hub import Broadcast
from livefake.media.ports import Painter, Sink, Source, Tapped
from livefake.media.recordings import Recordings
from livefake.media.selfread import SelfReader
from livefake.media.sound.bus import SoundBus
from livefake.media.take import Take
from livefake.media.tap import Tap
from livefake.rig import Outfit, Rig
from livefake.tally import FAILED, LEFT, LOST, SILENT, UNREAD, WORDS, Rate, Report, Tally, kind
from livefake.trust.audience import Audience
from livefake.trust.consent import Output
from livefake.trust.seal import Sealed

__all__ = ["UNREAD", "Others", "Report", "Session", "State", "Tally"]

_log = logging.getLogger(__name__)

_TICK: Final = 0.1
_SILENCE: Final[Nanos] = 1_000_000_000
_CARD_SIZE: Final = (1280, 720)
_LEAST_CARD: Final = (160, 120)


class Session:
    """Runs one performer's rig on a thread of its own, between one source and any number of sinks.

    Frames wait in one place in front of the worker thread and finished pictures in one place behind it; in both
    the newest wins.

    Args:
        source: raw frames.
        rig: turns them into sealed pictures.
        number: 36-bit number, as the watermark carries it.
        persona: id of the persona that the rig wears.
        others: what the rig does with other faces.
        tone: the rig's skin tone.
        outfit: finds what to wear by persona id; may take a while, raises NotFound.
        painter: draws the hold card.
        tally, timings: the observers that the rig reports to.
        clock: the service's monotonic clock.
        recordings: where pictures are kept; None where nothing can be kept.
    """

    def __init__(
        self,
        source: Source,
        rig: Rig,
        *,
        number: int,
        persona: str,
        others: Others,
        tone: float = 0.0,
        outfit: Callable[[str], Outfit],
        painter: Painter,
        tally: Tally,
        timings: Timings,
        clock: Clock,
        recordings: Recordings | None = None,
    ) -> None:
        self.number = number
        self._source = source
        self._rig = rig
        self._persona = persona
        self._others = others
        self._tone = tone
        self._outfit = outfit
        self._painter = painter
        self._tally = tally
        self._timings = timings
        self._clock = clock
        self._hold = Hold()
        self._take = Take(recordings, rig.payload)
        self._sinks: list[Sink] = [self._take]
        self._audience = Audience()
        self._fresh: Mailbox[Frame] = Mailbox()
        self._done: Mailbox[Sealed] = Mailbox()
        self._arrived = self._carded = 0
        self._in, self._out = Rate(), Rate()
        self._age = Samples()
        self._latest: tuple[int, int, int, Nanos] | None = None
        self._ended = False
        self._reader = SelfReader(rig.payload, clock=clock)
        self._distrust: dict[str, None] = {}
        self._withheld = 0

    def add(self, sink: Sink) -> None:
        """Show pictures there too from now on, and read the mark back from there where that can be done."""
        self._sinks.append(sink)
        if isinstance(sink, Tapped):
            self._reader.watch(sink.tap)

    def watch(self, tap: Tap) -> None:
        """Read the mark back from that encoder too, until its tap is closed."""
        self._reader.watch(tap)

    def record_from(self, broadcast: Broadcast, sound: SoundBus) -> None:
        """Tell where recordings get pictures and sound."""
        self._take.record_from(broadcast, sound)

    def distrust(self, reason: str) -> None:
        """Show nothing but the hold card, at once, until ``trust`` takes that reason back. For the event loop.

        Args:
            reason: a word or two, which the card spells out where it knows them.
        """
        self._distrust[reason] = None
        self._hold.bar(True)

    def trust(self, reason: str) -> None:
        """Take a reason back; one that was never given is left alone. For the event loop."""
        self._distrust.pop(reason, None)
        self._hold.bar(bool(self._distrust))

    async def remove(self, sink: Sink) -> None:
        """Stop showing pictures there, and close it. A sink that is not here is left alone."""
        if sink in self._sinks:
            self._sinks.remove(sink)
            await sink.close()

    def wear(self, persona: str) -> None:
        """Change the persona between two frames.

        Raises:
            NotFound: there is no such persona.
            BadPersona: it is damaged.
            ConsentError: it is a real person's, and no grant covers it, or not the recording or another output that
                runs.
        """
        outfit = self._outfit(persona)
        self._audience.wear(outfit.gate)
        self._take.wear(outfit.gate, lambda: self._rig.wear(outfit))
        self._persona = persona

    def allow(self, output: Output) -> None:
        """Pictures go there too from now on; whoever's face is worn must have granted that.

        Raises:
            ConsentError: a real person's grant does not cover it.
        """
        self._audience.allow(self._rig.gate, output)

    def disallow(self, output: Output) -> None:
        """One of those that took pictures there has ended."""
        self._audience.disallow(self._rig.gate, output)

    def treat_others(self, how: Others) -> None:
        """Change what happens to the faces of other people."""
        self._rig.treat_others(how)
        self._others = how

    def set_tone(self, share: float) -> None:
        """Change whose skin tone the face has: 0 the performer's, 1 the persona's."""
        self._rig.set_tone(share)
        self._tone = share

    def resume(self) -> None:
        """Go on with the largest face in the picture, whoever it is: somebody's decision, not ours.

        A session whose mark could not be read again and again gets another try.
        """
        self._rig.resume()
        self._reader.retry()

    def start_recording(self) -> None:
        """Keep every picture from now on; may take a while, see ``Take.start`` for what it raises."""
        self._take.start(lambda: self._rig.gate)

    def stop_recording(self) -> None:
        """End the recording; it is completed and signed meanwhile."""
        self._take.stop(lambda: self._rig.gate)

    def snapshot(self) -> bytes:
        """The newest picture as a signed JPEG; may take a while, see ``Take.still`` for what it raises."""
        return self._take.still()

    async def run(self) -> None:
        """Work until the source ends or the task is cancelled, then close source and sinks."""
        loop = asyncio.get_running_loop()
        worker = threading.Thread(target=self._work, args=(loop,), name=f"session-{self.number}", daemon=True)
        worker.start()
        self._reader.start()
        ticker = asyncio.create_task(self._tick())
        try:
            async for frame in self._source:
                self._arrived += 1
                self._in.add(frame.arrived)
                self._rig.arrive(frame)
                self._latest = (frame.width, frame.height, frame.pts, frame.arrived)
                self._fresh.put(frame)
        finally:
            self._ended = True
            ticker.cancel()
            self._fresh.close()
            threads = asyncio.to_thread(worker.join), asyncio.to_thread(self._reader.close)
            await asyncio.gather(ticker, *threads, self._source.close(), return_exceptions=True)
            self._done.close()
            await asyncio.gather(*(sink.close() for sink in self._sinks), return_exceptions=True)

    def _work(self, loop: asyncio.AbstractEventLoop) -> None:
        """The worker thread: one frame after the other, always the newest."""
        while not self._fresh.closed:
            frame = self._fresh.take(timeout=0.5)
            if frame is None:
                continue
            sealed = self._rig(frame)
            if sealed is not None and not self._ended:
                self._done.put(sealed)
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        sealed = self._done.take(timeout=0)
        if sealed is None or self._ended:
            return
        self._heed_reader()
        if self._distrust:
            self._withheld += 1
            return
        now = self._clock()
        self._hold.show(now)
        self._out.add(now)
        self._age.add(now - sealed.frame.arrived, 0)
        self._show(sealed)

    def _heed_reader(self) -> None:
        """Let what was read back decide before every picture."""
        held, lost = self._reader.held, self._reader.lost
        for reason, applies in ((UNREAD, held and not lost), (LOST, lost)):
            if applies and reason not in self._distrust:
                _log.warning("Session %d is on hold: the mark could not be read in what was sent.", self.number)
                self.distrust(reason)
            elif not applies and reason in self._distrust:
                self.trust(reason)

    def _show(self, sealed: Sealed) -> None:
        for sink in tuple(self._sinks):
            try:
                sink.show(sealed)
            except Exception:  # a sink that fails must not take the others or the session with it
                _log.exception("The sink %s failed and was left out for one picture", sink.name)

    async def _tick(self) -> None:
        """Watch for the moment when the card is due; a source that stalls brings no frame to notice it by."""
        while True:
            self._heed_reader()
            now = self._clock()
            if self._hold.card_due(now):
                self._carded += 1
                self._show(self._card(now))
            await asyncio.sleep(_TICK)

    def _card(self, now: Nanos) -> Sealed:
        width, height, pts, arrived = self._latest or (*_CARD_SIZE, 0, now)
        width, height = max(width, _LEAST_CARD[0]), max(height, _LEAST_CARD[1])
        title, detail = WORDS.get(kind(self._reason), FAILED)
        pts += round(seconds(now - arrived) * 90_000)
        return self._rig.card(self._painter.paint(width, height, title, detail, pts=pts, arrived=now))

    @property
    def _reason(self) -> str:
        """Why no picture is shown: what somebody distrusts counts more than what became of the last frame."""
        for reason in self._distrust:
            return reason
        reason = self._tally.reason
        silent = self._latest is not None and self._clock() - self._latest[3] > _SILENCE
        # That a person has to press Resume stays true whatever the connection does.
        return SILENT if silent and reason != LEFT else reason

    def report(self) -> Report:
        """How the session is doing right now."""
        now = self._clock()
        stages = dict(self._timings.report())
        frame = stages.pop(FRAME, Timing())
        state = State.ENDED if self._ended else self._hold.state(now)
        reason = self._reason
        mark = self._reader.reads
        width, height = self._latest[:2] if self._latest else (0, 0)
        counts = self._tally.counts
        return Report(
            state=state,
            reason="" if state in (State.LIVE, State.ENDED) else WORDS.get(kind(reason), (reason, ""))[0],
            needs_resume=reason in (LEFT, LOST),
            persona=self._persona,
            others=self._others,
            source_fps=self._in.read(now),
            shown_fps=self._out.read(now),
            width=width,
            height=height,
            frames={
                "arrived": self._arrived,
                "swapped": counts[Fate.SWAPPED] - self._withheld,
                "held": counts[Fate.HELD] + self._withheld,
                "carded": self._carded,
                "dropped": self._fresh.dropped + self._done.dropped + self._rig.skipped,
                "late": counts[Fate.LATE],
                "failed": counts[Fate.FAILED],
            },
            stages=stages,
            frame=frame,
            server_ms=self._age.timing().p50_ms,
            quality=self._rig.quality,
            steps_down=self._rig.steps_down,
            moves=self._rig.moves,
            tone=self._tone,
            recording=self._take.report(),
            mark=mark,
            mark_unread=UNREAD in self._distrust or LOST in self._distrust,
            mark_age=None if mark.last is None else seconds(now - mark.last),
            queue_depth=max(self._fresh.deepest, self._done.deepest, self._take.deepest),
        )
