"""What a session leaves in the ledger: its beginning, fingerprints of what it showed, its end."""

from __future__ import annotations

import logging
from typing import Final

from livefake.clock import Clock, Nanos, Wall, seconds
from livefake.errors import LivefakeError
from livefake.trust.entries import Field, Kind
from livefake.trust.fingerprint import fingerprint
from livefake.trust.records import Segment, segment_fields
from livefake.trust.scribe import Scribe
from livefake.trust.seal import Sealed

__all__ = ["Witness"]

_log = logging.getLogger(__name__)

_SPAN: Final[Nanos] = 10_000_000_000
_PACE: Final[Nanos] = 1_000_000_000


class Witness:
    """A sink that shows nothing: it looks at the pictures that are shown, and has the ledger say what they were.

    Every ten seconds, and whenever the grant changes, what was shown since becomes one entry: a fingerprint of one
    picture a second, and counts. Fingerprints are taken where the pictures are shown (0.3 ms a second of a session),
    entries are written by the scribe's thread.

    Args:
        scribe: writes the entries.
        session: 36-bit number of the session.
        output: where the pictures go, as ``livefake.trust.consent.Output`` names it.
        clock: monotonic, as that of the instants given to ``see``; where a file is swapped, the file's own time.
        time_of_day: the wall clock, read once at the beginning: all later times are counted from there, so that a clock
            that is set meanwhile does not turn a segment around.
    """

    name = "witness"

    def __init__(self, scribe: Scribe, session: int, *, output: str, clock: Clock, time_of_day: Wall) -> None:
        self._scribe = scribe
        self._session = session
        self._output = str(output)
        self._clock = clock
        self._time_of_day = time_of_day
        self._origin: tuple[float, Nanos] | None = None
        self._start: Nanos | None = None
        self._last: Nanos = 0
        self._printed: Nanos = 0
        self._prints: list[int] = []
        self._frames = self._cards = 0
        self._grant: str | None = None
        self._ended = False

    def begin(self, grant: str | None) -> None:
        """Write that the session begins; waits for the disk, so not for the event loop.

        Args:
            grant: id of the grant of the person whose face will be shown; None for a fictional persona.

        Raises:
            LivefakeError: it cannot be written, and the persona is a real person's. A fictional one may go on without.
        """
        self._write(Kind.START, {"output": self._output, **_persona(grant)}, needed=grant is not None)

    def change(self, grant: str | None) -> None:
        """Write that the session changes its persona; waits for the disk, so not for the event loop.

        Args:
            grant: as for ``begin``.

        Raises:
            LivefakeError: it cannot be written, and the persona is a real person's.
        """
        self._write(Kind.PERSONA, _persona(grant), needed=grant is not None)

    def agree(self, notice: str, source: str) -> None:
        """Leave an entry about the performer's yes.

        Args:
            notice: id of the text that was read.
            source: where the picture comes from, such as ``camera``.
        """
        self._scribe.leave(Kind.NOTICE, {"session": self._session, "notice": notice, "source": source})

    def problem(self) -> str:
        """Why the ledger is not written at this moment; for ``RecordGate``."""
        return self._scribe.problem

    def show(self, sealed: Sealed) -> None:
        """Look at a picture that is shown now."""
        self.see(sealed, self._clock())

    def see(self, sealed: Sealed, now: Nanos) -> None:
        """Look at a picture.

        Args:
            sealed: the picture.
            now: when it is shown, by ``clock``.
        """
        if self._ended:
            return
        if self._origin is None:
            self._origin = self._time_of_day(), now
        # A card belongs to whatever it interrupts.
        other = not sealed.card and sealed.grant != self._grant
        if self._start is not None and (other or now - self._start >= _SPAN):
            self._close_segment(now)
        if not sealed.card:
            self._grant = sealed.grant
        if self._start is None:
            self._start = now
        if not self._prints or now - self._printed >= _PACE:
            self._prints.append(fingerprint(sealed.frame.y))
            self._printed = now
        self._frames += 1
        self._cards += sealed.card
        self._last = now

    async def close(self) -> None:
        """Leave the last segment and the end of the session to the scribe. Safe to call twice."""
        self.end()

    def end(self) -> None:
        """The same as ``close``, where nothing is awaited."""
        if self._ended:
            return
        self._ended = True
        if self._start is not None:
            self._close_segment(self._last)
        self._scribe.leave(Kind.END, {"session": self._session})

    def _close_segment(self, now: Nanos) -> None:
        if self._start is None or self._origin is None:
            return
        wall, origin = self._origin
        segment = Segment(
            wall + seconds(self._start - origin),
            wall + seconds(now - origin),
            tuple(self._prints),
            self._frames,
            self._cards,
            self._grant,
        )
        self._scribe.leave(Kind.SEGMENT, segment_fields(self._session, segment))
        self._start = None
        self._prints.clear()
        self._frames = self._cards = 0

    def _write(self, kind: Kind, fields: dict[str, Field], *, needed: bool) -> None:
        entry = {"session": self._session, **fields}
        try:
            self._scribe.write(kind, entry)
        except LivefakeError as error:
            if needed:
                raise
            # A fictional face does nobody harm: the session goes on, and the entry comes later if it can.
            _log.warning("Session %d goes on unrecorded: %s", self._session, error.problem)
            self._scribe.leave(kind, entry)


def _persona(grant: str | None) -> dict[str, Field]:
    return {"persona_kind": "fictional" if grant is None else "person", "grant": grant}
