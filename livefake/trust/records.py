"""What the ledger's entries say about a session, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from livefake.trust.entries import Entry, Kind

__all__ = ["Segment", "SessionRecord", "Tick", "gather", "segment_fields"]

_PERSON: Final = "person"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a session, about ten seconds.

    Attributes:
        start, end: seconds since 1970 UTC; the length is measured, so that a clock that is put back does not show.
        prints: fingerprints of pictures that were shown, about one a second, in order.
        frames: pictures that were shown, cards included.
        cards: hold cards among them.
        grant: id of the grant that the pictures were sealed under; None for a fictional persona.
    """

    start: float
    end: float
    prints: tuple[int, ...]
    frames: int
    cards: int
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A performer's yes to the notice.

    Attributes:
        at: when, seconds since 1970 UTC.
        notice: id of the text.
        source: where the picture comes from.
    """

    at: float
    notice: str
    source: str


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session as the ledger has it.

    Attributes:
        number: 36-bit number, as the watermark carries it.
        started, ended: seconds since 1970 UTC; ``ended`` is None while it runs, or when it was cut off.
        grant: id of the grant of the person whose face was worn, the last one where there were several; None where
            every persona was fictional.
        persona_kind: ``person`` when a person's face was worn at any time, else ``fictional``.
        segments: in the order of the ledger.
        grants: every grant that was used.
        output: where the pictures went, as ``Output`` names it.
        ticks: what the performer agreed to.
    """

    number: int
    started: float
    ended: float | None
    grant: str | None
    persona_kind: str
    segments: tuple[Segment, ...]
    grants: tuple[str, ...] = ()
    output: str = ""
    ticks: tuple[Tick, ...] = ()


@dataclass(slots=True)
class _Draft:
    number: int
    started: float
    ended: float | None = None
    output: str = ""
    grants: dict[str, None] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    ticks: list[Tick] = field(default_factory=list)
    person: bool = False

    def note_persona(self, fields: Mapping[str, Any]) -> None:
        grant = fields.get("grant")
        if grant is not None:
            self.grants[str(grant)] = None
        self.person = self.person or grant is not None or fields.get("persona_kind") == _PERSON

    def done(self) -> SessionRecord:
        grants = tuple(self.grants)
        return SessionRecord(
            self.number,
            self.started,
            self.ended,
            grants[-1] if grants else None,
            _PERSON if self.person else "fictional",
            tuple(self.segments),
            grants,
            self.output,
            tuple(self.ticks),
        )


def segment_fields(session: int, segment: Segment) -> dict[str, str | int | list[str] | None]:
    """A segment as the fields of an entry."""
    return {
        "session": session,
        "start": round(segment.start * 1000),
        "end": round(segment.end * 1000),
        "prints": [f"{one:016x}" for one in segment.prints],
        "frames": segment.frames,
        "cards": segment.cards,
        "grant": segment.grant,
    }


def gather(entries: Iterable[Entry], *, prints: bool = True) -> dict[int, SessionRecord]:
    """Sessions by number, in the order of their beginning.

    Args:
        entries: in the order of the ledger; those that are about no session are passed by.
        prints: whether the fingerprints are wanted too; a ledger of years has many.

    Raises:
        ValueError, KeyError, TypeError: an entry lacks a field of its kind, or has another there.
    """
    drafts: dict[int, _Draft] = {}
    for entry in entries:
        number = entry.fields.get("session")
        if not isinstance(number, int):
            continue
        draft = drafts.setdefault(number, _Draft(number, entry.at))
        match entry.kind:
            case Kind.START:
                draft.output = str(entry.fields["output"])
                draft.note_persona(entry.fields)
            case Kind.PERSONA:
                draft.note_persona(entry.fields)
            case Kind.NOTICE:
                draft.ticks.append(Tick(entry.at, str(entry.fields["notice"]), str(entry.fields["source"])))
            case Kind.SEGMENT:
                draft.note_persona(entry.fields)
                draft.segments.append(_segment(entry.fields, prints=prints))
            case Kind.END:
                draft.ended = entry.at
    return {number: draft.done() for number, draft in drafts.items()}


def _segment(fields: Mapping[str, Any], *, prints: bool) -> Segment:
    return Segment(
        fields["start"] / 1000,
        fields["end"] / 1000,
        tuple(int(one, 16) for one in fields["prints"]) if prints else (),
        int(fields["frames"]),
        int(fields["cards"]),
        fields["grant"],
    )
